// SPDX-License-Identifier: Apache-2.0
/* bulkheadd: the node daemon. */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/instance.h"
#include "agent/node_install.h"
#include "agent/nodecheck.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "dataplane/loader.h"

#define PLUGINS_FROM "/opt/cni/bin"
#define LARGE_BLOCK  (256 << 10)

static const char usage[] =
	"usage: bulkheadd [--config PATH] [options]\n"
	"\n"
	"  --config PATH        settings (YAML), or a folder of such files; flags go over them\n"
	"  --manifests DIR      the folder of objects that is watched\n"
	"  --kubeconfig FILE    objects come from the API server that this file names\n"
	"  --in-cluster         objects come from the API server of the pod this runs in\n"
	"  --run-dir DIR        state, lock and socket (" CONFIG_DEFAULT_RUN_DIR ")\n"
	"  --pin-root DIR       where maps and programs are pinned, on a bpffs\n"
	"  --socket PATH        control socket (RUN-DIR/bulkhead.sock)\n"
	"  --metrics ADDR:PORT  metrics and health (" CONFIG_DEFAULT_METRICS "), or none\n"
	"  --posture P          standard, deny or audit\n"
	"  --log-level LEVEL    error, warn, info or debug\n"
	"  --pod-wait SECONDS   how long a new pod waits for its object\n"
	"  --node-name NAME     this node's name\n"
	"  --check-node         is this node fit, and Bulkhead in order? (for bulkheadctl check)\n"
	"  --check-config       read the settings, say what is wrong, do nothing else\n"
	"  --install DIR        put the plugins into the runtime's folder, mount the bpffs, end\n"
	"  --uninstall DIR      remove all of Bulkhead from this node, the plugin in DIR too, end\n"
	"  --idle               do nothing until SIGTERM\n"
	"  --plugins DIR        where --install finds them, and --check-node the runtime's\n"
	"                       (" PLUGINS_FROM ")\n"
	"  --version, --help\n";

enum {
	OPT_CONFIG = 256,
	OPT_CHECK,
	OPT_CHECK_NODE,
	OPT_VERSION,
	OPT_HELP,
	OPT_IN_CLUSTER,
	OPT_INSTALL,
	OPT_UNINSTALL,
	OPT_PLUGINS,
	OPT_IDLE,
	OPT_SETTING
};

/* OPT_SETTING + i sets the key setting_keys[i]. */
static const char *const setting_keys[] = { "manifests", "runDir",   "pinRoot", "socket",   "metrics",
					    "posture",	 "logLevel", "podWait", "nodeName", "kubeconfig" };

static const struct option options[] = {
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "check-config", no_argument, NULL, OPT_CHECK },
	{ "check-node", no_argument, NULL, OPT_CHECK_NODE },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "in-cluster", no_argument, NULL, OPT_IN_CLUSTER },
	{ "install", required_argument, NULL, OPT_INSTALL },
	{ "uninstall", required_argument, NULL, OPT_UNINSTALL },
	{ "idle", no_argument, NULL, OPT_IDLE },
	{ "plugins", required_argument, NULL, OPT_PLUGINS },
	{ "manifests", required_argument, NULL, OPT_SETTING + 0 },
	{ "run-dir", required_argument, NULL, OPT_SETTING + 1 },
	{ "pin-root", required_argument, NULL, OPT_SETTING + 2 },
	{ "socket", required_argument, NULL, OPT_SETTING + 3 },
	{ "metrics", required_argument, NULL, OPT_SETTING + 4 },
	{ "posture", required_argument, NULL, OPT_SETTING + 5 },
	{ "log-level", required_argument, NULL, OPT_SETTING + 6 },
	{ "pod-wait", required_argument, NULL, OPT_SETTING + 7 },
	{ "node-name", required_argument, NULL, OPT_SETTING + 8 },
	{ "kubeconfig", required_argument, NULL, OPT_SETTING + 9 },
	{ NULL, 0, NULL, 0 },
};

/* What the command line asks for, before the settings. */
struct request {
	const char *config;
	bool check_only;
	bool check_node;
	bool done;			 /* --help, --version */
	const char *install, *uninstall; /* the runtime's plugin folder */
	const char *plugins;
	bool idle;
};

