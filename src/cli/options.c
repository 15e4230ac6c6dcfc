// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "base/unixhttp.h"
#include "cli/command.h"

static const struct option_name {
	const char *name;
	char letter; /* 0: none */
	bool has_value;
	enum cli_option option;
} names[] = {
	{ "output", 'o', true, OPT_OUTPUT },	   { "socket", 0, true, OPT_SOCKET },
	{ "help", 'h', false, OPT_HELP },	   { "version", 'V', false, OPT_VERSION },
	{ "manifests", 'm', true, OPT_MANIFESTS }, { "posture", 0, true, OPT_POSTURE },
	{ "namespace", 'n', true, OPT_NAMESPACE }, { "follow", 'f', false, OPT_FOLLOW },
	{ "limit", 0, true, OPT_LIMIT },	   { "config", 0, true, OPT_CONFIG },
	{ "kubeconfig", 0, true, OPT_KUBECONFIG }, { "plugins", 0, true, OPT_PLUGINS },
};

/* "--limit=5" and "-ojson" carry their value: *ret_value points into `arg`. */
static const struct option_name *option_find(const char *arg, const char **ret_value)
{
	bool is_long = strncmp(arg, "--", 2) == 0;
	size_t len = is_long ? strcspn(arg + 2, "=") : 1;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (is_long && (strlen(names[i].name) != len || strncmp(names[i].name, arg + 2, len) != 0))
			continue;
		if (!is_long && names[i].letter != arg[1])
			continue;
		*ret_value = NULL;
		if (is_long && arg[2 + len] == '=')
			*ret_value = arg + 3 + len;
		else if (!is_long && arg[2])
			*ret_value = arg + 2;
		return &names[i];
	}
	return NULL;
}

static int output_parse(const char *value, struct cli_options *ret, struct err *err)
{
	if (strcmp(value, "json") != 0 && strcmp(value, "text") != 0)
		return err_set(err, EINVAL, "--output is json or text, not \"%s\"", value);
	ret->json = strcmp(value, "json") == 0;
	return 0;
}

static int posture_parse(const char *value, struct cli_options *ret, struct err *err)
{
	static const char *const words[] = {
		[POSTURE_STANDARD] = "standard",
		[POSTURE_DENY] = "deny",
		[POSTURE_AUDIT] = "audit",
	};

	for (int i = POSTURE_STANDARD; i <= POSTURE_AUDIT; i++)
		if (strcmp(value, words[i]) == 0) {
			ret->posture = (enum posture)i;
			return 0;
		}
	return err_set(err, EINVAL, "--posture is standard, deny or audit, not \"%s\"", value);
}

static int option_set(const struct option_name *name, const char *value, struct cli_options *ret,
		      struct err *err)
{
	ret->given |= name->option;
	switch (name->option) {
	case OPT_OUTPUT:
		return output_parse(value, ret, err);
	case OPT_POSTURE:
		return posture_parse(value, ret, err);
	case OPT_SOCKET:
		ret->socket = value;
		return 0;
	case OPT_MANIFESTS:
		ret->manifests = value;
		return 0;
	case OPT_NAMESPACE:
		ret->namespace = value;
		return 0;
	case OPT_LIMIT:
		ret->limit = value;
		return 0;
	case OPT_CONFIG:
		ret->config = value;
		return 0;
	case OPT_KUBECONFIG:
		ret->kubeconfig = value;
		return 0;
	case OPT_PLUGINS:
		ret->plugins = value;
		return 0;
	case OPT_FOLLOW:
		ret->follow = true;
		return 0;
	case OPT_HELP:
	case OPT_VERSION:
		return 0;
	}
	return -EINVAL;
}

/* One option and its value; *index moves over what was used. */
static int option_parse(int argc, char *const *argv, int *index, struct cli_options *ret, struct err *err)
{
	const char *arg = argv[*index], *value;
	const struct option_name *name = option_find(arg, &value);

	if (!name)
		return err_set(err, EINVAL, "unknown option %s", arg);
	if (!name->has_value && value)
		return err_set(err, EINVAL, "--%s takes no value", name->name);
	if (name->has_value && !value) {
		if (*index + 1 >= argc)
			return err_set(err, EINVAL, "--%s needs a value", name->name);
		value = argv[++*index];
	}
	return option_set(name, value, ret, err);
}

static int argument_add(const char *arg, struct cli_options *ret, struct err *err)
{
	if (!ret->verb) {
		ret->verb = arg;
		return 0;
	}
	if (ret->n_args == CLI_ARGS_MAX)
		return err_set(err, EINVAL, "too many arguments: \"%s\"", arg);
	ret->args[ret->n_args++] = arg;
	return 0;
}

int options_parse(int argc, char *const *argv, struct cli_options *ret, struct err *err)
{
	bool only_arguments = false;

	*ret = (struct cli_options){ .socket = UNIXHTTP_DEFAULT_SOCKET, .posture = POSTURE_STANDARD };
	for (int i = 1; i < argc; i++) {
		bool is_option = !only_arguments && argv[i][0] == '-' && argv[i][1];
		int r = 0;

		if (is_option && strcmp(argv[i], "--") == 0)
			only_arguments = true;
		else if (is_option)
			r = option_parse(argc, argv, &i, ret, err);
		else
			r = argument_add(argv[i], ret, err);
		if (r < 0)
			return r;
	}
	return 0;
}
