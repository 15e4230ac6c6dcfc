/* SPDX-License-Identifier: Apache-2.0 */
/* From an address that clients dial to its Service. */
#ifndef REPORT_SERVICE_OF_H
#define REPORT_SERVICE_OF_H

#include "base/json.h"
#include "policy/explain.h"
#include "policy/model.h"
#include "service/backends.h"

/* The Service with this address and port, and that port; null: none. */
const struct service *service_of(const struct world *world, const struct bh_addr *addr, uint8_t proto,
				 uint16_t port, const struct service_port **ret_port);

/* report_explain() where that is dialled: each backend's answer, and all together. */
int explain_service(const struct world *world, const struct explain_query *query,
		    const struct service *service, const struct service_port *port, cJSON **ret,
		    struct err *err);

/* Who serves it for this client (null: it is no pod), as far as the objects say. 0 or
 * -ENOMEM. */
int service_backends(const struct world *world, const struct service *service,
		     const struct service_port *port, bool is_v6, const struct pod *client,
		     struct backends *ret);

#endif
