// SPDX-License-Identifier: Apache-2.0
#include "dataplane/nft.h"

#include <errno.h>
#include <nftables/libnftables.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

struct nft {
	struct nft_ctx *ctx;
	char *script;  /* that was run last; null: none yet */
	char *listing; /* of the table right after it */
};

int nft_new(struct nft **ret_nft, struct err *err)
{
	struct nft *nft = calloc(1, sizeof(*nft));

	if (nft)
		nft->ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!nft || !nft->ctx || nft_ctx_buffer_output(nft->ctx) || nft_ctx_buffer_error(nft->ctx)) {
		nft_free(nft);
		return err_set(err, ENOMEM, "nftables handle");
	}
	nft_ctx_output_set_flags(nft->ctx, NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_NUMERIC_ALL);
	*ret_nft = nft;
	return 0;
}

struct nft *nft_free(struct nft *nft)
{
	if (!nft)
		return NULL;
	if (nft->ctx)
		nft_ctx_free(nft->ctx);
	free(nft->script);
	free(nft->listing);
	free(nft);
	return NULL;
}

/* --- the script */

static void set_print(struct text *out, const char *name, bool is_v4, const struct prefix *v, size_t n)
{
	const char *comma = "";
	char text[ADDR_TEXT_MAX];

	text_addf(out, "\tset %s%s {\n\t\ttype %s\n\t\tflags interval\n\t\tauto-merge\n", name,
		  is_v4 ? "4" : "6", is_v4 ? "ipv4_addr" : "ipv6_addr");
	for (size_t i = 0; i < n; i++) {
		if (v[i].is_v4 != is_v4)
			continue;
		prefix_format(&v[i], text);
		text_addf(out, "%s%s", *comma ? comma : "\t\telements = { ", text);
		comma = ", ";
	}
	text_addf(out, "%s\t}\n", *comma ? " }\n" : "");
}

static bool has_family(const struct nft_rules *rules, bool is_v4)
{
	for (size_t i = 0; i < rules->n_own; i++)
		if (rules->own[i].is_v4 == is_v4)
			return true;
	return false;
}

/* What leaves through the tunnel says an address of this node's ranges, whoever
 * sends it: the node's own processes by way of a Service have another (S14). */
static void masquerade_print(struct text *out, const struct nft_rules *rules)
{
	text_addf(out, "\tchain outbound {\n\t\ttype nat hook postrouting priority 100; policy accept;\n");
	for (int is_v4 = 1; is_v4 >= 0; is_v4--) {
		const char *ip = is_v4 ? "ip" : "ip6";
		int family = is_v4 ? 4 : 6;

		if (!has_family(rules, is_v4))
			continue;
		if (rules->tunnel)
			text_addf(out, "\t\toifname \"%s\" %s saddr != @own%d masquerade fully-random\n",
				  rules->tunnel, ip, family);
		if (rules->masquerade)
			text_addf(out,
				  "\t\t%s saddr @own%d %s daddr != @keep%d %s daddr != %s masquerade "
				  "fully-random\n",
				  ip, family, ip, family, ip, is_v4 ? "224.0.0.0/4" : "ff00::/8");
	}
	text_addf(out, "\t}\n");
}

/* A Service can stand for a node's address and the tunnel's port, and a translation
 * of the source can make a pod's packet look like a node's: only the node's own
 * stack may send there. */
static void guard_print(struct text *out, const struct nft_rules *rules)
{
	text_addf(out, "\tchain guard {\n\t\ttype filter hook forward priority 0; policy accept;\n");
	if (has_family(rules, true))
		text_addf(out, "\t\tip saddr @own4 udp dport %u drop\n", rules->tunnel_port);
	if (has_family(rules, false))
		text_addf(out, "\t\tip6 saddr @own6 udp dport %u drop\n", rules->tunnel_port);
	text_addf(out, "\t}\n");
}

/* Added and deleted before it is written: the whole is one transaction, and nothing
 * of an older table stays. */
static void script_print(struct text *out, const struct nft_rules *rules)
{
	text_addf(out, "add table inet " NFT_TABLE "\ndelete table inet " NFT_TABLE "\n");
	text_addf(out, "table inet " NFT_TABLE " {\n");
	for (int is_v4 = 1; is_v4 >= 0; is_v4--) {
		set_print(out, "own", is_v4, rules->own, rules->n_own);
		set_print(out, "keep", is_v4, rules->keep, rules->n_keep);
	}
	masquerade_print(out, rules);
	if (rules->tunnel_port)
		guard_print(out, rules);
	text_addf(out, "}\n");
}

/* --- running it */

/* What the library says last spans lines; the first one is the reason. */
static int nft_run(struct nft *nft, const char *script, struct err *err)
{
	const char *why;

	if (nft_run_cmd_from_buffer(nft->ctx, script) == 0)
		return 0;
	why = nft_ctx_get_error_buffer(nft->ctx);
	return err_set(err, EIO, "table inet " NFT_TABLE " of nftables: %.*s",
		       why ? (int)strcspn(why, "\n") : 0, why ? why : "");
}

/* Null: there is none, or out of memory. */
static char *table_listing(struct nft *nft)
{
	const char *text;

	if (nft_run_cmd_from_buffer(nft->ctx, "list table inet " NFT_TABLE) != 0)
		return NULL;
	text = nft_ctx_get_output_buffer(nft->ctx);
	return text ? strdup(text) : NULL;
}

static bool table_is_as_left(struct nft *nft, const char *script)
{
	auto_free char *now = NULL;

	if (!nft->script || !nft->listing || strcmp(nft->script, script) != 0)
		return false;
	now = table_listing(nft);
	return now && strcmp(now, nft->listing) == 0;
}

int nft_put(struct nft *nft, const struct nft_rules *rules, struct err *err)
{
	auto_text struct text script = { 0 };
	int r;

	script_print(&script, rules);
	if (script.failed)
		return err_set(err, ENOMEM, "rules of nftables");
	if (table_is_as_left(nft, script.data))
		return 0;
	r = nft_run(nft, script.data, err);
	if (r < 0)
		return r;
	free(nft->script);
	free(nft->listing);
	nft->listing = table_listing(nft);
	nft->script = strdup(script.data);
	return 1;
}

int nft_remove(struct nft *nft, struct err *err)
{
	auto_free char *there = table_listing(nft);

	return there ? nft_run(nft, "delete table inet " NFT_TABLE, err) : 0;
}
