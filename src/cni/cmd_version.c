// SPDX-License-Identifier: Apache-2.0
#include "base/cleanup.h"
#include "cni/command.h"

cJSON *cmd_version(void)
{
	auto_json cJSON *json = cJSON_CreateObject();
	cJSON *list = cJSON_CreateStringArray(cni_version_names, CNI_VERSIONS);

	if (!list)
		return NULL;
	if (!json || !cJSON_AddStringToObject(json, "cniVersion", CNI_VERSION_NEWEST) ||
	    !cJSON_AddItemToObject(json, "supportedVersions", list)) {
		cJSON_Delete(list);
		return NULL;
	}
	return TAKE(json);
}
