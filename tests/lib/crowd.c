// SPDX-License-Identifier: Apache-2.0
#include "lib/crowd.h"

#include <stdio.h>
#include <string.h>

#define NODES	  1000
#define TEAMS	  50
#define WORKLOADS 4

struct crowd crowd = { 100000, 5000, 10000 };

/* What a pod says besides: about what a Deployment's pod with a sidecar, a volume
 * and probes carries. All of it is read past. */
static const char managed_fields[] =
	",\"ownerReferences\":[{\"apiVersion\":\"apps/"
	"v1\",\"kind\":\"ReplicaSet\",\"name\":\"app-7d9f8c6b5\",\"uid\":"
	"\"5f0c2f3e-8d54-4f3a-9c55-0a4d1c2b3e4f\",\"controller\":true,\"blockOwnerDeletion\":true}],"
	"\"managedFields\":"
	"[{\"manager\":\"kube-controller-manager\",\"operation\":\"Update\",\"apiVersion\":\"v1\",\"time\":"
	"\"2026-01-01T00:00:00Z\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:metadata\":{\"f:"
	"annotations\":{\".\":{},"
	"\"f:checksum/config\":{},\"f:prometheus.io/port\":{},\"f:prometheus.io/"
	"scrape\":{}},\"f:generateName\":{},"
	"\"f:labels\":{\".\":{},\"f:app\":{},\"f:pod-template-hash\":{},\"f:team\":{},\"f:tier\":{},\"f:"
	"version\":{}},"
	"\"f:ownerReferences\":{\".\":{},\"k:{\\\"uid\\\":\\\"5f0c2f3e-8d54-4f3a-9c55-0a4d1c2b3e4f\\\"}\":{}}"
	"},\"f:spec\":"
	"{\"f:affinity\":{\".\":{},\"f:podAntiAffinity\":{\".\":{},\"f:"
	"preferredDuringSchedulingIgnoredDuringExecution\":{}}}"
	",\"f:containers\":{\"k:{\\\"name\\\":\\\"server\\\"}\":{\".\":{},\"f:args\":{},\"f:env\":{\".\":{},"
	"\"k:{\\\"name\\\":"
	"\\\"DATABASE_URL\\\"}\":{\".\":{},\"f:name\":{},\"f:valueFrom\":{\".\":{},\"f:secretKeyRef\":{}}},"
	"\"k:{\\\"name\\\":"
	"\\\"LOG_LEVEL\\\"}\":{\".\":{},\"f:name\":{},\"f:value\":{}},\"k:{\\\"name\\\":\\\"POD_IP\\\"}\":{"
	"\".\":{},\"f:name\":"
	"{},\"f:valueFrom\":{\".\":{},\"f:fieldRef\":{}}}},\"f:image\":{},\"f:imagePullPolicy\":{},\"f:"
	"livenessProbe\":{\".\":"
	"{},\"f:failureThreshold\":{},\"f:httpGet\":{\".\":{},\"f:path\":{},\"f:port\":{},\"f:scheme\":{}},"
	"\"f:periodSeconds\":"
	"{},\"f:successThreshold\":{},\"f:timeoutSeconds\":{}},\"f:name\":{},\"f:ports\":{\".\":{},\"k:{"
	"\\\"containerPort\\\":"
	"8080,\\\"protocol\\\":\\\"TCP\\\"}\":{\".\":{},\"f:containerPort\":{},\"f:name\":{},\"f:protocol\":{"
	"}}},"
	"\"f:readinessProbe\":{\".\":{},\"f:failureThreshold\":{},\"f:httpGet\":{\".\":{},\"f:path\":{},\"f:"
	"port\":{},"
	"\"f:scheme\":{}},\"f:periodSeconds\":{}},\"f:resources\":{\".\":{},\"f:limits\":{\".\":{},\"f:"
	"memory\":{}},"
	"\"f:requests\":{\".\":{},\"f:cpu\":{},\"f:memory\":{}}},\"f:securityContext\":{\".\":{},"
	"\"f:allowPrivilegeEscalation\":{},\"f:capabilities\":{\".\":{},\"f:drop\":{}},\"f:"
	"readOnlyRootFilesystem\":{}},"
	"\"f:terminationMessagePath\":{},\"f:terminationMessagePolicy\":{},\"f:volumeMounts\":{\".\":{},\"k:{"
	"\\\"mountPath\\\":"
	"\\\"/etc/"
	"app\\\"}\":{\".\":{},\"f:mountPath\":{},\"f:name\":{},\"f:readOnly\":{}}}}},\"f:dnsPolicy\":{},"
	"\"f:enableServiceLinks\":{},\"f:restartPolicy\":{},\"f:schedulerName\":{},\"f:securityContext\":{},"
	"\"f:serviceAccountName\":{},\"f:terminationGracePeriodSeconds\":{},\"f:volumes\":{\".\":{},\"k:{"
	"\\\"name\\\":"
	"\\\"config\\\"}\":{\".\":{},\"f:configMap\":{\".\":{},\"f:defaultMode\":{},\"f:name\":{}},\"f:"
	"name\":{}}}}}},{\"manager\":"
	"\"kubelet\",\"operation\":\"Update\",\"apiVersion\":\"v1\",\"time\":\"2026-01-01T00:00:07Z\","
	"\"fieldsType\":\"FieldsV1\","
	"\"fieldsV1\":{\"f:status\":{\"f:conditions\":{\"k:{\\\"type\\\":\\\"ContainersReady\\\"}\":{\".\":{}"
	","
	"\"f:lastProbeTime\":{},\"f:lastTransitionTime\":{},\"f:status\":{},\"f:type\":{}},\"k:{\\\"type\\\":"
	"\\\"Initialized\\\"}"
	"\":{\".\":{},\"f:lastProbeTime\":{},\"f:lastTransitionTime\":{},\"f:status\":{},\"f:type\":{}},\"k:{"
	"\\\"type\\\":"
	"\\\"Ready\\\"}\":{\".\":{},\"f:lastProbeTime\":{},\"f:lastTransitionTime\":{},\"f:status\":{},\"f:"
	"type\":{}}},"
	"\"f:containerStatuses\":{},\"f:hostIP\":{},\"f:phase\":{},\"f:podIP\":{},\"f:podIPs\":{\".\":{},\"k:"
	"{\\\"ip\\\":"
	"\\\"10.64.0.1\\\"}\":{\".\":{},\"f:ip\":{}}},\"f:startTime\":{}}},\"subresource\":\"status\"}]}";

