# SPDX-License-Identifier: Apache-2.0
# Turns abi.h into the one of an imagined next version, for tests of upgrades: BH_ABI
# is one higher, some records have grown at their end, one hash has more room.
BEGIN { n = 4; grows["bh_config"] = grows["bh_endpoint"] = grows["bh_flow"] = 8; grows["bh_local"] = 4 }
/^#define BH_ABI / { $3 += 1 }
/^#define BH_PEERS_MAX/ { sub(/262144/, "300000") }
/^struct [a-z_]+ \{$/ { inside = $2 }
/^};$/ && inside in grows { print "\t__u" 8 * grows[inside] " next_layout;" }
/^};$/ { inside = "" }
match($0, /^BH_ASSERT_SIZE\(struct [a-z_]+, [0-9]+\);/) {
	name = $2
	sub(/,$/, "", name)
	size = $3 + 0
	if (name in grows) { sub(/[0-9]+\);/, size + grows[name] ");"); grown++ }
}
{ print }
END { if (grown != n) { print "next_layout.awk: abi.h is not as expected" > "/dev/stderr"; exit 1 } }
