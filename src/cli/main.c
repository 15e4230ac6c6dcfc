// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "cli/command.h"

int main(int argc, char **argv)
{
	struct screen screen = screen_of_process();
	int code = cli_run(argc, argv, &screen);

	/* An answer that was cut (a full disk) must not count as one. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		if (errno != EPIPE)
			screen_complain(&screen, "writing the answer: %s", strerror(errno));
		return CLI_CANNOT_SAY;
	}
	return code;
}
