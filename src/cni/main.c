// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cni/command.h"
#include "dataplane/bpflog.h"

int main(void)
{
	if (!getenv("CNI_COMMAND"))
		fprintf(stderr, "bulkhead is a CNI plugin: a container runtime starts it (CNI_COMMAND is not "
				"set).\n");
	bpflog_demote();
	return dispatch(STDIN_FILENO, stdout);
}
