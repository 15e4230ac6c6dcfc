// SPDX-License-Identifier: Apache-2.0
/*
 * Only policies that select a local endpoint's pod are compiled; every live pod
 * of the cluster is a peer. A pod is live when it is neither on the host's
 * network (R10) nor finished (R22).
 */
#include "policy/compile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/worldindex.h"

/* Pods of one namespace, with equal labels and equal ports, answer alike. */
struct profile {
	struct pool_entry entry;
	uint32_t signature;
};

struct compiler {
	const struct compile_pools *pools;
	const struct world *world;
	struct worldindex index;
	struct subject_source source;
	struct pool profiles;
	struct compiled *out;
	struct peer dns_peer;
	struct peer everybody;
};

void compiled_done(struct compiled *compiled)
{
	free(compiled->endpoints);
	free(compiled->claims);
	pool_done(&compiled->signatures);
}

static int endpoint_order(const void *a, const void *b)
{
	const struct wanted_endpoint *x = a, *y = b;

	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	return (x->ifindex > y->ifindex) - (x->ifindex < y->ifindex);
}

static int endpoint_subject_get(struct compiler *c, struct wanted_endpoint *wanted, enum posture posture,
				enum bh_direction direction, struct err *err)
{
	const struct netpol *const *policy;
	struct isolation isolation;
	size_t n = worldindex_netpols(&c->index, wanted->pod->namespace, &policy);
	int r = 0;

	isolation_init(&isolation, posture);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = isolation_add(&isolation, &c->world->posture, posture, policy[i], wanted->pod, direction);
	if (r < 0)
		err_set(err, ENOMEM, "policies of pod %s/%s", wanted->pod->namespace, wanted->pod->name);
	else if (isolation.isolated)
		r = subject_get(&c->source, &isolation, wanted->pod, direction, &wanted->subject[direction],
				err);
	isolation_done(&isolation);
	return r;
}

/* An unknown pod's endpoint stays closed, and so does a finished pod's: nobody is
 * left in there who could be owed a connection. */
static int endpoint_compile(struct compiler *c, struct wanted_endpoint *wanted, struct err *err)
{
	const struct endpoint *source = wanted->source;
	enum posture posture;
	int r;

	wanted->pod = worldindex_pod(&c->index, source->namespace ? source->namespace : "",
				     source->pod ? source->pod : "", source->uid);
	if (!wanted->pod || !pod_is_live(wanted->pod)) {
		wanted->pod = NULL;
		return 0;
	}
	posture = posture_in(&c->world->posture, wanted->pod->namespace,
			     worldindex_namespace(&c->index, wanted->pod->namespace));
	wanted->flags = BH_EP_OPEN | (posture_opens_node(&c->world->posture, posture) ? BH_EP_TO_NODE : 0);
	r = endpoint_subject_get(c, wanted, posture, BH_EGRESS, err);
	return r < 0 ? r : endpoint_subject_get(c, wanted, posture, BH_INGRESS, err);
}

static int endpoints_sort(struct compiler *c, const struct endpoint *endpoints, size_t n, struct err *err)
{
	struct wanted_endpoint *wanted = calloc(n ? n : 1, sizeof(*wanted));

	if (!wanted)
		return err_set(err, ENOMEM, "endpoints");
	c->out->endpoints = wanted;
	c->out->n_endpoints = n;
	for (size_t i = 0; i < n; i++)
		wanted[i] = (struct wanted_endpoint){ .slot = endpoints[i].slot,
						      .ifindex = endpoints[i].ifindex,
						      .source = &endpoints[i] };
	qsort(wanted, n, sizeof(*wanted), endpoint_order);
	for (size_t i = 0; i < n; i++) {
		if (wanted[i].slot >= BH_ENDPOINTS_MAX || (i && wanted[i].slot == wanted[i - 1].slot))
			return err_set(err, EINVAL, "endpoint slot %u of interface %u: %s", wanted[i].slot,
				       wanted[i].ifindex,
				       wanted[i].slot >= BH_ENDPOINTS_MAX ? "out of range" : "given twice");
	}
	return 0;
}

static int endpoints_compile(struct compiler *c, const struct endpoint *endpoints, size_t n, struct err *err)
{
	int r = endpoints_sort(c, endpoints, n, err);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = endpoint_compile(c, &c->out->endpoints[i], err);
	return r;
}

