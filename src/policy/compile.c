// SPDX-License-Identifier: Apache-2.0
#include "policy/compile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int compile_init(struct compile *c)
{
	static const struct posture_config standard = { .posture = POSTURE_STANDARD };

	*c = (struct compile){ .posture = &standard, .everybody = { .namespaces = { .has = true } } };
	port_lists_init(&c->lists);
	matchers_init(&c->matchers);
	subjects_init(&c->subjects, &c->matchers, &c->lists);
	profiles_init(&c->profiles, &c->matchers, &c->signatures, &c->addrs);
	c->locals = calloc(BH_ENDPOINTS_MAX, sizeof(struct local *));
	return signatures_init(&c->signatures) < 0 || !c->locals ? -ENOMEM : 0;
}

static struct local *local_free(struct local *local)
{
	if (!local)
		return NULL;
	free(local->endpoint.namespace);
	free(local->endpoint.pod);
	free(local->endpoint.uid);
	free(local);
	return NULL;
}

void compile_done(struct compile *c)
{
	for (size_t i = 0; c->locals && i < BH_ENDPOINTS_MAX; i++)
		local_free(c->locals[i]);
	free(c->locals);
	addrset_done(&c->addrs);
	profiles_done(&c->profiles);
	subjects_done(&c->subjects);
	matchers_done(&c->matchers);
	signatures_done(&c->signatures);
	port_lists_done(&c->lists);
}

static void fail(struct compile *c)
{
	c->stale = true;
}

/* --- endpoints that must be compiled again */

static void local_dirty(struct compile *c, struct local *local)
{
	c->n_dirty += !local->dirty;
	local->dirty = true;
}

static void locals_dirty(struct compile *c, const struct scope *scope)
{
	for (size_t i = 0; i < BH_ENDPOINTS_MAX; i++)
		if (c->locals[i] && (!scope || c->locals[i]->scope == scope))
			local_dirty(c, c->locals[i]);
}

void compile_posture(struct compile *c, const struct posture_config *posture)
{
	c->posture = posture;
	c->dns_peer = (struct peer){ .pods = posture->dns_pods };
	locals_dirty(c, NULL);
}

/* --- pods */

static struct profile *profile_hold(struct compile *c, const struct pod *pod, const struct bh_addr *addrs,
				    size_t n)
{
	struct profile *profile = profile_of(&c->profiles, pod);

	for (size_t i = 0; profile && i < n; i++) {
		if (addr_is_zero(&addrs[i]) || address_hold(&c->addrs, &addrs[i], profile) == 0)
			continue;
		fail(c);
		break;
	}
	if (!profile)
		fail(c);
	return profile;
}

static void profile_release(struct compile *c, struct profile *profile, const struct bh_addr *addrs, size_t n)
{
	for (size_t i = 0; profile && i < n; i++)
		if (!addr_is_zero(&addrs[i]))
			address_release(&c->addrs, &addrs[i], profile);
}

static bool pod_counts(const struct pod *pod)
{
	return pod && pod_is_live(pod) && pod->n_addrs;
}

/* --- namespaces and policies */

static bool same_labels(const struct namespace *a, const struct namespace *b)
{
	return a && b && labels_equal(&a->labels, &b->labels);
}

static enum posture own_posture(const struct namespace *ns)
{
	return ns ? ns->posture : POSTURE_UNSET;
}

void compile_namespace(struct compile *c, const struct namespace *old, const struct namespace *now)
{
	struct scope *scope;

	if (c->stale)
		return;
	scope = scope_get(&c->profiles, now ? now->name : old->name);
	if (!scope)
		return fail(c);
	if (!now && scope->object != old)
		return;
	scope->object = now;
	if (own_posture(old) != own_posture(now))
		locals_dirty(c, scope);
	if (!same_labels(old, now) && scope_relabel(&c->profiles, scope) < 0)
		return fail(c);
	scope_settle(&c->profiles, scope);
}

