// SPDX-License-Identifier: Apache-2.0
/* The checks of a node, which `bulkheadd` makes: a script is in its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/shell.h"

/* A program in the daemon's place, which answers as `bulkheadd --check-node` does. */
static void pretend_checks(const struct shell *shell, const char *script)
{
	char path[96];

	shell_put(shell, "bulkheadd", script);
	snprintf(path, sizeof(path), "%s/bulkheadd", shell->folder);
	assert_int_equal(chmod(path, 0755), 0);
	setenv("BULKHEADD", path, 1);
}

static void checks_are_one_line_each(void **state)
{
	struct shell *shell = *state;

	pretend_checks(
		shell,
		"#!/bin/sh\n[ \"$*\" = '--check-node --config c --kubeconfig k --plugins p' ] || exit 2\n"
		"echo '{\"checks\":[{\"name\":\"kernel\",\"level\":\"ok\",\"found\":\"fine\"},'\n"
		"echo '{\"name\":\"plugin\",\"level\":\"FAIL\",\"found\":\"b\\u001bad\",\"todo\":\"mend "
		"it\"}],'\n"
		"echo '\"ok\":false}'; exit 1\n");
	shell_run(shell, "check --config c --kubeconfig k --plugins p");
	shell_printed(shell, 1, "ok       kernel       fine\nFAIL     plugin       b\\x1bad -> mend it\n");
	shell_run(shell, "check --config c --kubeconfig k --plugins p -o json");
	shell_printed(shell, 1, "\"ok\":\tfalse");
	pretend_checks(shell, "#!/bin/sh\necho '{\"checks\":[],\"ok\":true}'\n");
	shell_run(shell, "check");
	assert_int_equal(shell->code, 0);
	unsetenv("BULKHEADD");
}

static void checks_without_an_answer_are_told_plainly(void **state)
{
	struct shell *shell = *state;

	setenv("BULKHEADD", "/none", 1);
	shell_run(shell, "check");
	shell_complained(shell, "/none: No such file or directory");
	pretend_checks(shell, "#!/bin/sh\nexit 2\n");
	shell_run(shell, "check");
	shell_complained(shell, "gave no answer");
	pretend_checks(shell, "#!/bin/sh\necho nonsense\n");
	shell_run(shell, "check");
	assert_int_equal(shell->code, 2);
	unsetenv("BULKHEADD");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, shell_setup, shell_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(checks_are_one_line_each),
		TEST(checks_without_an_answer_are_told_plainly),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