static void key_add_string(struct text *key, const char *string)
{
	text_add(key, string, strlen(string) + 1);
}

static void profile_key(const struct pod *pod, struct text *key)
{
	key_add_string(key, pod->namespace);
	text_add(key, (const char *)&pod->labels.n, sizeof(pod->labels.n));
	for (size_t i = 0; i < pod->labels.n; i++) {
		key_add_string(key, pod->labels.v[i].key);
		key_add_string(key, pod->labels.v[i].value);
	}
	for (size_t i = 0; i < pod->n_ports; i++) {
		key_add_string(key, pod->ports[i].name);
		text_add(key, (const char *)&pod->ports[i].proto, sizeof(pod->ports[i].proto));
		text_add(key, (const char *)&pod->ports[i].number, sizeof(pod->ports[i].number));
	}
}

/* R9: a namespace without an object has only its name as a label. */
static struct labels namespace_labels(const struct compiler *c, const char *name, struct label *by_name)
{
	static char key[] = "kubernetes.io/metadata.name";
	const struct namespace *ns = worldindex_namespace(&c->index, name);

	*by_name = (struct label){ .key = key, .value = (char *)name };
	return ns ? ns->labels : (struct labels){ .v = by_name, .n = 1 };
}

/* R14: the first container port of that name and protocol. */
static bool named_port_answer(const struct matcher *matcher, const struct pod *pod, answer_t *ret_answer)
{
	for (size_t i = 0; i < pod->n_ports; i++) {
		const struct named_port *port = &pod->ports[i];

		if (port->proto == matcher->proto && strcmp(port->name, matcher->port_name) == 0) {
			*ret_answer = ANSWER(matcher->entry.id, port->proto, port->number);
			return true;
		}
	}
	return false;
}

static int answer_order(const void *a, const void *b)
{
	const answer_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static size_t pod_answers(const struct compiler *c, const struct pod *pod, answer_t *answers)
{
	const struct pool *matchers = c->pools->matchers;
	struct label by_name;
	const struct labels labels = namespace_labels(c, pod->namespace, &by_name);
	size_t n = 0;

	for (size_t i = 0; i < matchers->n; i++) {
		const struct matcher *matcher = (const struct matcher *)matchers->v[i];

		if (matcher->asked != c->pools->update)
			continue;
		if (matcher->kind == MATCHER_NAMED && named_port_answer(matcher, pod, &answers[n]))
			n++;
		else if (matcher->kind == MATCHER_PODS &&
			 matcher_selects(matcher, pod->namespace, &labels, &pod->labels))
			answers[n++] = ANSWER(matcher->entry.id, 0, 0);
	}
	if (n)
		qsort(answers, n, sizeof(*answers), answer_order);
	return n;
}

/* The signature of a pod as its selectors see it; 0: out of memory. */
static uint32_t pod_sign(struct compiler *c, const struct pod *pod)
{
	auto_text struct text key = { 0 };
	struct profile *profile;
	struct pool_entry *signature = NULL;
	answer_t *answers;
	bool is_new;

	profile_key(pod, &key);
	if (key.failed)
		return 0;
	profile = (struct profile *)pool_get(&c->profiles, key.data, key.len, &is_new);
	if (!profile || !is_new)
		return profile ? profile->signature : 0;
	answers = calloc(c->pools->matchers->n + 1, sizeof(*answers));
	if (answers)
		signature = pool_get(&c->out->signatures, answers,
				     pod_answers(c, pod, answers) * sizeof(*answers), NULL);
	free(answers);
	profile->signature = signature ? signature->id : 0;
	return profile->signature;
}

static int claims_add(struct compiler *c, const struct pod *pod, const struct bh_addr *addrs, size_t n)
{
	struct compiled *out = c->out;
	uint32_t signature = n ? pod_sign(c, pod) : 0;

	if (n && !signature)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (addr_is_zero(&addrs[i]))
			continue;
		if (!array_reserve(&out->claims, &out->cap_claims, out->n_claims, sizeof(*out->claims)))
			return -ENOMEM;
		out->claims[out->n_claims++] = (struct claim){ addrs[i], signature };
	}
	return 0;
}

static int claim_order(const void *a, const void *b)
{
	return addr_compare(&((const struct claim *)a)->addr, &((const struct claim *)b)->addr);
}

