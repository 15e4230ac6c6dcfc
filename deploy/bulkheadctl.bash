# SPDX-License-Identifier: Apache-2.0
# bash completion for bulkheadctl; install as .../bash-completion/completions/bulkheadctl

_bulkheadctl_verb() {
	local word
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case $word in
		status | endpoints | nodes | services | policies | drops | explain | matrix | lint | check)
			echo "$word"
			return
			;;
		esac
	done
}

# Pods that a running daemon knows; offline there is nobody to ask.
_bulkheadctl_pods() {
	bulkheadctl matrix -o json 2>/dev/null |
		grep -m1 '"pods":' | grep -o '"[^"]*/[^"]*"' | tr -d '"'
}

_bulkheadctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local verb options="--help --output --socket"

	verb=$(_bulkheadctl_verb)
	case $prev in
	-o | --output)
		mapfile -t COMPREPLY < <(compgen -W "text json" -- "$cur")
		return
		;;
	--posture)
		mapfile -t COMPREPLY < <(compgen -W "standard deny audit" -- "$cur")
		return
		;;
	-m | --manifests | --plugins)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	--socket | --config | --kubeconfig)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	-n | --namespace | --limit)
		return
		;;
	esac
	case $verb in
	explain | lint | services) options="$options --manifests --posture" ;;
	matrix) options="$options --manifests --posture --namespace" ;;
	drops) options="$options --follow --limit" ;;
	check) options="$options --config --kubeconfig --manifests --plugins" ;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
	elif [[ -z $verb ]]; then
		mapfile -t COMPREPLY < <(compgen -W "status endpoints nodes services policies drops explain matrix lint check" -- "$cur")
	elif [[ $verb == explain ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_bulkheadctl_pods)" -- "$cur")
	fi
}

complete -F _bulkheadctl bulkheadctl
