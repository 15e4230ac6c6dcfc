// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "report/report.h"
#include "report/report_part.h"

static bool selects_put(cJSON *policy, const struct world *world, const struct netpol *netpol)
{
	cJSON *selects = put_array(policy, "selects");

	for (size_t i = 0; selects && i < world->n_pods; i++) {
		auto_free char *name = NULL;

		if (!netpol_selects(netpol, world->pods[i]))
			continue;
		name = pod_text(world->pods[i]);
		if (!push_text(selects, name))
			return false;
	}
	return selects;
}

static bool directions_put(cJSON *policy, const struct netpol *netpol)
{
	cJSON *isolates = put_array(policy, "isolates"), *rules = put_object(policy, "rules");

	for (int d = 0; isolates && rules && d < 2; d++) {
		const char *word = direction_text((enum bh_direction)d);

		if (netpol->isolates[d] &&
		    (!push_text(isolates, word) || !put_number(rules, word, (double)netpol->n_rules[d])))
			return false;
	}
	return isolates && rules;
}

static bool problems_put(cJSON *policy, const struct netpol *netpol)
{
	cJSON *problems = put_array(policy, "problems");

	for (size_t i = 0; problems && i < netpol->n_problems; i++)
		if (!push_text(problems, netpol->problems[i]))
			return false;
	return problems;
}

int report_policies(const struct world *world, cJSON **ret, struct err *err)
{
	auto_json cJSON *answer = cJSON_CreateObject();
	cJSON *list = answer ? put_array(answer, "policies") : NULL;

	for (size_t i = 0; list && i < world->n_netpols; i++) {
		const struct netpol *netpol = world->netpols[i];
		cJSON *policy = put_object(list, NULL);

		if (!policy || !put_text(policy, "namespace", netpol->namespace) ||
		    !put_text(policy, "name", netpol->name) || !directions_put(policy, netpol) ||
		    !selects_put(policy, world, netpol) || !put_bool(policy, "audit", netpol->audit) ||
		    !problems_put(policy, netpol))
			list = NULL;
	}
	if (!list)
		return err_set(err, ENOMEM, "the policies");
	*ret = TAKE(answer);
	return 0;
}