/* Two sorted arrays of answers, merged: all of them, or those in both. */
static uint32_t signature_combine(struct pool *signatures, uint32_t a, uint32_t b, bool all)
{
	const struct pool_entry *x = signatures->v[a - 1], *y = signatures->v[b - 1], *entry;
	const answer_t *u = x->key, *v = y->key;
	size_t n_u = x->len / sizeof(*u), n_v = y->len / sizeof(*v), i = 0, k = 0, n = 0;
	answer_t *out = calloc(n_u + n_v + 1, sizeof(*out));

	if (!out)
		return 0;
	while (i < n_u || k < n_v) {
		bool both = i < n_u && k < n_v && u[i] == v[k];
		bool first = i < n_u && (k == n_v || u[i] <= v[k]);

		if (all || both)
			out[n++] = first ? u[i] : v[k];
		i += first;
		k += !first || both;
	}
	entry = pool_get(signatures, out, n * sizeof(*out), NULL);
	free(out);
	return entry ? entry->id : 0;
}

uint32_t signature_join(struct pool *signatures, uint32_t a, uint32_t b)
{
	return signature_combine(signatures, a, b, true);
}

/* Two live pods that claim one address are one too many, and nobody here can
 * say whose packets they are: what only one of them may is nobody's. Answers
 * only ever allow, so fewer of them is the closed side. */
static int claims_settle(struct compiled *out)
{
	size_t n = 0;

	if (out->n_claims == 0)
		return 0;
	qsort(out->claims, out->n_claims, sizeof(*out->claims), claim_order);
	for (size_t i = 1; i < out->n_claims; i++) {
		struct claim *last = &out->claims[n];
		const struct claim *next = &out->claims[i];

		if (!addr_equal(&last->addr, &next->addr)) {
			out->claims[++n] = *next;
		} else if (last->signature != next->signature) {
			last->signature =
				signature_combine(&out->signatures, last->signature, next->signature, false);
			if (!last->signature)
				return -ENOMEM;
		}
	}
	out->n_claims = n + 1;
	return 0;
}

/* Addresses come from the objects, and for local pods from the plugin too, which
 * knows them first. */
static int claims_collect(struct compiler *c)
{
	for (size_t i = 0; i < c->index.n_pods; i++) {
		const struct pod *pod = c->index.pods[i];

		if (pod_is_live(pod) && claims_add(c, pod, pod->addrs, pod->n_addrs) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < c->out->n_endpoints; i++) {
		const struct wanted_endpoint *wanted = &c->out->endpoints[i];

		if (wanted->pod &&
		    claims_add(c, wanted->pod, wanted->source->addrs, wanted->source->n_addrs) < 0)
			return -ENOMEM;
	}
	return claims_settle(c->out);
}

static void compiler_init(struct compiler *c, const struct compile_pools *pools, const struct world *world,
			  struct compiled *out)
{
	const struct posture_config *posture = &world->posture;

	*c = (struct compiler){ .pools = pools, .world = world, .out = out };
	pool_init(&c->profiles, sizeof(struct profile), NULL);
	c->everybody = (struct peer){ .namespaces = { .has = true } };
	c->source = (struct subject_source){
		.subjects = pools->subjects,
		.matchers = pools->matchers,
		.lists = pools->lists,
		.update = pools->update,
		.posture = posture,
		.everybody = &c->everybody,
		.dns_namespace = posture->allow_dns ? posture->dns_namespace : NULL,
	};
	c->dns_peer = (struct peer){ .pods = posture->dns_pods };
	c->source.dns_peer = &c->dns_peer;
}

int compile(const struct compile_pools *pools, const struct world *world, const struct endpoint *endpoints,
	    size_t n_endpoints, struct compiled *ret_compiled, struct err *err)
{
	struct compiler c;
	int r;

	*ret_compiled = (struct compiled){ 0 };
	pool_init(&ret_compiled->signatures, sizeof(struct pool_entry), NULL);
	compiler_init(&c, pools, world, ret_compiled);
	r = worldindex_init(&c.index, world);
	if (r == 0 && !pool_get(&ret_compiled->signatures, NULL, 0, NULL))
		r = -ENOMEM;
	if (r < 0)
		err_set(err, ENOMEM, "compiling policies");
	else
		r = endpoints_compile(&c, endpoints, n_endpoints, err);
	if (r == 0 && claims_collect(&c) < 0)
		r = err_set(err, ENOMEM, "classes of pod addresses");
	worldindex_done(&c.index);
	pool_done(&c.profiles);
	return r;
}