static const char spec_front[] =
	",\"spec\":{\"volumes\":[{\"name\":\"config\",\"configMap\":{\"name\":\"app-config\",\"defaultMode\":"
	"420}},{\"name\":"
	"\"kube-api-access-x7k2p\",\"projected\":{\"sources\":[{\"serviceAccountToken\":{"
	"\"expirationSeconds\":3607,\"path\":"
	"\"token\"}},{\"configMap\":{\"name\":\"kube-root-ca.crt\",\"items\":[{\"key\":\"ca.crt\",\"path\":"
	"\"ca.crt\"}]}},"
	"{\"downwardAPI\":{\"items\":[{\"path\":\"namespace\",\"fieldRef\":{\"apiVersion\":\"v1\","
	"\"fieldPath\":"
	"\"metadata.namespace\"}}]}}],\"defaultMode\":420}}],\"containers\":[{\"name\":\"server\",\"image\":"
	"\"registry.example/shop/"
	"app:v1.42.0@sha256:6a4b8d0b0f1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d7e\","
	"\"args\":[\"--listen=:8080\",\"--metrics=:9090\",\"--config=/etc/app/"
	"config.yaml\"],\"ports\":[{\"name\":\"http\","
	"\"containerPort\":8080,\"protocol\":\"TCP\"},{\"name\":\"metrics\",\"containerPort\":9090,"
	"\"protocol\":\"TCP\"}],\"env\":"
	"[{\"name\":\"LOG_LEVEL\",\"value\":\"info\"},{\"name\":\"DATABASE_URL\",\"valueFrom\":{"
	"\"secretKeyRef\":{\"name\":"
	"\"database\",\"key\":\"url\"}}},{\"name\":\"POD_IP\",\"valueFrom\":{\"fieldRef\":{\"apiVersion\":"
	"\"v1\",\"fieldPath\":"
	"\"status.podIP\"}}},{\"name\":\"GREETING\",\"value\":\"say "
	"\\\"hello\\\"\\n\\u00e9\"}],\"resources\":{\"limits\":"
	"{\"memory\":\"512Mi\"},\"requests\":{\"cpu\":\"100m\",\"memory\":\"256Mi\"}},\"volumeMounts\":[{"
	"\"name\":\"config\","
	"\"readOnly\":true,\"mountPath\":\"/etc/"
	"app\"},{\"name\":\"kube-api-access-x7k2p\",\"readOnly\":true,\"mountPath\":"
	"\"/var/run/secrets/kubernetes.io/serviceaccount\"}],\"livenessProbe\":{\"httpGet\":{\"path\":\"/"
	"healthz\",\"port\":"
	"8080,\"scheme\":\"HTTP\"},\"initialDelaySeconds\":5,\"timeoutSeconds\":1,\"periodSeconds\":10,"
	"\"successThreshold\":1,"
	"\"failureThreshold\":3},\"readinessProbe\":{\"httpGet\":{\"path\":\"/"
	"ready\",\"port\":8080,\"scheme\":\"HTTP\"},"
	"\"timeoutSeconds\":1,\"periodSeconds\":5,\"successThreshold\":1,\"failureThreshold\":3},"
	"\"terminationMessagePath\":"
	"\"/dev/"
	"termination-log\",\"terminationMessagePolicy\":\"File\",\"imagePullPolicy\":\"IfNotPresent\","
	"\"securityContext\":"
	"{\"capabilities\":{\"drop\":[\"ALL\"]},\"runAsNonRoot\":true,\"readOnlyRootFilesystem\":true,"
	"\"allowPrivilegeEscalation\":false}},{\"name\":\"proxy\",\"image\":\"registry.example/mesh/"
	"proxy:1.20.1\",\"args\":["
	"\"--drain=30s\"],\"env\":[{\"name\":\"ADMIN\",\"value\":\"127.0.0.1:15000\"}],\"resources\":{"
	"\"requests\":{\"cpu\":"
	"\"10m\",\"memory\":\"40Mi\"}},\"terminationMessagePath\":\"/dev/"
	"termination-log\",\"terminationMessagePolicy\":\"File\","
	"\"imagePullPolicy\":\"IfNotPresent\"}],\"restartPolicy\":\"Always\","
	"\"terminationGracePeriodSeconds\":30,\"dnsPolicy\":"
	"\"ClusterFirst\",\"serviceAccountName\":\"app\",\"serviceAccount\":\"app\",\"securityContext\":{"
	"\"runAsUser\":65532,"
	"\"fsGroup\":65532},\"affinity\":{\"podAntiAffinity\":{"
	"\"preferredDuringSchedulingIgnoredDuringExecution\":[{\"weight\":"
	"100,\"podAffinityTerm\":{\"labelSelector\":{\"matchLabels\":{\"app\":\"app-0\"}},\"topologyKey\":"
	"\"kubernetes.io/hostname\"}}]}},\"schedulerName\":\"default-scheduler\",\"tolerations\":[{\"key\":"
	"\"node.kubernetes.io/"
	"not-ready\",\"operator\":\"Exists\",\"effect\":\"NoExecute\",\"tolerationSeconds\":300},{\"key\":"
	"\"node.kubernetes.io/"
	"unreachable\",\"operator\":\"Exists\",\"effect\":\"NoExecute\",\"tolerationSeconds\":300}],"
	"\"priority\":0,\"enableServiceLinks\":true,\"preemptionPolicy\":\"PreemptLowerPriority\"";

