// SPDX-License-Identifier: Apache-2.0
#include "kube/scan_pod.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/json_scan.h"
#include "kube/decode_part.h"

/* More than pods have; one that has more is read the long way. */
#define LABELS_MAX 64
#define PORTS_MAX  64

/* The labels of the pod before, as its text had them: pods of a workload follow each
 * other in a list and have the same. One for the process, which has one thread. */
static struct {
	char text[512];
	size_t len; /* 0: none */
	struct labels labels;
} before;

struct port_words {
	struct json_word name;
	uint8_t proto;
	uint16_t number;
};

struct ports_words {
	struct port_words v[PORTS_MAX];
	size_t n;
};

struct label_words {
	struct json_word key, value;
};

enum once {
	METADATA = 1,
	SPEC = 2,
	STATUS = 4,
	LABELS = 8,
	CONTAINERS = 16,
	INITS = 32,
	IPS = 64,
	HOST = 128
};

/* A pod as it stands in the text; every word points into it. */
struct pod_words {
	unsigned int seen; /* enum once: a key that stands twice is not ours to judge */
	struct json_word kind, api_version, namespace, name, uid, version, node, phase, addr, labels_text;
	size_t n_labels, n_addrs;
	bool host_network, labels_are_before;
	/* Large, and not zeroed: their lengths say what counts. */
	struct ports_words ports, sidecar_ports;
	struct label_words labels[LABELS_MAX];
	struct bh_addr addrs[DECODE_ADDRS_MAX];
};

static bool unsure(struct json_scan *scan)
{
	scan->failed = true;
	return false;
}

static bool once(struct json_scan *scan, struct pod_words *pod, enum once what)
{
	if (pod->seen & what)
		return unsure(scan);
	pod->seen |= what;
	return true;
}

static bool word_once(struct json_scan *scan, struct json_word *word)
{
	return word->text ? unsure(scan) : json_scan_word(scan, word);
}

/* --- labels --- */

/* API servers sort them, which also tells that none stands twice. */
static bool is_after(const struct json_word *word, const struct json_word *other)
{
	size_t shorter = word->len < other->len ? word->len : other->len;
	int order = memcmp(word->text, other->text, shorter);

	return order > 0 || (order == 0 && word->len > other->len);
}

static void labels_scan(struct json_scan *scan, struct pod_words *pod)
{
	const char *start = scan->at;
	struct json_word key;
	bool first = true;

	if (!once(scan, pod, LABELS))
		return;
	pod->labels_are_before = json_scan_same(scan, before.text, before.len);
	if (pod->labels_are_before || !json_scan_object(scan))
		return;
	while (json_scan_member(scan, &first, &key)) {
		struct label_words *label = &pod->labels[pod->n_labels];

		if (pod->n_labels == LABELS_MAX || !json_scan_word(scan, &label->value) ||
		    !label_key_bytes_are_valid(key.text, key.len) ||
		    !label_value_bytes_are_valid(label->value.text, label->value.len) ||
		    (pod->n_labels && !is_after(&key, &label[-1].key)))
			return (void)unsure(scan);
		label->key = key;
		pod->n_labels++;
	}
	pod->labels_text = (struct json_word){ start, (size_t)(scan->at - start) };
}

static void metadata_scan(struct json_scan *scan, struct pod_words *pod)
{
	struct json_word key;
	bool first = true;

	if (!once(scan, pod, METADATA) || !json_scan_object(scan))
		return;
	while (json_scan_member(scan, &first, &key)) {
		if (json_word_is(&key, "name"))
			word_once(scan, &pod->name);
		else if (json_word_is(&key, "namespace"))
			word_once(scan, &pod->namespace);
		else if (json_word_is(&key, "uid"))
			word_once(scan, &pod->uid);
		else if (json_word_is(&key, "resourceVersion"))
			word_once(scan, &pod->version);
		else if (json_word_is(&key, "labels"))
			labels_scan(scan, pod);
		else
			json_scan_skip(scan);
	}
}

/* --- ports (R14) --- */

static bool protocol_of(const struct json_word *word, uint8_t *ret)
{
	if (!word->text || json_word_is(word, "TCP"))
		*ret = IPPROTO_TCP;
	else if (json_word_is(word, "UDP"))
		*ret = IPPROTO_UDP;
	else if (json_word_is(word, "SCTP"))
		*ret = IPPROTO_SCTP;
	else
		return false;
	return true;
}

static void port_scan(struct json_scan *scan, struct ports_words *ports)
{
	struct json_word key, protocol = { 0 };
	struct port_words port = { 0 };
	uint32_t number = 0;
	bool first = true;

	if (!json_scan_object(scan))
		return;
	while (json_scan_member(scan, &first, &key)) {
		if (json_word_is(&key, "name"))
			word_once(scan, &port.name);
		else if (json_word_is(&key, "protocol"))
			word_once(scan, &protocol);
		else if (json_word_is(&key, "containerPort") && !number)
			json_scan_number(scan, 65535, &number);
		else if (json_word_is(&key, "containerPort"))
			unsure(scan);
		else
			json_scan_skip(scan);
	}
	port.number = (uint16_t)number;
	if (!number || !protocol_of(&protocol, &port.proto) || ports->n == PORTS_MAX)
		return (void)unsure(scan);
	ports->v[ports->n++] = port;
}

