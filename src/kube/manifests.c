// SPDX-License-Identifier: Apache-2.0
#include "kube/manifests.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "kube/manifest_file.h"
#include "kube/manifest_watch.h"
#include "kube/manifest_world.h"
#include "kube/pollset.h"

#define MANIFEST_FILES_MAX 10000
/* Editors and `mv` take a file away before they bring its successor. Its
 * policies stay that long, so that a save opens nothing. */
#define LINGER_MS	250
#define FOLDER_RETRY_MS 1000

struct manifests {
	char *folder;
	char *default_namespace;
	struct manifest_reader reader;
	struct manifest_file **files; /* sorted by name */
	size_t n_files;
	struct world world;	      /* arrays are ours, objects belong to the files */
	struct manifest_file *gone;   /* files, since the last world */
	struct manifest_file *graves; /* what the last changes have as old */
	struct feed changes;
	struct manifest_watch watch;
};

DEFINE_AUTO(struct manifests, manifests_free)
#define auto_manifests cleanup(manifests_free_auto)

static void closedir_auto(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}
#define auto_dir cleanup(closedir_auto)

int manifests_new(const char *folder, const char *default_namespace, manifests_report_fn report, void *data,
		  struct manifests **ret_manifests, struct err *err)
{
	auto_manifests struct manifests *manifests = calloc(1, sizeof(*manifests));

	if (!manifests)
		return err_set(err, ENOMEM, "manifests");
	manifests->watch = (struct manifest_watch)MANIFEST_WATCH_NONE;
	manifests->folder = strdup(folder);
	manifests->default_namespace = strdup(default_namespace);
	if (!manifests->folder || !manifests->default_namespace)
		return err_set(err, ENOMEM, "manifests");
	manifests->reader = (struct manifest_reader){ manifests->default_namespace, report, data };
	*ret_manifests = TAKE(manifests);
	return 0;
}

struct manifests *manifests_free(struct manifests *manifests)
{
	if (!manifests)
		return NULL;
	manifest_watch_close(&manifests->watch);
	for (size_t i = 0; i < manifests->n_files; i++)
		manifest_file_free(manifests->files[i]);
	free(manifests->files);
	manifest_files_free(manifests->gone);
	manifest_files_free(manifests->graves);
	manifest_world_free(&manifests->world);
	free(manifests->changes.v);
	free(manifests->folder);
	free(manifests->default_namespace);
	free(manifests);
	return NULL;
}

/* --- the folder --- */

/* Not hidden ones: editors' and Kubernetes' temporary files begin with a dot. */
static bool name_is_manifest(const char *name)
{
	static const char *const endings[] = { ".yaml", ".yml", ".json" };
	const char *dot = strrchr(name, '.');

	if (name[0] == '.' || !dot)
		return false;
	for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++)
		if (strcmp(dot, endings[i]) == 0)
			return true;
	return false;
}

/* Index where `name` is or belongs. */
static size_t file_index(const struct manifests *manifests, const char *name, bool *ret_found)
{
	size_t low = 0, high = manifests->n_files;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(manifests->files[middle]->name, name);

		*ret_found = order == 0;
		if (order == 0)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_found = false;
	return low;
}

static int file_get(struct manifests *manifests, const char *name, struct manifest_file **ret,
		    struct err *err)
{
	struct manifest_file **more;
	bool found;
	size_t at = file_index(manifests, name, &found);

	if (found) {
		*ret = manifests->files[at];
		return 0;
	}
	if (manifests->n_files >= MANIFEST_FILES_MAX)
		return err_set(err, E2BIG, "%s: more than %d files", manifests->folder, MANIFEST_FILES_MAX);
	more = reallocarray(manifests->files, manifests->n_files + 1, sizeof(*more));
	if (!more)
		return err_set(err, ENOMEM, "%s", manifests->folder);
	manifests->files = more;
	*ret = manifest_file_new(name);
	if (!*ret)
		return err_set(err, ENOMEM, "%s/%s", manifests->folder, name);
	memmove(more + at + 1, more + at, (manifests->n_files - at) * sizeof(*more));
	more[at] = *ret;
	manifests->n_files++;
	return 0;
}

