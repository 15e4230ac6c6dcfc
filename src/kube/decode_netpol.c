// SPDX-License-Identifier: Apache-2.0
/*
 * NetworkPolicy. Absent and empty mean different things (R2 to R4, R7, R8):
 *   spec.ingress absent, null or []   nothing may come in
 *   a rule {} or from/ports [] or null anyone, on every port
 *   from: [{}]                        a peer without a field: matches nothing
 *   podSelector absent                by the namespace alone (or the block)
 *   podSelector {}                    every pod
 *   ports: [{}]                       all TCP (R12)
 * A null in a list is not an empty object: the API server would read it as one,
 * and `ingress: [null]` would allow everything. Here it is invalid.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "kube/decode.h"
#include "kube/decode_part.h"

#define ANNOTATION_AUDIT "bulkhead.dev/audit"

DEFINE_AUTO(struct netpol, netpol_free)
#define auto_netpol cleanup(netpol_free_auto)

static const char *const rules_key[2] = { [BH_EGRESS] = "egress", [BH_INGRESS] = "ingress" };
static const char *const peers_key[2] = { [BH_EGRESS] = "to", [BH_INGRESS] = "from" };

static int problem_add(struct netpol *netpol, const char *text, struct err *err)
{
	char **more;

	if (netpol->n_problems > DECODE_PROBLEMS_MAX)
		return 0;
	if (netpol->n_problems == DECODE_PROBLEMS_MAX)
		text = "more problems are not listed";
	more = reallocarray(netpol->problems, netpol->n_problems + 1, sizeof(*more));
	if (!more)
		return err_set(err, ENOMEM, "problems");
	netpol->problems = more;
	more[netpol->n_problems] = strdup(text);
	if (!more[netpol->n_problems])
		return err_set(err, ENOMEM, "problems");
	netpol->n_problems++;
	return 0;
}

/* Turns a part's -EINVAL into a problem of the policy and sets *ret_invalid. */
static int part_settle(struct netpol *netpol, int r, bool *ret_invalid, struct err *err)
{
	if (r != -EINVAL)
		return r;
	*ret_invalid = true;
	return problem_add(netpol, err->msg, err);
}

/* --- peers --- */

static int except_decode(const cJSON *item, const struct prefix *block, const struct path *path,
			 struct prefix *ret, struct err *err)
{
	if (!cJSON_IsString(item))
		return err_set(err, EINVAL, "%s: not a CIDR", path->text);
	if (prefix_parse(item->valuestring, ret) < 0)
		return err_set(err, EINVAL, "%s: not a CIDR: \"%s\"", path->text, item->valuestring);
	if (!prefix_covers(block, ret) || ret->len == block->len)
		return err_set(err, EINVAL, "%s: %s is not a part of cidr", path->text, item->valuestring);
	return 0;
}

