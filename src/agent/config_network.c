// SPDX-License-Identifier: Apache-2.0
/* Settings of the network between nodes. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config.h"
#include "agent/config_value.h"

#define VNI_MAX 16777215

int config_set_network(struct config *config, const cJSON *value, struct err *err)
{
	const char *text = "";
	int r = want_string(value, &text, err);

	if (r < 0)
		return r;
	for (int mode = NETWORK_NONE; mode <= NETWORK_DIRECT; mode++) {
		if (strcmp(text, network_mode_name((enum network_mode)mode)) == 0) {
			config->network.mode = (enum network_mode)mode;
			return 0;
		}
	}
	return err_set(err, EINVAL, "must be none, vxlan or direct");
}

int config_set_tunnel_port(struct config *config, const cJSON *value, struct err *err)
{
	uint32_t port = 0;
	int r = want_number(value, 0, 65535, &port, err);

	if (r == 0)
		config->kernel.tunnel_port = htons((uint16_t)port);
	return r;
}

int config_set_tunnel_vni(struct config *config, const cJSON *value, struct err *err)
{
	return want_number(value, 1, VNI_MAX, &config->network.vni, err);
}

int config_set_masquerade(struct config *config, const cJSON *value, struct err *err)
{
	return want_bool(value, &config->network.masquerade, err);
}

int config_set_non_masquerade(struct config *config, const cJSON *value, struct err *err)
{
	struct network_settings *network = &config->network;
	const cJSON *item;

	if (!cJSON_IsArray(value))
		return err_set(err, EINVAL, "must be a list of address ranges");
	free(network->keep);
	network->n_keep = 0;
	network->keep = calloc((size_t)cJSON_GetArraySize(value) + 1, sizeof(*network->keep));
	if (!network->keep)
		return err_set(err, ENOMEM, "out of memory");
	cJSON_ArrayForEach (item, value)
		if (!cJSON_IsString(item) ||
		    prefix_parse(item->valuestring, &network->keep[network->n_keep++]) < 0)
			return err_set(err, EINVAL, "must be a list of address ranges (10.0.0.0/8)");
	return 0;
}
