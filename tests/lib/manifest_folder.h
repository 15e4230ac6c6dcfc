/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of manifests of its own for each test, and what was reported about it. */
#ifndef LIB_MANIFEST_FOLDER_H
#define LIB_MANIFEST_FOLDER_H

#include "base/text.h"
#include "kube/manifests.h"
#include "lib/mirror.h"
#include "lib/tempdir.h"

struct folder {
	char path[TEMPDIR_MAX];
	struct manifests *manifests;
	struct text reports;
	unsigned int errors, broken;
	struct mirror mirror;
};

int folder_setup(void **state);
int folder_teardown(void **state);

void put(const struct folder *folder, const char *name, const char *content);
void drop(const struct folder *folder, const char *name);
/* 1: objects have changed, and the mirror knows of each. */
int read_now(struct folder *folder);
const struct world *world_of(const struct folder *folder);

#define POD(name) "kind: Pod\napiVersion: v1\nmetadata: {name: " name "}\n"
#define POLICY(name)                                                                                         \
	"kind: NetworkPolicy\napiVersion: networking.k8s.io/v1\nmetadata: {name: " name "}\nspec: {}\n"

#endif
