// SPDX-License-Identifier: Apache-2.0
#include "policy/isolation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void isolation_done(struct isolation *isolation)
{
	free(isolation->v);
	*isolation = (struct isolation){ 0 };
}

bool pod_is_live(const struct pod *pod)
{
	return !pod->host_network && !pod->finished;
}

static bool namespace_is_exempt(const struct posture_config *config, const char *namespace)
{
	for (size_t i = 0; i < config->n_exempt_namespaces; i++) {
		if (strcmp(config->exempt_namespaces[i], namespace) == 0)
			return true;
	}
	return false;
}

enum posture posture_in(const struct posture_config *config, const char *namespace,
			const struct namespace *ns)
{
	enum posture posture = ns && ns->posture != POSTURE_UNSET ? ns->posture : config->posture;

	if (posture == POSTURE_DENY && namespace_is_exempt(config, namespace))
		return POSTURE_STANDARD;
	return posture;
}

bool pod_serves_dns(const struct posture_config *config, const struct pod *pod)
{
	return config->allow_dns && config->dns_namespace && pod_is_live(pod) &&
	       strcmp(pod->namespace, config->dns_namespace) == 0 &&
	       selector_matches(&config->dns_pods, &pod->labels);
}

bool posture_opens_node(const struct posture_config *config, enum posture posture)
{
	return posture != POSTURE_DENY || !config->deny_pod_to_node;
}

bool netpol_selects(const struct netpol *netpol, const struct pod *pod)
{
	if (!pod_is_live(pod) || strcmp(netpol->namespace, pod->namespace) != 0)
		return false;
	return !netpol->pods.has || netpol->pods.invalid || selector_matches(&netpol->pods, &pod->labels);
}

void isolation_init(struct isolation *isolation, enum posture posture)
{
	*isolation = (struct isolation){ .otherwise = BH_AUDIT };
	if (posture != POSTURE_DENY)
		return;
	isolation->isolated = true;
	isolation->by_posture = true;
	isolation->otherwise = BH_DENY;
}

int isolation_add(struct isolation *isolation, const struct posture_config *config, enum posture posture,
		  const struct netpol *netpol, const struct pod *pod, enum bh_direction direction)
{
	bool audit = netpol->audit && !config->forbid_policy_audit;
	const struct netpol **grown;

	if (!netpol->isolates[direction] || !netpol_selects(netpol, pod))
		return 0;
	grown = realloc(isolation->v, (isolation->n + 1) * sizeof(const struct netpol *));
	if (!grown)
		return -ENOMEM;
	isolation->v = grown;
	isolation->v[isolation->n++] = netpol;
	isolation->isolated = true;
	if (!audit && posture != POSTURE_AUDIT)
		isolation->otherwise = BH_DENY;
	return 0;
}

static int netpol_compare(const void *a, const void *b)
{
	return strcmp((*(const struct netpol *const *)a)->name, (*(const struct netpol *const *)b)->name);
}

void isolation_sort(struct isolation *isolation)
{
	if (isolation->n)
		qsort(isolation->v, isolation->n, sizeof(*isolation->v), netpol_compare);
}