/* First policy whose name is not below. */
static size_t netpol_place(const struct scope *scope, const char *name)
{
	size_t low = 0, high = scope->n_netpols;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(scope->netpols[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void netpol_remove(struct scope *scope, const struct netpol *netpol)
{
	size_t at = netpol_place(scope, netpol->name);

	while (at < scope->n_netpols && scope->netpols[at] != netpol)
		at++;
	if (at == scope->n_netpols)
		return;
	scope->n_netpols--;
	memmove(&scope->netpols[at], &scope->netpols[at + 1],
		(scope->n_netpols - at) * sizeof(*scope->netpols));
}

static int netpol_insert(struct scope *scope, const struct netpol *netpol)
{
	size_t at = netpol_place(scope, netpol->name);

	if (!array_reserve(&scope->netpols, &scope->cap_netpols, scope->n_netpols, sizeof(*scope->netpols)))
		return -ENOMEM;
	memmove(&scope->netpols[at + 1], &scope->netpols[at],
		(scope->n_netpols - at) * sizeof(*scope->netpols));
	scope->netpols[at] = netpol;
	scope->n_netpols++;
	return 0;
}

static void selected_dirty(struct compile *c, const struct scope *scope, const struct netpol *netpol)
{
	for (size_t i = 0; scope->n_locals && i < BH_ENDPOINTS_MAX; i++) {
		struct local *local = c->locals[i];

		if (local && local->scope == scope && local->pod && netpol_selects(netpol, local->pod))
			local_dirty(c, local);
	}
}

static void netpol_change(struct compile *c, const struct netpol *netpol, bool is_new)
{
	struct scope *scope = scope_get(&c->profiles, netpol->namespace);

	if (!scope)
		return fail(c);
	if (is_new && netpol_insert(scope, netpol) < 0)
		return fail(c);
	if (!is_new)
		netpol_remove(scope, netpol);
	selected_dirty(c, scope, netpol);
	scope_settle(&c->profiles, scope);
}

void compile_netpol(struct compile *c, const struct netpol *old, const struct netpol *now)
{
	if (old && !c->stale)
		netpol_change(c, old, false);
	if (now && !c->stale)
		netpol_change(c, now, true);
}

/* --- endpoints */

static bool text_copy(char **to, const char *from)
{
	*to = strdup(from ? from : "");
	return *to;
}

static struct local *local_new(const struct endpoint *from)
{
	struct local *local = calloc(1, sizeof(*local));

	if (!local)
		return NULL;
	local->endpoint = *from;
	local->endpoint.namespace = local->endpoint.pod = local->endpoint.uid = NULL;
	if (!text_copy(&local->endpoint.namespace, from->namespace) ||
	    !text_copy(&local->endpoint.pod, from->pod) || !text_copy(&local->endpoint.uid, from->uid))
		return local_free(local);
	return local;
}

static void local_drop(struct compile *c, struct local *local)
{
	struct scope *scope = local->scope;

	profile_release(c, local->profile, local->endpoint.addrs, local->endpoint.n_addrs);
	profile_settle(&c->profiles, local->profile);
	for (int direction = 0; direction < 2; direction++)
		subject_unwant(&c->subjects, local->subject[direction]);
	c->n_dirty -= local->dirty;
	c->n_refused -= local->refused;
	c->locals_changed = true;
	local_free(local);
	if (scope) {
		scope->n_locals--;
		scope_settle(&c->profiles, scope);
	}
}

/* Addresses come from the objects, and for local pods from the plugin too, which
 * knows them first. */
static void local_join(struct compile *c, struct local *local, const struct pod *pod)
{
	local->told = pod;
	local->pod = pod && pod_is_live(pod) ? pod : NULL;
	local->scope = scope_get(&c->profiles, local->endpoint.namespace);
	if (local->scope)
		local->scope->n_locals++;
	else
		fail(c);
	if (local->pod && local->endpoint.n_addrs) {
		local->profile = profile_hold(c, pod, local->endpoint.addrs, local->endpoint.n_addrs);
		profile_settle(&c->profiles,
			       local->profile && !local->profile->holds ? local->profile : NULL);
	}
}

void compile_endpoint(struct compile *c, const struct endpoint *endpoint, const struct pod *pod)
{
	struct local *old = c->locals[endpoint->slot], *local;

	if (c->stale)
		return;
	local = local_new(endpoint);
	if (!local)
		return fail(c);
	local_join(c, local, pod);
	/* What it wanted holds until it is compiled. */
	for (int direction = 0; old && direction < 2; direction++) {
		local->subject[direction] = old->subject[direction];
		old->subject[direction] = NULL;
	}
	local->flags = old ? old->flags : 0;
	c->locals[endpoint->slot] = local;
	local_dirty(c, local);
	if (old)
		local_drop(c, old);
	c->locals_changed = true;
}

static void locals_follow(struct compile *c, const struct pod *old, const struct pod *now)
{
	for (size_t i = 0; i < BH_ENDPOINTS_MAX; i++)
		if (c->locals[i] && c->locals[i]->told == old)
			compile_endpoint(c, &c->locals[i]->endpoint, now);
}

/* The new pod's hold comes first: a profile that both share stays. */
void compile_pod(struct compile *c, const struct pod *old, const struct pod *now)
{
	struct profile *before = NULL, *after = NULL;

	if (c->stale)
		return;
	if (old)
		locals_follow(c, old, now);
	if (pod_counts(now))
		after = profile_hold(c, now, now->addrs, now->n_addrs);
	if (pod_counts(old)) {
		before = profile_of(&c->profiles, old);
		if (!before)
			return fail(c);
		profile_release(c, before, old->addrs, old->n_addrs);
	}
	profile_settle(&c->profiles, before);
	if (after != before)
		profile_settle(&c->profiles, after);
}

void compile_endpoint_gone(struct compile *c, uint32_t slot)
{
	struct local *local = c->locals[slot];

	if (c->stale || !local)
		return;
	c->locals[slot] = NULL;
	local_drop(c, local);
}

/* --- what endpoints want */

static int subject_compile(struct compile *c, const struct local *local, enum posture posture,
			   enum bh_direction direction, struct subject **ret, struct err *err)
{
	const struct posture_config *config = c->posture;
	const struct subject_source source = {
		.subjects = &c->subjects,
		.posture = config,
		.dns_namespace = config->allow_dns ? config->dns_namespace : NULL,
		.dns_peer = &c->dns_peer,
		.everybody = &c->everybody,
	};
	struct isolation isolation;
	int r = 0;

	isolation_init(&isolation, posture);
	for (size_t i = 0; r == 0 && i < local->scope->n_netpols; i++)
		r = isolation_add(&isolation, config, posture, local->scope->netpols[i], local->pod,
				  direction);
	if (r < 0)
		err_set(err, ENOMEM, "policies of pod %s/%s", local->pod->namespace, local->pod->name);
	else if (isolation.isolated)
		r = subject_get(&source, &isolation, local->pod, direction, ret, err);
	isolation_done(&isolation);
	return r;
}

static void local_want(struct compile *c, struct local *local, uint32_t flags, struct subject *subject[2])
{
	for (int direction = 0; direction < 2; direction++) {
		struct subject *old = local->subject[direction];

		local->subject[direction] = subject[direction];
		subject_unwant(&c->subjects, old);
	}
	local->flags = flags;
	c->n_dirty -= local->dirty;
	local->dirty = false;
	c->locals_changed = true;
}

static void local_close(struct compile *c, struct local *local)
{
	struct subject *none[2] = { NULL, NULL };

	local_want(c, local, 0, none);
}

static void local_refuse(struct compile *c, struct local *local, const struct err *why)
{
	c->n_refused += !local->refused;
	local->refused = true;
	c->refusal = *why;
	local_close(c, local);
}

/* Pods of one profile have the same policies: they are compiled once. */
static int subject_find(struct compile *c, const struct local *local, enum posture posture, int direction,
			struct subject **ret, struct err *err)
{
	struct profile *profile = local->profile;
	int r = 0;

	if (profile && profile->compiled == c->round)
		*ret = profile->subject[direction];
	else
		r = subject_compile(c, local, posture, (enum bh_direction)direction, ret, err);
	return r;
}

/* Both are wanted by the endpoint, or neither. */
static int subjects_compile(struct compile *c, const struct local *local, enum posture posture,
			    struct subject *subject[2], struct err *err)
{
	int r = 0, direction;

	for (direction = 0; r == 0 && direction < 2; direction++) {
		r = subject_find(c, local, posture, direction, &subject[direction], err);
		if (r == 0 && subject[direction] && subject_want(&c->subjects, subject[direction]) < 0) {
			subject_settle(&c->subjects, subject[direction]);
			subject[direction] = NULL;
			r = err_set(err, ENOMEM, "subjects");
		}
	}
	for (direction = 0; r < 0 && direction < 2; direction++)
		subject_unwant(&c->subjects, subject[direction]);
	if (r == 0 && local->profile) {
		local->profile->compiled = c->round;
		memcpy(local->profile->subject, subject, sizeof(local->profile->subject));
	}
	return r;
}

/* An unknown pod's endpoint stays closed, and so does a finished pod's: nobody is
 * left in there who could be owed a connection. */
static int local_compile(struct compile *c, struct local *local, struct err *err)
{
	struct subject *subject[2] = { NULL, NULL };
	enum posture posture;
	uint32_t flags;
	int r;

	c->n_refused -= local->refused;
	local->refused = false;
	if (!local->pod) {
		local_close(c, local);
		return 0;
	}
	posture = posture_in(c->posture, local->pod->namespace, local->scope->object);
	flags = BH_EP_OPEN | (posture_opens_node(c->posture, posture) ? BH_EP_TO_NODE : 0);
	r = subjects_compile(c, local, posture, subject, err);
	if (r == -ENOSPC)
		local_refuse(c, local, err);
	else if (r == 0)
		local_want(c, local, flags, subject);
	return r == -ENOSPC ? 0 : r;
}

int compile_settle(struct compile *c, struct err *err)
{
	bool blocks = false;

	c->round++;
	for (size_t i = 0; c->n_dirty && i < BH_ENDPOINTS_MAX; i++) {
		int r = c->locals[i] && c->locals[i]->dirty ? local_compile(c, c->locals[i], err) : 0;

		if (r < 0)
			return r;
	}
	if (profiles_ask_touched(&c->profiles, &blocks) < 0) {
		fail(c);
		return err_set(err, ENOMEM, "asking the pods");
	}
	c->blocks_changed = c->blocks_changed || blocks;
	return 0;
}

static bool is_fresh(const struct subject *subject)
{
	return subject && !subject->live;
}

size_t compile_refuse(struct compile *c, const struct err *why)
{
	size_t n = 0;

	for (size_t i = 0; i < BH_ENDPOINTS_MAX; i++) {
		struct local *local = c->locals[i];

		if (!local || (!is_fresh(local->subject[BH_EGRESS]) && !is_fresh(local->subject[BH_INGRESS])))
			continue;
		local_refuse(c, local, why);
		n++;
	}
	return n;
}

void compile_retry(struct compile *c)
{
	for (size_t i = 0; c->n_refused && i < BH_ENDPOINTS_MAX; i++)
		if (c->locals[i] && c->locals[i]->refused)
			local_dirty(c, c->locals[i]);
}
