/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One small world to ask reports about: shop/web (role api), shop/job (job) and
 * shop/db (db); db takes role api on its port "sql" and 8000-8010/TCP from anybody.
 */
#ifndef LIB_SMALLWORLD_H
#define LIB_SMALLWORLD_H

#include <bulkhead/abi.h>

#include "base/json.h"
#include "lib/build.h"
#include "lib/packet.h"
#include "report/report.h"

extern const struct report_node the_node;

/* The state is a struct world, with room for pods of the test's own. */
int smallworld_setup(void **state);
int smallworld_teardown(void **state);

/* Of namespace shop; without an address it is a workload's template. */
struct pod *pod_of_role(const char *name, const char *role, const char *addr);
/* Which of two misses is the nearer is the evaluator's choice, and its tests'. */
void keep_first_rule(struct world *world);
/* The policy's second rule takes one port, and no other. */
struct port_match *rule_lists(struct world *world, uint16_t number);
/* shop/data in front of role db, and shop/nothing in front of nobody. */
void services_add(struct world *world);
/* shop/api in front of the pods of role db: `port` there is `target` in the pods. */
struct service *db_service(struct world *world, uint16_t port, uint16_t target);

/* A drop at the ingress of `dst`, by policy. */
struct bh_event an_event(const char *src, const char *dst, uint16_t port);
cJSON *ask(const struct world *world, const char *from, const char *to, const char *port);
/* The text of member a, or of its member b. */
const char *text_at(const cJSON *json, const char *a, const char *b);

#endif
