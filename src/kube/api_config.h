/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the API server is and who we are to it: a pod's service account, or a
 * kubeconfig. The kubelet swaps token and CA under our feet, so they are read
 * again every minute and after a 401. The server's certificate is always
 * verified; a kubeconfig that says otherwise is refused.
 */
#ifndef KUBE_API_CONFIG_H
#define KUBE_API_CONFIG_H

#include <stdbool.h>

#include "base/err.h"
#include "kube/api_secret.h"

#define API_SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"

struct api_config {
	char *server;	   /* "https://[fd00::1]:443", without a slash at the end */
	char *server_name; /* whom the certificate must name, when not the host above; or null */
	bool in_cluster;   /* proxy variables do not count */
	char *ca;	   /* PEM; null: the system's roots */
	char *ca_file;	   /* where it came from, or null */
	char *cert;	   /* PEM, or null */
	char *cert_file;
	struct api_secret *key;
	char *key_file;
	struct api_secret *token;
	char *token_file;
};

/* From KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT and the folder of the
 * service account. */
int api_config_in_cluster(const char *account_folder, struct api_config *ret, struct err *err);

/* The current context of a kubeconfig. */
int api_config_kubeconfig(const char *path, struct api_config *ret, struct err *err);

/* Reads again what came from files. 1: something changed, 0: nothing did;
 * negative: something cannot be read, and what was known stays in use. */
int api_config_refresh(struct api_config *config, struct err *err);
void api_config_done(struct api_config *config);

/* An https URL with nothing but host and port (and path); http for a loopback
 * address alone, as a credential must not travel in the open. */
int api_server_check(const char *server, struct err *err);

#endif