/* 1, 0 or negative as manifests_read(). */
static int entry_read(struct manifests *manifests, int folder_fd, const char *name, struct err *err)
{
	struct manifest_file *file;
	struct stat st;
	int r;

	if (!name_is_manifest(name) || fstatat(folder_fd, name, &st, 0) < 0 || !S_ISREG(st.st_mode))
		return 0;
	r = file_get(manifests, name, &file, err);
	if (r < 0)
		return r;
	/* Emptied: somebody is writing it anew, or has removed its objects. Wait as for
	 * a file that went. */
	if (st.st_size == 0 && file->stat.st_size > 0)
		return 0;
	file->seen = true;
	return manifest_file_read(file, folder_fd, &st, &manifests->reader, err);
}

static int folder_read(struct manifests *manifests, DIR *dir, struct err *err)
{
	const struct dirent *entry;
	int changed = 0;

	errno = 0;
	while ((entry = readdir(dir))) {
		int r = entry_read(manifests, dirfd(dir), entry->d_name, err);

		if (r < 0)
			return r;
		changed |= r;
		errno = 0;
	}
	if (errno)
		return err_set(err, errno, "%s: %s", manifests->folder, strerror(errno));
	return changed;
}

/* Is the time over that the objects of a file that went stay? */
static bool linger_is_over(struct manifest_file *file)
{
	struct timespec now;
	long long ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!file->lingering)
		file->gone_since = now;
	file->lingering = true;
	ms = (now.tv_sec - file->gone_since.tv_sec) * 1000LL +
	     (now.tv_nsec - file->gone_since.tv_nsec) / 1000000;
	return ms >= LINGER_MS;
}

/* Drops the files that are gone. Without a watch nobody would come back later. */
static int gone_drop(struct manifests *manifests)
{
	size_t kept = 0;
	int changed = 0;

	for (size_t i = 0; i < manifests->n_files; i++) {
		struct manifest_file *file = manifests->files[i];

		if (file->seen)
			file->lingering = false;
		if (file->seen || (manifests->watch.epoll >= 0 && !linger_is_over(file))) {
			manifests->files[kept++] = file;
			if (file->lingering || file->racy)
				manifest_watch_again_in(&manifests->watch, LINGER_MS + 1);
			continue;
		}
		file->next = manifests->gone;
		manifests->gone = file;
		changed = 1;
	}
	manifests->n_files = kept;
	return changed;
}

static void graves_collect(struct manifests *manifests, struct manifest_file **list)
{
	while (*list) {
		struct manifest_file *grave = *list;

		*list = grave->next;
		grave->next = manifests->graves;
		manifests->graves = grave;
	}
}

/* Nobody points any more at what the changes before had as old. */
static void graves_turn(struct manifests *manifests)
{
	manifest_files_free(manifests->graves);
	manifests->graves = NULL;
	graves_collect(manifests, &manifests->gone);
	for (size_t i = 0; i < manifests->n_files; i++)
		graves_collect(manifests, &manifests->files[i]->graves);
}

/* On failure everything that the world points at stays where it is. */
static int world_renew(struct manifests *manifests, struct err *err)
{
	struct world now = { 0 };
	struct feed changes = { .heard_us = manifests->changes.heard_us };
	int r = manifest_world_build(manifests->files, manifests->n_files, &manifests->reader, &now, err);

	if (r == 0 && manifest_world_compare(&manifests->world, &now, &changes) < 0)
		r = err_set(err, ENOMEM, "manifests");
	if (r < 0) {
		manifest_world_free(&now);
		free(changes.v);
		return r;
	}
	manifest_world_free(&manifests->world);
	free(manifests->changes.v);
	manifests->world = now;
	manifests->changes = changes;
	graves_turn(manifests);
	return changes.n > 0;
}

