// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cni/command.h"
#include "dataplane/bpflog.h"
#include "dataplane/pins.h"

int main(int argc, char **argv)
{
	/* For `bulkheadctl check`: does it go with the daemon? */
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts(PINS_VERSION_LINE("bulkhead"));
		return 0;
	}
	if (!getenv("CNI_COMMAND"))
		fprintf(stderr, "bulkhead is a CNI plugin: a container runtime starts it (CNI_COMMAND is not "
				"set).\n");
	bpflog_demote();
	return dispatch(STDIN_FILENO, stdout);
}
