// SPDX-License-Identifier: Apache-2.0
/* How the command is used, and what it never prints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/command.h"
#include "lib/shell.h"
#include "lib/text_has.h"

static void wrong_usage_is_one_line(void **state)
{
	static const struct {
		const char *line;
		const char *complaint;
	} rows[] = {
		{ "frob", "unknown verb \"frob\"" },
		{ "--frob", "unknown option --frob" },
		{ "-x", "unknown option -x" },
		{ "--help=yes", "--help takes no value" },
		{ "matrix -o xml", "--output is json or text, not \"xml\"" },
		{ "matrix --manifests", "--manifests needs a value" },
		{ "matrix extra", "usage: bulkheadctl matrix" },
		{ "explain a b", "usage: bulkheadctl explain FROM TO PORT[/PROTO]" },
		{ "explain a b c d", "too many arguments" },
		{ "status -m DIR", "status does not take --manifests" },
		{ "matrix --follow", "matrix does not take --follow" },
		{ "lint -m DIR --posture strict", "--posture is standard, deny or audit" },
		{ "drops --limit x", "--limit is a number" },
		{ "drops --limit 1025", "--limit is a number" },
		{ "frob --help", "unknown verb" },
	};
	struct shell *shell = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		shell_run(shell, rows[i].line);
		shell_complained(shell, rows[i].complaint);
	}
}

static void every_verb_has_help_with_an_example(void **state)
{
	struct shell *shell = *state;
	const struct command *command;
	char line[64];

	shell_run(shell, "--help");
	shell_printed(shell, 0, "Usage: bulkheadctl [verb]");
	for (size_t i = 0; (command = command_at(i)); i++) {
		text_has(shell->out, command->name);
		snprintf(line, sizeof(line), "%s --help", command->name);
		shell_run(shell, line);
		shell_printed(shell, 0, "Example: bulkheadctl ");
		text_has(shell->out, command->name);
		shell_run(shell, "-h");
	}
	shell_run(shell, "--version");
	shell_printed(shell, 0, "bulkheadctl ");
}

static void names_never_reach_the_terminal_raw(void **state)
{
	struct shell *shell = *state;
	const char *forms[] = { "explain -m DIR 10.0.0.1 10.0.0.2 80", "matrix -m DIR",
				"matrix -m DIR -o json", "explain -m DIR 10.0.0.1 10.0.0.2 80 -o json",
				"lint -m DIR" };

	shell_put(shell, "a.yaml",
		  "kind: Pod\nmetadata: {name: \"a\\e[2J\\x9b\\u202eb\"}\nstatus: {podIP: 10.0.0.1}\n---\n"
		  "kind: Pod\nmetadata: {name: b}\nstatus: {podIP: 10.0.0.2}\n---\n"
		  "kind: NetworkPolicy\nmetadata: {name: \"p\\e]0;x\\a\"}\nspec: {\"x\\e[1m\": 1}\n");
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		shell_run(shell, forms[i]);
		for (const char *text = shell->out; *text; text++)
			if ((*text < 0x20 && *text != '\n' && *text != '\t') || *text == 0x7f)
				fail_msg("byte %02x in the answer to %s", (unsigned char)*text, forms[i]);
		assert_null(strchr(shell->err, '\033'));
		assert_null(strstr(shell->out, "\xe2\x80\xae"));
		assert_null(strstr(shell->out, "\xc2\x9b"));
	}
}

static void colour_is_for_terminals(void **state)
{
	struct shell *shell = *state;

	shell_put(shell, "shop.yaml", shell_shop);
	shell->colour = true;
	shell_run(shell, "explain -m DIR shop/job shop/db 5432");
	shell_printed(shell, 1, "\033[31mshop/job -> shop/db TCP/5432: denied\033[0m\n");
	shell_run(shell, "matrix -m DIR -o json");
	assert_null(strchr(shell->out, '\033'));
	shell->colour = false;
	shell_run(shell, "explain -m DIR shop/job shop/db 5432");
	assert_null(strchr(shell->out, '\033'));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, shell_setup, shell_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(wrong_usage_is_one_line),
		TEST(every_verb_has_help_with_an_example),
		TEST(names_never_reach_the_terminal_raw),
		TEST(colour_is_for_terminals),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