static void container_scan(struct json_scan *scan, struct ports_words *ports, bool only_always)
{
	struct json_word key, restart = { 0 };
	size_t n_before = ports->n;
	bool first = true, first_port = true, has_ports = false;

	if (!json_scan_object(scan))
		return;
	while (json_scan_member(scan, &first, &key)) {
		if (json_word_is(&key, "ports")) {
			if (has_ports || !json_scan_array(scan))
				return (void)unsure(scan);
			has_ports = true;
			while (json_scan_item(scan, &first_port))
				port_scan(scan, ports);
		} else if (only_always && json_word_is(&key, "restartPolicy")) {
			word_once(scan, &restart);
		} else {
			json_scan_skip(scan);
		}
	}
	if (only_always && !json_word_is(&restart, "Always"))
		ports->n = n_before;
}

static void containers_scan(struct json_scan *scan, struct ports_words *ports, bool only_always)
{
	bool first = true;

	if (!json_scan_array(scan))
		return;
	while (json_scan_item(scan, &first))
		container_scan(scan, ports, only_always);
}

static void spec_scan(struct json_scan *scan, struct pod_words *pod)
{
	struct json_word key;
	bool first = true;

	if (!once(scan, pod, SPEC) || !json_scan_object(scan))
		return;
	while (json_scan_member(scan, &first, &key)) {
		if (json_word_is(&key, "nodeName"))
			word_once(scan, &pod->node);
		else if (json_word_is(&key, "hostNetwork"))
			(void)(once(scan, pod, HOST) && json_scan_bool(scan, &pod->host_network));
		else if (json_word_is(&key, "containers") && once(scan, pod, CONTAINERS))
			containers_scan(scan, &pod->ports, false);
		else if (json_word_is(&key, "initContainers") && once(scan, pod, INITS))
			containers_scan(scan, &pod->sidecar_ports, true);
		else
			json_scan_skip(scan);
	}
}

/* --- addresses (R10) --- */

static bool addr_take(struct pod_words *pod, const struct json_word *word)
{
	struct bh_addr addr;
	char text[64];

	if (!word->text || word->len >= sizeof(text))
		return false;
	memcpy(text, word->text, word->len);
	text[word->len] = '\0';
	if (addr_parse(text, &addr) < 0 || addr_is_zero(&addr) || (addr_is_v4(&addr) && addr.w[3] == 0))
		return false;
	for (size_t i = 0; i < pod->n_addrs; i++)
		if (addr_equal(&pod->addrs[i], &addr))
			return true;
	if (pod->n_addrs == DECODE_ADDRS_MAX)
		return false;
	pod->addrs[pod->n_addrs++] = addr;
	return true;
}

static void ip_scan(struct json_scan *scan, struct pod_words *pod)
{
	struct json_word key, ip = { 0 };
	bool first = true;

	if (!json_scan_object(scan))
		return;
	while (json_scan_member(scan, &first, &key)) {
		if (json_word_is(&key, "ip"))
			word_once(scan, &ip);
		else
			json_scan_skip(scan);
	}
	if (!scan->failed && !addr_take(pod, &ip))
		unsure(scan);
}

static void ips_scan(struct json_scan *scan, struct pod_words *pod)
{
	bool first = true;

	if (!once(scan, pod, IPS) || !json_scan_array(scan))
		return;
	while (json_scan_item(scan, &first))
		ip_scan(scan, pod);
}

static void status_scan(struct json_scan *scan, struct pod_words *pod)
{
	struct json_word key;
	bool first = true;

	if (!once(scan, pod, STATUS) || !json_scan_object(scan))
		return;
	while (json_scan_member(scan, &first, &key)) {
		if (json_word_is(&key, "phase"))
			word_once(scan, &pod->phase);
		else if (json_word_is(&key, "podIP"))
			word_once(scan, &pod->addr);
		else if (json_word_is(&key, "podIPs"))
			ips_scan(scan, pod);
		else
			json_scan_skip(scan);
	}
}

/* --- the whole --- */

static void pod_scan(struct json_scan *scan, struct pod_words *pod)
{
	struct json_word key;
	bool first = true;

	if (!json_scan_object(scan))
		return;
	while (json_scan_member(scan, &first, &key)) {
		if (json_word_is(&key, "kind"))
			word_once(scan, &pod->kind);
		else if (json_word_is(&key, "apiVersion"))
			word_once(scan, &pod->api_version);
		else if (json_word_is(&key, "metadata"))
			metadata_scan(scan, pod);
		else if (json_word_is(&key, "spec"))
			spec_scan(scan, pod);
		else if (json_word_is(&key, "status"))
			status_scan(scan, pod);
		else
			json_scan_skip(scan);
	}
}

/* The three types that carry a pod; null: another. */
static const char *event_type(const struct json_word *word)
{
	static const char *const types[] = { "MODIFIED", "ADDED", "DELETED" };

	for (size_t i = 0; i < 3; i++)
		if (json_word_is(word, types[i]))
			return types[i];
	return NULL;
}

