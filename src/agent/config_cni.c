// SPDX-License-Identifier: Apache-2.0
/* Settings under `cni`: the network configuration that the daemon writes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config.h"
#include "agent/config_value.h"

#define POD_MTU_MIN 576
#define POD_MTU_MAX 65535

/* Empty: no file is written. */
static int set_conf_dir(struct config *config, const cJSON *value, struct err *err)
{
	if (cJSON_IsString(value) && !value->valuestring[0])
		return string_put(&config->cni.dir, "", err);
	return want_path(value, &config->cni.dir, err);
}

/* A name and no path, so that what we stand behind is what the runtime would read. */
static int set_chain(struct config *config, const cJSON *value, struct err *err)
{
	const char *text = "";
	int r = want_string(value, &text, err);

	if (r < 0)
		return r;
	if (strchr(text, '/') || text[0] == '.' || strcmp(text, CONFLIST_NAME) == 0)
		return err_set(err, EINVAL,
			       "must be the name of another file in confDir, or " CONFLIST_CHAIN_ANY);
	return string_put(&config->cni.chain, text, err);
}

static int set_pod_cidrs(struct config *config, const cJSON *value, struct err *err)
{
	struct conflist_settings *cni = &config->cni;
	const cJSON *item;

	if (!cJSON_IsArray(value))
		return err_set(err, EINVAL, "must be a list of address ranges");
	free(cni->pod_cidrs);
	cni->n_pod_cidrs = 0;
	cni->pod_cidrs = calloc((size_t)cJSON_GetArraySize(value) + 1, sizeof(*cni->pod_cidrs));
	if (!cni->pod_cidrs)
		return err_set(err, ENOMEM, "out of memory");
	cJSON_ArrayForEach (item, value)
		if (!cJSON_IsString(item) ||
		    prefix_parse(item->valuestring, &cni->pod_cidrs[cni->n_pod_cidrs++]) < 0)
			return err_set(err, EINVAL, "must be a list of address ranges (10.244.1.0/24)");
	return 0;
}

/* 0: as the kernel or the tunnel has it. */
static int set_mtu(struct config *config, const cJSON *value, struct err *err)
{
	uint32_t mtu = 0;
	int r = want_number(value, 0, POD_MTU_MAX, &mtu, err);

	if (r == 0 && mtu && mtu < POD_MTU_MIN)
		return err_set(err, EINVAL, "must be 0 or from %d to %d", POD_MTU_MIN, POD_MTU_MAX);
	if (r == 0)
		config->cni.pod_mtu = mtu;
	return r;
}

const struct config_key config_cni_keys[] = {
	{ "confDir", set_conf_dir, NULL }, { "chain", set_chain, NULL }, { "podCIDRs", set_pod_cidrs, NULL },
	{ "mtu", set_mtu, NULL },	   { NULL, NULL, NULL },
};
