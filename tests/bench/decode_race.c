// SPDX-License-Identifier: Apache-2.0
#include "bench/decode_race.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json_scan.h"
#include "kube/objects.h"
#include "lib/crowd.h"

#define PODS   64 /* different ones; from a socket they come in the processor's cache too */
#define REPEAT 16 /* of all of them in one sample */

static void __attribute__((noreturn)) give_up(const char *what)
{
	fprintf(stderr, "decode_race: %s\n", what);
	exit(1);
}

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* The text is used up: this works on a copy, which counts. */
static void decode_own(const struct text *pod)
{
	static char copy[64 << 10];
	char version[OBJECT_VERSION_MAX];
	struct object *object = NULL;

	if (pod->len + JSON_SCAN_PAD >= sizeof(copy))
		give_up("a pod is too large");
	memcpy(copy, pod->data, pod->len);
	memset(copy + pod->len, 0, JSON_SCAN_PAD);
	if (object_kind_pod.scan(copy, pod->len, NULL, version, &object) != 0)
		give_up("a pod was not read from its text");
	object_free(object);
}

static void decode_cjson(const struct text *pod)
{
	cJSON *json = cJSON_ParseWithLength(pod->data, pod->len);

	if (!json)
		give_up("cJSON cannot read a pod");
	cJSON_Delete(json);
}

static double sample_us(const struct text *pods, void (*run)(const struct text *pod))
{
	double start = now_us();

	for (unsigned int i = 0; i < PODS * REPEAT; i++)
		run(&pods[i % PODS]);
	return (now_us() - start) / (PODS * REPEAT);
}

size_t decode_race(unsigned int rounds, double *ret_us, double *ret_times)
{
	struct text pods[PODS] = { 0 };
	size_t bytes = 0;

	for (size_t i = 0; i < PODS; i++) {
		crowd_pod(&pods[i], i, 1, false);
		bytes += pods[i].len;
	}
	for (unsigned int i = 0; i < rounds; i++) {
		double before = sample_us(pods, decode_cjson), own = sample_us(pods, decode_own),
		       after = sample_us(pods, decode_cjson);

		ret_us[i] = own;
		ret_times[i] = (before + after) / 2 / own;
	}
	for (size_t i = 0; i < PODS; i++)
		text_done(&pods[i]);
	return bytes / PODS;
}
