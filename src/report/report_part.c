// SPDX-License-Identifier: Apache-2.0
#include "report/report_part.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

const char *verdict_text(enum explain_verdict verdict)
{
	static const char *const words[] = {
		[EXPLAIN_ALLOW] = "allow",
		[EXPLAIN_DENY] = "deny",
		[EXPLAIN_AUDIT] = "audit",
		[EXPLAIN_UNKNOWN] = "unknown",
	};

	return words[verdict];
}

const char *direction_text(enum bh_direction direction)
{
	return direction == BH_INGRESS ? "ingress" : "egress";
}

char *pod_text(const struct pod *pod)
{
	struct text text = { 0 };

	text_addf(&text, "%s/%s", pod->namespace, pod->name);
	return text_take(&text);
}

char *end_text(const struct explain_end *end)
{
	char addr[ADDR_TEXT_MAX] = "unknown";

	if (end->pod)
		return pod_text(end->pod);
	if (end->has_addr)
		addr_format(&end->addr, addr);
	return strdup(addr);
}

void text_add_escaped(struct text *text, const char *raw)
{
	char escaped[1024];

	text_escape(raw, escaped, sizeof(escaped));
	text_add(text, escaped, strlen(escaped));
}

bool put_text(cJSON *object, const char *key, const char *text)
{
	return text && cJSON_AddStringToObject(object, key, text);
}

bool put_pod(cJSON *object, const char *key, const struct pod *pod)
{
	auto_free char *text = pod_text(pod);

	return put_text(object, key, text);
}

bool put_number(cJSON *object, const char *key, double number)
{
	return cJSON_AddNumberToObject(object, key, number);
}

bool put_bool(cJSON *object, const char *key, bool value)
{
	return cJSON_AddBoolToObject(object, key, value);
}

cJSON *put_array(cJSON *object, const char *key)
{
	return cJSON_AddArrayToObject(object, key);
}

cJSON *put_object(cJSON *array_or_object, const char *key)
{
	cJSON *item;

	if (cJSON_IsObject(array_or_object))
		return cJSON_AddObjectToObject(array_or_object, key);
	item = cJSON_CreateObject();
	if (item && !cJSON_AddItemToArray(array_or_object, item)) {
		cJSON_Delete(item);
		return NULL;
	}
	return item;
}

bool push_text(cJSON *array, const char *text)
{
	cJSON *item = text ? cJSON_CreateString(text) : NULL;

	if (item && cJSON_AddItemToArray(array, item))
		return true;
	cJSON_Delete(item);
	return false;
}

static bool put_netpol(cJSON *object, const char *key, const struct netpol *netpol)
{
	auto_text struct text text = { 0 };

	text_addf(&text, "%s/%s", netpol->namespace, netpol->name);
	return !text.failed &&
	       (cJSON_IsArray(object) ? push_text(object, text.data) : put_text(object, key, text.data));
}

static bool put_side(cJSON *object, const struct explain_side *side)
{
	cJSON *isolating;
	bool ok = put_bool(object, "judged", side->judged) && put_bool(object, "isolated", side->isolated) &&
		  put_bool(object, "byPosture", side->by_posture) &&
		  put_text(object, "verdict", verdict_text(side->verdict));

	isolating = ok ? put_array(object, "isolating") : NULL;
	if (!isolating)
		return false;
	for (size_t i = 0; i < side->n_isolating; i++)
		if (!put_netpol(isolating, NULL, side->isolating[i]))
			return false;
	if (side->exemption && !put_text(object, "exemption", side->exemption))
		return false;
	if (side->policy &&
	    (!put_netpol(object, "policy", side->policy) ||
	     (side->clause != CLAUSE_NO_RULES && !put_number(object, "rule", (double)side->rule))))
		return false;
	if (side->clause != CLAUSE_NONE && !put_text(object, "clause", explain_clause_name(side->clause)))
		return false;
	return !side->clause_text || put_text(object, "why", side->clause_text);
}

bool put_explanation(cJSON *object, const struct explanation *explanation)
{
	if (!put_text(object, "verdict", verdict_text(explanation->verdict)))
		return false;
	for (int direction = 0; direction < 2; direction++) {
		cJSON *side = put_object(object, direction_text((enum bh_direction)direction));

		if (!side || !put_side(side, &explanation->side[direction]))
			return false;
	}
	return true;
}

static bool end_take_family(struct explain_end *end, bool v4)
{
	for (size_t i = 0; end->pod && i < end->pod->n_addrs; i++)
		if (addr_is_v4(&end->pod->addrs[i]) == v4) {
			end->addr = end->pod->addrs[i];
			return true;
		}
	return false;
}

void ends_match_family(struct explain_end *from, struct explain_end *to)
{
	if (!from->has_addr || !to->has_addr || addr_is_v4(&from->addr) == addr_is_v4(&to->addr))
		return;
	if (!end_take_family(to, addr_is_v4(&from->addr)))
		end_take_family(from, addr_is_v4(&to->addr));
}
