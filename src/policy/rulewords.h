/* SPDX-License-Identifier: Apache-2.0 */
/* The words of a subject's key: see subject.h. */
#ifndef POLICY_RULEWORDS_H
#define POLICY_RULEWORDS_H

#include "base/text.h"
#include "policy/subject.h"

#define RULES_START 1 /* after the word that says what happens to the rest */

enum rule_word {
	RULE_FLAGS,
	RULE_COUNT, /* one per list: selectors, blocks, named ports */
	RULE_LISTS = 3,
	RULE_RANGES = RULE_COUNT + RULE_LISTS, /* number of ranges */
	RULE_BODY,			       /* the lists' matchers, then the ranges */
};

enum rule_flag { RULE_ANYONE = 1 << 0, RULE_ALL_PORTS = 1 << 1 };

/* A range is two words: the protocol, and both bounds. */
#define RANGE_WORDS		  2
#define RANGE_BOUNDS(first, last) ((uint32_t)(first) << 16 | (last))
#define RANGE_FIRST(word)	  ((uint16_t)((word) >> 16))
#define RANGE_LAST(word)	  ((uint16_t)(word))

static inline size_t rule_words(const uint32_t *rule)
{
	return (size_t)RULE_BODY + rule[RULE_COUNT] + rule[RULE_COUNT + 1] + rule[RULE_COUNT + 2] +
	       (size_t)RANGE_WORDS * rule[RULE_RANGES];
}

/* Appends the key of the pod's subject. 0 or -ENOMEM. */
int rulewords_build(const struct subject_source *source, const struct isolation *isolation,
		    const struct pod *pod, enum bh_direction direction, struct text *key);

#endif