static const char status_back[] =
	",\"startTime\":\"2026-01-01T00:00:01Z\",\"containerStatuses\":[{\"name\":\"proxy\",\"state\":{"
	"\"running\":{\"startedAt\":"
	"\"2026-01-01T00:00:06Z\"}},\"lastState\":{},\"ready\":true,\"restartCount\":0,\"image\":"
	"\"registry.example/mesh/proxy:1.20.1\",\"imageID\":"
	"\"registry.example/mesh/"
	"proxy@sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0\",\"containerID\":"
	"\"containerd://"
	"1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f809\",\"started\":true},{\"name\":"
	"\"server\","
	"\"state\":{\"running\":{\"startedAt\":\"2026-01-01T00:00:05Z\"}},\"lastState\":{},\"ready\":true,"
	"\"restartCount\":0,"
	"\"image\":\"registry.example/shop/app:v1.42.0\",\"imageID\":"
	"\"registry.example/shop/"
	"app@sha256:6a4b8d0b0f1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d7e\",\"containerID\":"
	"\"containerd://"
	"9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a0\",\"started\":true}],\"qosClass\":"
	"\"Burstable\"}}";

static size_t pods_each(void)
{
	return crowd.pods / crowd.namespaces ? crowd.pods / crowd.namespaces : 1;
}

