/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's settings: defaults, then the file, then the flags. Every key is
 * known and range-checked; an unknown key or a bad value is an error that names
 * file, line and field, because a setting that is silently ignored is a hole.
 */
#ifndef AGENT_CONFIG_H
#define AGENT_CONFIG_H

#include <stdbool.h>

#include "agent/conflist.h"
#include "agent/network_plan.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "policy/model.h"
#include <bulkhead/abi.h>

#define CONFIG_DEFAULT_RUN_DIR	 "/run/bulkhead"
#define CONFIG_DEFAULT_MANIFESTS "/etc/bulkhead/manifests"
#define CONFIG_DEFAULT_METRICS	 "127.0.0.1:9470"
#define CONFIG_POD_WAIT_MAX_S	 60

enum source_kind { SOURCE_UNSET, SOURCE_MANIFESTS, SOURCE_KUBERNETES };

struct config {
	enum source_kind source; /* never UNSET after config_finish() */
	char *kubeconfig;	 /* empty: the service account of the daemon's own pod */
	char *manifests;
	char *run_dir;
	char *pin_root;
	char *socket;  /* empty: <run_dir>/bulkhead.sock */
	char *metrics; /* "ADDR:PORT" or "none" */
	char *node_name;
	enum log_level log_level;
	unsigned int pod_wait_s; /* how long an attachment waits for its pod's object */
	unsigned int grace_s;	 /* how long a chained pod's connections from before may go on */
	struct conflist_settings cni;
	struct network_settings network;
	bool no_services; /* another component translates them */
	struct posture_config posture;
	struct bh_config kernel;
};

/* The defaults. 0 or -ENOMEM. */
int config_init(struct config *config, struct err *err);
void config_done(struct config *config);

/* Applies a file over what is there, or every .yaml file of a folder in the order of
 * their names. -EINVAL: "file:line: field: what". */
int config_load(struct config *config, const char *path, struct err *err);

/* Applies a file's text; `path` is for messages. */
int config_parse(struct config *config, const char *path, const char *text, size_t len, struct err *err);

/* Fills what follows from other settings; call once, after file and flags. */
int config_finish(struct config *config, struct err *err);

/* One setting by its key, as the flags give it. */
int config_set(struct config *config, const char *key, const char *value, struct err *err);

const char *posture_name(enum posture posture);

#endif