static void event_scan(struct json_scan *scan, struct pod_words *pod, const char **ret_type)
{
	struct json_word key, type = { 0 };
	bool first = true, has_object = false;

	if (!json_scan_object(scan))
		return;
	while (json_scan_member(scan, &first, &key)) {
		if (json_word_is(&key, "type")) {
			word_once(scan, &type);
		} else if (json_word_is(&key, "object") && !has_object) {
			has_object = true;
			pod_scan(scan, pod);
		} else {
			return (void)unsure(scan);
		}
	}
	*ret_type = event_type(&type);
}

static bool is_name(const struct json_word *word)
{
	return word->len && word->len <= OBJECT_NAME_MAX && !memchr(word->text, '/', word->len);
}

static bool is_kind(const struct pod_words *pod, bool must_say_kind)
{
	const struct object_kind *kind = &object_kind_pod;

	return (pod->kind.text ? json_word_is(&pod->kind, kind->kind) : !must_say_kind) &&
	       (pod->api_version.text ? json_word_is(&pod->api_version, kind->api_version) : !must_say_kind);
}

static bool is_whole(struct pod_words *pod, bool must_say_kind)
{
	return is_kind(pod, must_say_kind) && is_name(&pod->name) && is_name(&pod->namespace) &&
	       pod->uid.len && pod->uid.len <= OBJECT_UID_MAX && pod->version.len < OBJECT_VERSION_MAX &&
	       (!pod->addr.text || addr_take(pod, &pod->addr));
}

/* --- from words to a pod --- */

/* The quote behind it gives way. */
static char *word_end(char *text, const struct json_word *word)
{
	char *at = word->text ? text + (word->text - text) : NULL;

	if (at)
		at[word->len] = '\0';
	return at;
}

static size_t ports_make(char *text, const struct ports_words *words, struct named_port *ret)
{
	static char none[] = "";

	for (size_t i = 0; i < words->n; i++) {
		char *name = word_end(text, &words->v[i].name);

		ret[i] = (struct named_port){ name ? name : none, words->v[i].proto, words->v[i].number };
	}
	return words->n;
}

/* Copied while the text still is what it was. */
static void before_begin(const struct pod_words *words)
{
	labels_done(&before.labels);
	before.len = 0;
	if (words->labels_text.text && words->labels_text.len <= sizeof(before.text))
		memcpy(before.text, words->labels_text.text, words->labels_text.len);
}

static void before_end(const struct pod_words *words, const struct labels *labels)
{
	if (words->labels_text.len <= sizeof(before.text) && labels_share(labels, &before.labels) == 0)
		before.len = words->labels_text.len;
}

static int pod_make(char *text, struct pod_words *words, char *ret_version, struct object **ret)
{
	struct label labels[LABELS_MAX];
	struct named_port ports[2 * PORTS_MAX];
	struct pod pod = {
		.namespace = word_end(text, &words->namespace),
		.name = word_end(text, &words->name),
		.uid = word_end(text, &words->uid),
		.node = word_end(text, &words->node),
		.labels = words->labels_are_before
				  ? before.labels
				  : (struct labels){ .v = labels, .n = (uint32_t)words->n_labels },
		.addrs = words->addrs,
		.n_addrs = (uint16_t)words->n_addrs,
		.ports = ports,
		.host_network = words->host_network,
		.finished = json_word_is(&words->phase, "Succeeded") || json_word_is(&words->phase, "Failed"),
	};
	struct pod *made;

	memcpy(ret_version, words->version.text ? words->version.text : "", words->version.len);
	ret_version[words->version.len] = '\0';
	if (!words->labels_are_before)
		before_begin(words);
	for (size_t i = 0; i < words->n_labels; i++)
		labels[i] = (struct label){ word_end(text, &words->labels[i].key),
					    word_end(text, &words->labels[i].value) };
	pod.n_ports = (uint16_t)ports_make(text, &words->ports, ports);
	pod.n_ports += (uint16_t)ports_make(text, &words->sidecar_ports, ports + pod.n_ports);
	made = pod_compact(&pod);
	if (made && !words->labels_are_before)
		before_end(words, &made->labels);
	*ret = made ? object_new(&object_kind_pod, &(struct object_names){ pod.namespace, pod.name, pod.uid },
				 made)
		    : NULL;
	return *ret ? 0 : -ENOMEM;
}

int scan_pod(char *text, size_t len, const char **ret_type, char *ret_version, struct object **ret)
{
	struct json_scan scan = json_scan_of(text, len);
	struct pod_words words;

	memset(&words, 0, offsetof(struct pod_words, ports));
	words.ports.n = words.sidecar_ports.n = 0;
	if (ret_type)
		event_scan(&scan, &words, ret_type);
	else
		pod_scan(&scan, &words);
	if (!json_scan_done(&scan) || (ret_type && !*ret_type) || !is_whole(&words, ret_type != NULL))
		return 1;
	return pod_make(text, &words, ret_version, ret);
}