/* A server lists by namespace and name: pods of a workload follow each other. */
size_t crowd_pod_namespace(size_t i)
{
	return i / pods_each() % crowd.namespaces;
}

size_t crowd_pod_of(size_t namespace)
{
	return namespace * pods_each();
}

static size_t workload_of(size_t i)
{
	size_t each = pods_each() / WORKLOADS ? pods_each() / WORKLOADS : 1;

	return i % pods_each() / each % WORKLOADS;
}

void crowd_pod_name(char *out, size_t out_size, size_t i)
{
	snprintf(out, out_size, "app-%zu-7d9f8c6b5-%05zx", workload_of(i), i);
}

void crowd_pod_uid(char *out, size_t out_size, size_t i)
{
	snprintf(out, out_size, "%08zx-8d54-4f3a-9c55-0a4d1c2b3e4f", i * 2654435761u & 0xffffffff);
}

void crowd_pod_addr(char *out, size_t out_size, size_t i)
{
	snprintf(out, out_size, "10.%zu.%zu.%zu", 64 + (i >> 16), (i >> 8) & 255, i & 255);
}

static void kind_text(struct text *out, const char *kind, const char *version, bool with_kind)
{
	text_addf(out, "{");
	if (with_kind)
		text_addf(out, "\"kind\":\"%s\",\"apiVersion\":\"%s\",", kind, version);
}

#define ADD(out, words) text_add(out, words, sizeof(words) - 1)

void crowd_pod_as(struct text *out, size_t i, long version, bool with_kind, const char *app,
		  unsigned int again)
{
	char name[64], uid[64], addr[32], own[32];
	size_t namespace = crowd_pod_namespace(i);

	crowd_pod_name(name, sizeof(name), i);
	crowd_pod_uid(uid, sizeof(uid), i);
	crowd_pod_addr(addr, sizeof(addr), i);
	snprintf(own, sizeof(own), "app-%zu", workload_of(i));
	kind_text(out, "Pod", "v1", with_kind);
	text_addf(
		out,
		"\"metadata\":{\"name\":\"%s\",\"generateName\":\"app-%zu-7d9f8c6b5-\",\"namespace\":\"ns-%"
		"04zu\","
		"\"uid\":\"%s\",\"resourceVersion\":\"v%ldx\",\"creationTimestamp\":\"2026-01-01T00:00:00Z\","
		"\"labels\":{\"app\":\"%s\",\"pod-template-hash\":\"7d9f8c6b5\",\"team\":\"team-%zu\","
		"\"tier\":\"%s\","
		"\"version\":\"v1\"},\"annotations\":{\"prometheus.io/scrape\":\"true\",\"prometheus.io/"
		"port\":\"9090\","
		"\"checksum/config\":\"3a7bd3e2360a3d29eea436fcfb7e44c735d117c42d1c1835420b6b9942dd4f1b\"}",
		name, workload_of(i), namespace, uid, version, app ? app : own, namespace % TEAMS,
		workload_of(i) ? "back" : "front");
	ADD(out, managed_fields);
	ADD(out, spec_front);
	text_addf(out, ",\"nodeName\":\"node-%04zu\"}", i % NODES);
	text_addf(
		out,
		",\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\","
		"\"lastProbeTime\":null,\"lastTransitionTime\":\"2026-01-01T00:%02u:%02uZ\"},{\"type\":"
		"\"PodScheduled\","
		"\"status\":\"True\",\"lastProbeTime\":null,\"lastTransitionTime\":\"2026-01-01T00:00:00Z\"}]"
		",\"hostIP\":"
		"\"192.168.%zu.%zu\",\"podIP\":\"%s\",\"podIPs\":[{\"ip\":\"%s\"}]",
		again / 60 % 60, again % 60, i % NODES / 250, i % NODES % 250, addr, addr);
	ADD(out, status_back);
}

