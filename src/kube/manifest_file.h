/* SPDX-License-Identifier: Apache-2.0 */
/* One file of the manifest folder: its objects, and whether it changed. */
#ifndef KUBE_MANIFEST_FILE_H
#define KUBE_MANIFEST_FILE_H

#include <sys/stat.h>
#include <time.h>

#include "base/err.h"
#include "kube/manifests.h"

#define MANIFEST_FILE_MAX (8u << 20) /* bytes */

struct manifest_objects {
	struct pod **pods;
	size_t n_pods;
	struct namespace **namespaces;
	size_t n_namespaces;
	struct netpol **netpols;
	size_t n_netpols;
	struct service **services;
	size_t n_services;
	struct endpoint_slice **slices;
	size_t n_slices;
	struct node **nodes;
	size_t n_nodes;
};

struct manifest_file {
	char *name;			 /* within the folder */
	struct manifest_objects objects; /* the last good ones */
	bool broken;
	bool was_good;	/* at least once */
	bool is_new;	/* its objects changed in this read */
	bool seen;	/* in this read */
	bool lingering; /* gone, its objects stay a moment longer */
	bool racy;	/* may have changed without a new time stamp */
	uint64_t digest;
	struct stat stat;
	struct timespec gone_since;
	struct manifest_file *graves; /* with objects that this one had before */
	struct manifest_file *next;   /* among graves */
};

struct manifest_reader {
	const char *default_namespace;
	manifests_report_fn report;
	void *data;
};

struct manifest_file *manifest_file_new(const char *name);
struct manifest_file *manifest_file_free(struct manifest_file *file);
void manifest_objects_done(struct manifest_objects *objects);
void manifest_files_free(struct manifest_file *list);

/* Reads the file when it may differ from what was read last. 1: the objects
 * changed, 0: they did not, -ENOMEM. A broken file is a report. What the file had
 * before lies in its graves: somebody may still point there. */
int manifest_file_read(struct manifest_file *file, int folder_fd, const struct stat *st,
		       const struct manifest_reader *reader, struct err *err);

#endif