/* The first pass finds the file, the second puts the flags over it. */
static int read_flags(int argc, char **argv, struct config *config, struct request *request, struct err *err)
{
	int opt;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == '?')
			return err_set(err, EINVAL, "see bulkheadd --help");
		if (opt == OPT_CONFIG)
			request->config = optarg;
		else if (opt == OPT_CHECK)
			request->check_only = true;
		else if (opt == OPT_CHECK_NODE)
			request->check_node = true;
		else if (opt == OPT_INSTALL)
			request->install = optarg;
		else if (opt == OPT_UNINSTALL)
			request->uninstall = optarg;
		else if (opt == OPT_IDLE)
			request->idle = true;
		else if (opt == OPT_PLUGINS)
			request->plugins = optarg;
		else if (opt == OPT_HELP || opt == OPT_VERSION)
			request->done = true;
		if (opt == OPT_HELP && !config)
			fputs(usage, stdout);
		if (opt == OPT_VERSION && !config)
			puts("bulkheadd " BULKHEAD_VERSION);
		if (opt == OPT_IN_CLUSTER && config) {
			config->source = SOURCE_KUBERNETES;
			config->kubeconfig[0] = '\0'; /* the file's, as flags go over it */
		}
		if (opt >= OPT_SETTING && config &&
		    config_set(config, setting_keys[opt - OPT_SETTING], optarg, err))
			return err_wrap(err, -EINVAL, "command line");
	}
	if (optind < argc)
		return err_set(err, EINVAL, "unexpected argument %s, see bulkheadd --help", argv[optind]);
	return 0;
}

static int read_settings(int argc, char **argv, struct config *config, const struct request *request,
			 struct err *err)
{
	struct request again = { 0 };
	int r = config_init(config, err);

	if (r == 0 && request->config)
		r = config_load(config, request->config, err);
	if (r == 0)
		r = read_flags(argc, argv, config, &again, err);
	return r < 0 ? r : config_finish(config, err);
}

static const char *source_of(const struct config *config)
{
	if (config->source == SOURCE_MANIFESTS)
		return config->manifests;
	return config->kubeconfig[0] ? config->kubeconfig : "in-cluster";
}

/* What a compile or a list needs for a moment is large, and what it leaves behind small
 * and many: in one heap the small would keep the large from going back. A fixed threshold
 * (glibc's own grows with the first large block that is freed) gives each large block a
 * mapping, which ends with it. */
static void memory_tune(void)
{
	mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
	mallopt(M_TRIM_THRESHOLD, LARGE_BLOCK);
}

static int serve(const struct config *config, struct err *err)
{
	struct agent *agent = NULL;
	auto_close int lock = -1;
	int r;

	memory_tune();
	r = loader_probe(err);
	if (r < 0)
		return err_wrap(err, r, "this kernel");
	lock = instance_lock(config->run_dir, err);
	if (lock < 0)
		return lock;
	if ((r = instance_bpffs(config->pin_root, err)) < 0 || (r = agent_new(config, &agent, err)) < 0)
		return r;
	if (config->posture.posture == POSTURE_AUDIT)
		log_warn("posture=audit: nothing is dropped by policy, only reported");
	log_info("started version=%s node=%s source=%s socket=%s metrics=%s", BULKHEAD_VERSION,
		 config->node_name, source_of(config), config->socket, config->metrics);
	r = agent_run(agent, err);
	agent_free(agent);
	return r;
}

/* A DaemonSet's pods must not end: what one does whose work is done. */
static int idle(struct err *err)
{
	sigset_t set;
	int got;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || sigwait(&set, &got) != 0)
		return err_set(err, errno, "wait for a signal: %s", strerror(errno));
	return 0;
}

/* 1: something is wrong with the node, and said. */
static int run(const struct config *config, const struct request *request, struct err *err)
{
	if (request->check_node)
		return nodecheck_run(config, request->plugins, stdout, err);
	if (request->install)
		return node_install(config, request->plugins, request->install, err);
	if (request->uninstall)
		return node_uninstall(config, request->uninstall, err);
	return request->idle ? idle(err) : serve(config, err);
}

int main(int argc, char **argv)
{
	cleanup(config_done) struct config config = { 0 };
	struct request request = { .plugins = PLUGINS_FROM };
	struct err err = { 0 };
	int r;

	signal(SIGPIPE, SIG_IGN);
	/* Objects are watched, nothing waits to be read again. */
	signal(SIGHUP, SIG_IGN);
	if (read_flags(argc, argv, NULL, &request, &err) < 0 ||
	    (!request.done && read_settings(argc, argv, &config, &request, &err) < 0)) {
		log_error("%s", err.msg);
		return 2;
	}
	if (request.done)
		return 0;
	if (request.check_only) {
		puts("ok");
		return 0;
	}
	log_set_level(config.log_level);
	r = run(&config, &request, &err);
	if (r < 0)
		log_error("%s", err.msg);
	return r < 0 ? request.check_node ? 2 : 1 : r;
}