int manifests_read(struct manifests *manifests, struct err *err)
{
	auto_dir DIR *dir = opendir(manifests->folder);
	struct stat folder;
	int changed, r;

	if (!dir || fstat(dirfd(dir), &folder) < 0) {
		r = errno;
		manifest_watch_again_in(&manifests->watch, FOLDER_RETRY_MS);
		return err_set(err, r, "%s: %s", manifests->folder, strerror(r));
	}
	manifest_watch_follow(&manifests->watch, manifests->folder, &folder);
	for (size_t i = 0; i < manifests->n_files; i++)
		manifests->files[i]->seen = manifests->files[i]->is_new = false;
	changed = folder_read(manifests, dir, err);
	if (changed >= 0)
		changed |= gone_drop(manifests);
	return changed < 0 ? changed : world_renew(manifests, err);
}

const struct change *manifests_changes(const struct manifests *manifests, size_t *ret_n)
{
	*ret_n = manifests->changes.n;
	return manifests->changes.v;
}

int manifests_fd(struct manifests *manifests, struct err *err)
{
	struct stat folder;
	int r;

	if (manifests->watch.epoll >= 0)
		return manifests->watch.epoll;
	r = manifest_watch_open(&manifests->watch, err);
	if (r < 0)
		return r;
	if (stat(manifests->folder, &folder) == 0)
		manifest_watch_follow(&manifests->watch, manifests->folder, &folder);
	else
		manifest_watch_again_in(&manifests->watch, FOLDER_RETRY_MS);
	return manifests->watch.epoll;
}

void manifests_drain(struct manifests *manifests)
{
	manifests->changes.heard_us = pollset_now_us();
	manifest_watch_drain(&manifests->watch);
}

size_t manifests_broken(const struct manifests *manifests)
{
	size_t n = 0;

	for (size_t i = 0; i < manifests->n_files; i++)
		n += manifests->files[i]->broken;
	return n;
}

static void list_each(enum change_kind kind, void *const *list, size_t n,
		      void (*each)(const struct change *change, void *data), void *data)
{
	for (size_t i = 0; i < n; i++)
		each(&(struct change){ kind, NULL, list[i], 0 }, data);
}

void manifests_each(const struct manifests *manifests, void (*each)(const struct change *change, void *data),
		    void *data)
{
	const struct world *world = &manifests->world;

	list_each(CHANGE_NAMESPACE, (void **)world->namespaces, world->n_namespaces, each, data);
	list_each(CHANGE_POD, (void **)world->pods, world->n_pods, each, data);
	list_each(CHANGE_NETPOL, (void **)world->netpols, world->n_netpols, each, data);
	list_each(CHANGE_SERVICE, (void **)world->services, world->n_services, each, data);
	list_each(CHANGE_SLICE, (void **)world->slices, world->n_slices, each, data);
	list_each(CHANGE_NODE, (void **)world->nodes, world->n_nodes, each, data);
}

const struct world *manifests_world(const struct manifests *manifests)
{
	return &manifests->world;
}

/* How well does this object describe the pod `name`? Kubernetes names a workload's
 * pods "<workload>-<suffix>". 0: not at all. */
static size_t pod_fit(const struct pod *pod, const char *name)
{
	size_t len = strlen(pod->name);

	if (strcmp(pod->name, name) == 0)
		return *pod->workload ? SIZE_MAX - 1 : SIZE_MAX;
	return *pod->workload && strncmp(pod->name, name, len) == 0 && name[len] == '-' ? len : 0;
}

const struct pod *manifests_pod_for(const struct manifests *manifests, const char *namespace,
				    const char *name)
{
	const struct pod *best = NULL;
	size_t best_fit = 0;

	for (size_t i = 0; i < manifests->world.n_pods; i++) {
		const struct pod *pod = manifests->world.pods[i];
		size_t fit = strcmp(pod->namespace, namespace) == 0 ? pod_fit(pod, name) : 0;

		if (fit > best_fit) {
			best = pod;
			best_fit = fit;
		}
	}
	return best;
}