void crowd_pod(struct text *out, size_t i, long version, bool with_kind)
{
	crowd_pod_as(out, i, version, with_kind, NULL, 0);
}

void crowd_namespace(struct text *out, size_t i, long version, bool with_kind)
{
	kind_text(out, "Namespace", "v1", with_kind);
	text_addf(out,
		  "\"metadata\":{\"name\":\"ns-%04zu\",\"uid\":\"%08zx-0000-4f3a-9c55-0a4d1c2b3e4f\","
		  "\"resourceVersion\":"
		  "\"v%ldx\",\"labels\":{\"kubernetes.io/"
		  "metadata.name\":\"ns-%04zu\",\"team\":\"team-%zu\",\"env\":\"%s\"}},"
		  "\"spec\":{\"finalizers\":[\"kubernetes\"]},\"status\":{\"phase\":\"Active\"}}",
		  i, i, version, i, i % TEAMS, i % 3 ? "prod" : "test");
}

/* The first policies all stand in this node's namespaces. */
static size_t policy_namespace(size_t i)
{
	if (i < CROWD_LOCAL_POLICIES || crowd.namespaces <= CROWD_LOCAL_NAMESPACES)
		return i % CROWD_LOCAL_NAMESPACES % crowd.namespaces;
	return CROWD_LOCAL_NAMESPACES + i % (crowd.namespaces - CROWD_LOCAL_NAMESPACES);
}

void crowd_policy(struct text *out, size_t i, long version, bool with_kind)
{
	kind_text(out, "NetworkPolicy", "networking.k8s.io/v1", with_kind);
	text_addf(out,
		  "\"metadata\":{\"name\":\"allow-%zu\",\"namespace\":\"ns-%04zu\",\"uid\":\"%08zx-0001-4f3a-"
		  "9c55-0a4d1c2b3e4f\","
		  "\"resourceVersion\":\"v%ldx\",\"generation\":1},\"spec\":{\"podSelector\":{"
		  "\"matchLabels\":{\"app\":\"app-%zu\"}},"
		  "\"policyTypes\":[\"Ingress\",\"Egress\"],\"ingress\":[{\"from\":[{\"namespaceSelector\":{"
		  "\"matchLabels\":{\"team\":"
		  "\"team-%zu\"}},\"podSelector\":{\"matchLabels\":{\"app\":\"app-%zu\"}}}],\"ports\":[{"
		  "\"protocol\":\"TCP\",\"port\":"
		  "%zu},{\"protocol\":\"TCP\",\"port\":\"metrics\"}]}],\"egress\":[{\"to\":[{\"podSelector\":"
		  "{\"matchExpressions\":["
		  "{\"key\":\"tier\",\"operator\":\"In\",\"values\":[\"front\",\"back\"]}]}}],\"ports\":[{"
		  "\"protocol\":\"TCP\",\"port\":"
		  "8080}]},{\"to\":[{\"ipBlock\":{\"cidr\":\"10.%zu.0.0/16\",\"except\":[\"10.%zu.1.0/"
		  "24\"]}}],\"ports\":[{\"protocol\":"
		  "\"UDP\",\"port\":53}]}]}}",
		  i, policy_namespace(i), i, version, i < CROWD_LOCAL_POLICIES ? 0 : i % WORKLOADS, i % TEAMS,
		  i / TEAMS % WORKLOADS, 8000 + i % 7, 128 + i % 64, 128 + i % 64);
}