static int block_decode(const cJSON *object, const struct path *path, struct peer *ret, struct err *err)
{
	static const char *const known[] = { "cidr", "except", NULL };
	struct path list = path_field(path, "except");
	const cJSON *cidr = json_get(object, "cidr"), *excepts, *item;
	size_t n;
	int r = part_fields(object, path, known, err);

	if (r < 0)
		return r;
	if (!cJSON_IsString(cidr))
		return err_set(err, EINVAL, "%s.cidr: %s", path->text, cidr ? "not a CIDR" : "missing");
	if (prefix_parse(cidr->valuestring, &ret->block) < 0)
		return err_set(err, EINVAL, "%s.cidr: not a CIDR: \"%s\"", path->text, cidr->valuestring);
	ret->has_block = true;
	r = part_array(object, "except", path, DECODE_EXCEPTS_MAX, &excepts, &n, err);
	if (r < 0 || n == 0)
		return r;
	ret->excepts = calloc(n, sizeof(*ret->excepts));
	if (!ret->excepts)
		return err_set(err, ENOMEM, "%s", list.text);
	cJSON_ArrayForEach (item, excepts) {
		struct path at = path_item(&list, ret->n_excepts);

		/* An except that is lost would open what it was to close: the whole peer goes. */
		r = except_decode(item, &ret->block, &at, &ret->excepts[ret->n_excepts++], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int peer_decode(const cJSON *object, const struct path *path, struct peer *ret, struct err *err)
{
	static const char *const known[] = { "podSelector", "namespaceSelector", "ipBlock", NULL };
	struct path pods = path_field(path, "podSelector");
	struct path namespaces = path_field(path, "namespaceSelector");
	struct path block = path_field(path, "ipBlock");
	int r = part_fields(object, path, known, err);

	if (r == 0)
		r = decode_selector(json_get(object, "podSelector"), pods.text, &ret->pods, err);
	if (r == 0)
		r = decode_selector(json_get(object, "namespaceSelector"), namespaces.text, &ret->namespaces,
				    err);
	if (r == 0 && json_get(object, "ipBlock"))
		r = block_decode(json_get(object, "ipBlock"), &block, ret, err);
	if (r < 0)
		return r;
	if (ret->has_block && (ret->pods.has || ret->namespaces.has))
		return err_set(err, EINVAL, "%s: ipBlock and selectors exclude each other", path->text);
	if (!ret->has_block && !ret->pods.has && !ret->namespaces.has)
		return err_set(err, EINVAL, "%s: names no peer, so it matches nothing", path->text);
	return 0;
}

/* --- ports --- */

static int port_number(const cJSON *value, const struct path *path, uint16_t *ret, struct err *err)
{
	double number = cJSON_IsNumber(value) ? value->valuedouble : 0;

	if (!(number >= 1 && number <= 65535) || number != (double)(uint16_t)number)
		return err_set(err, EINVAL, "%s: must be a whole number from 1 to 65535", path->text);
	*ret = (uint16_t)number;
	return 0;
}

/* R14: a string is always a name, so "80" is not the port 80 but no name at all. */
static int port_value_decode(const cJSON *value, const struct path *path, struct port_match *ret,
			     struct err *err)
{
	int r;

	ret->has_port = true;
	if (!cJSON_IsString(value)) {
		r = port_number(value, path, &ret->first, err);
		ret->last = ret->first;
		return r;
	}
	if (!port_name_is_valid(value->valuestring))
		return err_set(err, EINVAL, "%s: \"%s\" is not a port name (numbers go without quotes)",
			       path->text, value->valuestring);
	ret->name = strdup(value->valuestring);
	return ret->name ? 0 : err_set(err, ENOMEM, "%s", path->text);
}

static int port_decode(const cJSON *object, const struct path *path, struct port_match *ret, struct err *err)
{
	static const char *const known[] = { "protocol", "port", "endPort", NULL };
	struct path port = path_field(path, "port"), end_path = path_field(path, "endPort");
	const cJSON *end = json_get(object, "endPort");
	int r = part_fields(object, path, known, err);

	if (r == 0)
		r = part_protocol(object, path, &ret->proto, err);
	if (r == 0 && json_get(object, "port"))
		r = port_value_decode(json_get(object, "port"), &port, ret, err);
	if (r < 0 || !end)
		return r;
	if (!ret->has_port || ret->name)
		return err_set(err, EINVAL, "%s: needs a numeric port", end_path.text);
	r = port_number(end, &end_path, &ret->last, err);
	if (r == 0 && ret->last < ret->first)
		r = err_set(err, EINVAL, "%s: %u is less than port %u", end_path.text, ret->last, ret->first);
	return r;
}

/* --- rules --- */

static int peers_decode(struct netpol *netpol, const cJSON *object, const char *key, const struct path *path,
			struct rule *ret, struct err *err)
{
	struct path list = path_field(path, key);
	const cJSON *array, *item;
	size_t n;
	int r = part_array(object, key, path, DECODE_PEERS_MAX, &array, &n, err);

	if (r < 0 || n == 0)
		return r;
	ret->has_peers = true;
	ret->peers = calloc(n, sizeof(*ret->peers));
	if (!ret->peers)
		return err_set(err, ENOMEM, "%s", list.text);
	cJSON_ArrayForEach (item, array) {
		struct path at = path_item(&list, ret->n_peers);
		struct peer *peer = &ret->peers[ret->n_peers++];

		r = part_settle(netpol, peer_decode(item, &at, peer, err), &peer->invalid, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int ports_decode(struct netpol *netpol, const cJSON *object, const struct path *path, struct rule *ret,
			struct err *err)
{
	struct path list = path_field(path, "ports");
	const cJSON *array, *item;
	size_t n;
	int r = part_array(object, "ports", path, DECODE_PORTS_MAX, &array, &n, err);

	if (r < 0 || n == 0)
		return r;
	ret->has_ports = true;
	ret->ports = calloc(n, sizeof(*ret->ports));
	if (!ret->ports)
		return err_set(err, ENOMEM, "%s", list.text);
	cJSON_ArrayForEach (item, array) {
		struct path at = path_item(&list, ret->n_ports);
		struct port_match *port = &ret->ports[ret->n_ports++];

		r = part_settle(netpol, port_decode(item, &at, port, err), &port->invalid, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int rule_decode(struct netpol *netpol, const cJSON *object, enum bh_direction direction,
		       const struct path *path, struct rule *ret, struct err *err)
{
	const char *const known[] = { peers_key[direction], "ports", NULL };
	int r = part_fields(object, path, known, err);

	if (r == 0)
		r = peers_decode(netpol, object, peers_key[direction], path, ret, err);
	if (r == 0)
		r = ports_decode(netpol, object, path, ret, err);
	return part_settle(netpol, r, &ret->invalid, err);
}

static int rules_decode(struct netpol *netpol, const cJSON *spec, enum bh_direction direction,
			struct err *err)
{
	struct path root = path_root("spec"), list = path_field(&root, rules_key[direction]);
	const cJSON *array, *item;
	size_t n;
	bool invalid = false; /* then there are no rules: nothing is allowed */
	int r = part_array(spec, rules_key[direction], &root, DECODE_RULES_MAX, &array, &n, err);

	r = part_settle(netpol, r, &invalid, err);
	if (r < 0 || invalid || n == 0)
		return r;
	netpol->rules[direction] = calloc(n, sizeof(*netpol->rules[direction]));
	if (!netpol->rules[direction])
		return err_set(err, ENOMEM, "%s", list.text);
	cJSON_ArrayForEach (item, array) {
		struct path at = path_item(&list, netpol->n_rules[direction]);
		struct rule *rule = &netpol->rules[direction][netpol->n_rules[direction]++];

		r = rule_decode(netpol, item, direction, &at, rule, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- spec --- */

/* R3: ingress always, egress when there is a section. A section that is there
 * but no list was meant to say something, so it isolates. */
static void types_default(struct netpol *netpol, const cJSON *spec)
{
	const cJSON *egress = json_get(spec, "egress");

	netpol->isolates[BH_INGRESS] = true;
	netpol->isolates[BH_EGRESS] = egress && (!cJSON_IsArray(egress) || cJSON_GetArraySize(egress) > 0);
}

static int types_decode(struct netpol *netpol, const cJSON *spec, struct err *err)
{
	struct path root = path_root("spec"), list = path_field(&root, "policyTypes");
	const cJSON *types, *type;
	size_t n, i = 0;
	int r = part_array(spec, "policyTypes", &root, DECODE_RULES_MAX, &types, &n, err);

	if (r == 0 && n == 0)
		types_default(netpol, spec);
	cJSON_ArrayForEach (type, types) {
		struct path at = path_item(&list, i++);

		if (cJSON_IsString(type) && strcmp(type->valuestring, "Ingress") == 0)
			netpol->isolates[BH_INGRESS] = true;
		else if (cJSON_IsString(type) && strcmp(type->valuestring, "Egress") == 0)
			netpol->isolates[BH_EGRESS] = true;
		else
			r = err_set(err, EINVAL,
				    "%s: must be Ingress or Egress; both directions are isolated", at.text);
	}
	if (r == -EINVAL)
		netpol->isolates[BH_INGRESS] = netpol->isolates[BH_EGRESS] = true;
	return r;
}

/* A field of the spec that is not known may be a section that was misspelt. */
static int spec_check_fields(struct netpol *netpol, const cJSON *spec, struct err *err)
{
	static const char *const known[] = { "podSelector", "policyTypes", "ingress", "egress", NULL };
	struct path root = path_root("spec");
	bool unknown = false;
	int r = part_settle(netpol, part_fields(spec, &root, known, err), &unknown, err);

	if (unknown && !json_get(spec, "policyTypes"))
		netpol->isolates[BH_INGRESS] = netpol->isolates[BH_EGRESS] = true;
	return r;
}

static void rules_invalidate(struct netpol *netpol)
{
	for (int d = 0; d < 2; d++)
		for (size_t i = 0; i < netpol->n_rules[d]; i++)
			netpol->rules[d][i].invalid = true;
}

/* Whom a broken podSelector meant is unknown. Isolating nobody would open those
 * pods without a word, so the policy isolates its whole namespace and allows
 * nothing: loud, and repaired by fixing or deleting the policy. */
static int subject_decode(struct netpol *netpol, const cJSON *spec, struct err *err)
{
	char text[ERR_MSG_MAX];
	int r = decode_selector(json_get(spec, "podSelector"), "spec.podSelector", &netpol->pods, err);

	if (r == -EINVAL) {
		snprintf(text, sizeof(text), "%.400s; every pod of the namespace is isolated", err->msg);
		r = problem_add(netpol, text, err);
		rules_invalidate(netpol);
	}
	netpol->pods.has = true; /* R2: a missing one selects all, as an empty one does */
	netpol->pods.invalid = false;
	return r;
}

static int spec_decode(struct netpol *netpol, const cJSON *spec, struct err *err)
{
	bool invalid = false;
	int r;

	if (spec && !cJSON_IsObject(spec)) {
		netpol->pods.has = true;
		netpol->isolates[BH_INGRESS] = netpol->isolates[BH_EGRESS] = true;
		return problem_add(netpol, "spec: must be an object; every pod of the namespace is isolated",
				   err);
	}
	r = part_settle(netpol, types_decode(netpol, spec, err), &invalid, err);
	if (r == 0 && spec)
		r = spec_check_fields(netpol, spec, err);
	if (r == 0)
		r = rules_decode(netpol, spec, BH_INGRESS, err);
	if (r == 0)
		r = rules_decode(netpol, spec, BH_EGRESS, err);
	if (r == 0)
		r = subject_decode(netpol, spec, err);
	return r;
}

static int audit_decode(struct netpol *netpol, const cJSON *object, struct err *err)
{
	const cJSON *audit = part_annotation(object, ANNOTATION_AUDIT);

	netpol->audit = cJSON_IsString(audit) && strcmp(audit->valuestring, "true") == 0;
	if (!audit || netpol->audit || (cJSON_IsString(audit) && strcmp(audit->valuestring, "false") == 0))
		return 0;
	return problem_add(netpol,
			   "metadata.annotations." ANNOTATION_AUDIT
			   ": must be \"true\" or \"false\"; the policy is enforced",
			   err);
}

int decode_netpol(const cJSON *object, const char *default_namespace, struct netpol **ret, struct err *err)
{
	auto_netpol struct netpol *netpol = calloc(1, sizeof(*netpol));
	struct err local; /* problems are read from err, so there must be one */
	bool invalid = false;
	int r;

	if (!err)
		err = &local;
	if (!netpol)
		return err_set(err, ENOMEM, "NetworkPolicy");
	r = part_names(object, default_namespace, &netpol->namespace, &netpol->name, err);
	if (r < 0)
		return r;
	r = part_settle(netpol, part_text(json_get(object, "metadata"), "uid", "metadata", &netpol->uid, err),
			&invalid, err);
	if (r == 0 && !netpol->uid && !(netpol->uid = strdup("")))
		r = err_set(err, ENOMEM, "metadata.uid");
	if (r == 0 && !object_name_is_valid(netpol->name))
		r = problem_add(netpol, "metadata.name: not a DNS subdomain; the API server would refuse it",
				err);
	if (r == 0)
		r = audit_decode(netpol, object, err);
	if (r == 0)
		r = spec_decode(netpol, json_get(object, "spec"), err);
	if (r < 0)
		return r;
	*ret = TAKE(netpol);
	return 0;
}
