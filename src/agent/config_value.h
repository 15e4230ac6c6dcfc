/* SPDX-License-Identifier: Apache-2.0 */
/* A setting by its name, and one reader per kind of value that it can have. An
 * error says what was wrong with the value; the caller says where it stands. */
#ifndef AGENT_CONFIG_VALUE_H
#define AGENT_CONFIG_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"

/* Puts a copy of `value` into `slot`, over what was there. 0 or -ENOMEM. */
int string_put(char **slot, const char *value, struct err *err);

/* 0, or -EINVAL with a sentence that begins with "must be". `ret` points into `value`. */
int want_string(const cJSON *value, const char **ret, struct err *err);
int want_bool(const cJSON *value, bool *ret, struct err *err);
int want_number(const cJSON *value, double min, double max, uint32_t *ret, struct err *err);
/* Sets or clears `bit`. */
int want_flag(const cJSON *value, uint32_t bit, uint32_t *flags, struct err *err);
/* An absolute path, copied into `slot`. */
int want_path(const cJSON *value, char **slot, struct err *err);

struct config;

/* Tables of these end with a null name. */
struct config_key {
	const char *name;
	int (*set)(struct config *config, const cJSON *value, struct err *err);
	const struct config_key *members; /* an object with these keys, instead of `set` */
};
extern const struct config_key config_cni_keys[];

/* config_network.c */
int config_set_network(struct config *config, const cJSON *value, struct err *err);
int config_set_tunnel_port(struct config *config, const cJSON *value, struct err *err);
int config_set_tunnel_vni(struct config *config, const cJSON *value, struct err *err);
int config_set_masquerade(struct config *config, const cJSON *value, struct err *err);
int config_set_non_masquerade(struct config *config, const cJSON *value, struct err *err);

#endif
