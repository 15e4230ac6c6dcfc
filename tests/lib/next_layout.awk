# SPDX-License-Identifier: Apache-2.0
# Turns abi.h into the one of an imagined next version, for tests of upgrades: BH_ABI
# is one higher, some records have grown at their end, one hash has more room.
BEGIN {
	n = split("config endpoint flow tunnel", by8) + split("local service_gen range", by4)
	for (i in by8) grows["bh_" by8[i]] = 8
	for (i in by4) grows["bh_" by4[i]] = 4
}
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
