// SPDX-License-Identifier: Apache-2.0
/* Pods: the ordinary form, whose every part is its own, and the compact one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/model.h"
#include "policy/shared.h"

DEFINE_AUTO(struct pod, pod_free)
#define auto_pod cleanup(pod_free_auto)

static const char *text_or_empty(const char *text)
{
	return text ? text : "";
}

bool pod_ports_equal(const struct pod *a, const struct pod *b)
{
	if (a->n_ports != b->n_ports)
		return false;
	if (a->compact && b->compact)
		return a->ports == b->ports;
	for (size_t i = 0; i < a->n_ports; i++)
		if (a->ports[i].proto != b->ports[i].proto || a->ports[i].number != b->ports[i].number ||
		    strcmp(a->ports[i].name, b->ports[i].name) != 0)
			return false;
	return true;
}

void shared_ports_drop(struct named_port *ports, size_t n)
{
	for (size_t i = 0; ports && shared_is_last(ports) && i < n; i++)
		shared_drop(ports[i].name);
	shared_drop(ports);
}

/* Its own name, uid and addresses lie behind it in the same allocation. */
static void compact_free(struct pod *pod)
{
	shared_drop(pod->namespace);
	shared_drop(pod->node);
	shared_drop(pod->workload);
	shared_ports_drop(pod->ports, pod->n_ports);
	labels_done(&pod->labels);
	free(pod);
}

struct pod *pod_free(struct pod *pod)
{
	if (!pod)
		return NULL;
	if (pod->compact) {
		compact_free(pod);
		return NULL;
	}
	for (size_t i = 0; i < pod->n_ports; i++)
		free(pod->ports[i].name);
	free(pod->ports);
	free(pod->addrs);
	labels_done(&pod->labels);
	free(pod->namespace);
	free(pod->name);
	free(pod->uid);
	free(pod->node);
	free(pod->workload);
	free(pod);
	return NULL;
}

static int ports_share(const struct named_port *from, size_t n, struct named_port **ret)
{
	/* Zeroed, for the bytes between the members are compared too. */
	auto_free struct named_port *ports = calloc(n + 1, sizeof(*ports));
	const void *shared = NULL;
	size_t done = 0;
	bool ok = ports != NULL;

	for (; ok && done < n; done++) {
		ports[done].proto = from[done].proto;
		ports[done].number = from[done].number;
		ports[done].name = (char *)(uintptr_t)shared_text(text_or_empty(from[done].name));
		ok = ports[done].name != NULL;
	}
	if (ok)
		shared = shared_get(ports, n * sizeof(*ports));
	/* One that was there before holds its names itself. */
	for (size_t i = 0; i < done && (!shared || !shared_is_last(shared)); i++)
		shared_drop(ports[i].name);
	*ret = (struct named_port *)(uintptr_t)shared;
	return shared ? 0 : -ENOMEM;
}

static bool text_share(const char *text, char **ret)
{
	*ret = (char *)(uintptr_t)shared_text(text_or_empty(text));
	return *ret != NULL;
}

struct pod *pod_compact(const struct pod *from)
{
	const char *name = text_or_empty(from->name), *uid = text_or_empty(from->uid);
	size_t addrs_size = from->n_addrs * sizeof(*from->addrs), name_size = strlen(name) + 1,
	       uid_size = strlen(uid) + 1, align = _Alignof(struct bh_addr);
	size_t words_end = (offsetof(struct pod, words) + name_size + uid_size + align - 1) / align * align;
	size_t size = words_end + addrs_size;
	auto_pod struct pod *pod = calloc(1, size > sizeof(*pod) ? size : sizeof(*pod));

	if (!pod)
		return NULL;
	pod->compact = true;
	pod->host_network = from->host_network;
	pod->finished = from->finished;
	pod->n_addrs = from->n_addrs;
	pod->name = pod->words;
	pod->uid = pod->words + name_size;
	pod->addrs = (struct bh_addr *)((char *)pod + words_end);
	if (addrs_size)
		memcpy(pod->addrs, from->addrs, addrs_size);
	memcpy(pod->name, name, name_size);
	memcpy(pod->uid, uid, uid_size);
	if (!text_share(from->namespace, &pod->namespace) || !text_share(from->node, &pod->node) ||
	    !text_share(from->workload, &pod->workload) || labels_share(&from->labels, &pod->labels) < 0 ||
	    (from->n_ports && ports_share(from->ports, from->n_ports, &pod->ports) < 0))
		return NULL;
	pod->n_ports = from->n_ports;
	return TAKE(pod);
}
