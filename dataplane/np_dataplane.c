// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// np-dataplane: answers queries from the zone images in force. The main thread starts everything,
// then sleeps until a signal; see dataplane.h for the order.

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "attach.h"
#include "dataplane.h"
#include "eal.h"
#include "heap.h"
#include "log.h"
#include "notify.h"
#include "port.h"
#include "punt.h"
#include "tcp.h"
#include "worker.h"

struct process {
	struct config *config;
	struct dataplane dp;
	struct ports *ports;
	struct workers *workers;
	struct attach *attach;
	struct tcp *tcp;
};

static void usage(FILE *to)
{
	fputs("usage: np-dataplane [-c FILE] [--check]\n"
	      "\n"
	      "  -c, --config FILE  the configuration, nameplane.conf(5); default " CONFIG_FILE "\n"
	      "      --check        read it, say what is wrong with it, and exit\n"
	      "  -V, --version      print the version and exit\n"
	      "  -h, --help         this\n",
	    to);
}

static_assert(CONFIG_IDENTITY_MAX <= DNS_IDENTITY_MAX, "what the file may say can be served");
static_assert(CONFIG_COOKIE_SECRETS <= DNS_COOKIE_SECRETS, "every secret verifies");
static_assert(CONFIG_COOKIE_SECRET_LEN == SIPHASH_KEY_LEN, "a secret is a key");

static struct config *load(const char *path, unsigned flags)
{
	struct config_error error;
	struct config *config;

	if (config_load(path, flags, &config, &error) == 0)
		return config;
	if (error.line > 0)
		fprintf(stderr, "%s:%u:%u: %s\n", path, error.line, error.column, error.message);
	else
		fprintf(stderr, "%s: %s\n", path, error.message);
	return NULL;
}

// Whether what the file points at is in order, too.
static bool check_cookies(const struct config *config)
{
	uint8_t secrets[CONFIG_COOKIE_SECRETS][CONFIG_COOKIE_SECRET_LEN];
	struct config_error error;
	int count = config_cookie_secrets(config, secrets, &error);

	explicit_bzero(secrets, sizeof secrets);
	if (count < 0)
		fprintf(stderr, "%s\n", error.message);
	return count >= 0;
}

// Cookies help clients and are not worth refusing to serve for: without a readable file they are
// made with a secret nobody else has.
static int make_cookies(struct dns_server *server, const struct config *config)
{
	uint8_t secrets[CONFIG_COOKIE_SECRETS][CONFIG_COOKIE_SECRET_LEN];
	struct config_error error;
	int count = config_cookie_secrets(config, secrets, &error);

	if (count < 0)
		log_error("%s Cookies are made with a random secret.", error.message);
	if (count <= 0 && config->server.answer_cookie) {
		if (getrandom(secrets[0], sizeof secrets[0], 0) != sizeof secrets[0]) {
			log_error("no random bytes for a cookie secret: %s.", strerror(errno));
			return -EIO;
		}
		count = 1;
	}
	for (int i = 0; i < count; i++)
		server->cookie_secrets[i] = siphash_key_from(secrets[i]);
	server->cookie_secret_count = (uint8_t)count;
	explicit_bzero(secrets, sizeof secrets);
	return 0;
}

static int make_server(struct dns_server *server, const struct config *config)
{
	size_t identity = strlen(config->server.identity), version = strlen(config->server.version);

	server->identity_len = (uint8_t)identity;
	server->version_len = (uint8_t)version;
	memcpy(server->identity, config->server.identity, identity);
	memcpy(server->version, config->server.version, version);
	server->udp_payload_max = (uint16_t)config->dataplane.udp_payload_max;
	// Rounded down: no longer is promised than is kept.
	server->tcp_keepalive = (uint16_t)(config->dataplane.tcp_idle_ms / 100);
	return make_cookies(server, config);
}

// One column per worker and TCP thread, and one for attach.
static int make_counters(struct dataplane *dp)
{
	unsigned workers = (unsigned)dp->config->dataplane.worker_count;
	unsigned threads = dp->config->dataplane.tcp_threads, count = workers + threads + 1;
	char(*names)[32] = calloc(count, sizeof *names);
	const char **list = calloc(count, sizeof *list);
	int rc = -ENOMEM;

	if (names != NULL && list != NULL) {
		for (unsigned i = 0; i < count; i++) {
			if (i < workers)
				snprintf(names[i], sizeof names[i], "worker-%u", i);
			else if (i < workers + threads)
				snprintf(names[i], sizeof names[i], "tcp-%u", i - workers);
			else
				snprintf(names[i], sizeof names[i], "attach");
			list[i] = names[i];
		}
		dp->column_tcp = workers;
		dp->column_attach = workers + threads;
		rc = counters_open(list, count, rte_get_tsc_hz(), &dp->counters);
	}
	if (rc != 0)
		log_error("no memory for the counters: %s.", strerror(-rc));
	free(names);
	free(list);
	return rc;
}

static int make_rundir(const char *path)
{
	if (mkdir(path, 0755) == 0 || errno == EEXIST)
		return 0;
	log_error("cannot make the folder %s: %s; make it, or set server: rundir.", path,
	    strerror(errno));
	return -errno;
}

static int punts_start(struct ports *ports)
{
	for (unsigned i = 0; i < ports->count; i++) {
		struct port *port = &ports->list[i];
		int rc = port->punt != NULL ? punt_start(port->punt, port, ports->down_pool) : 0;
		if (rc != 0) {
			log_error(
			    "%s: cannot start the punt thread: %s.", port->name, strerror(-rc));
			return rc;
		}
	}
	return 0;
}

static int start(struct process *p)
{
	struct dataplane *dp = &p->dp;
	int rc;

	dp->config = p->config;
	rc = make_server(&dp->server, p->config);
	if (rc == 0)
		rc = make_rundir(p->config->server.rundir);
	if (rc == 0)
		rc = eal_start(p->config);
	if (rc == 0)
		rc = make_counters(dp);
	if (rc == 0)
		rc = forward_open((unsigned)p->config->dataplane.worker_count, &dp->forward);
	if (rc == 0)
		rc = attach_start(dp, &p->attach);
	if (rc == 0)
		rc = ports_open(p->config, &p->ports);
	if (rc == 0) {
		eal_settle();
		forward_bind(dp->forward, p->ports);
		rc = ports_start(p->ports);
	}
	if (rc == 0)
		rc = punts_start(p->ports);
	if (rc == 0)
		rc = workers_start(dp, p->ports, &p->workers);
	if (rc == 0)
		rc = tcp_start(dp, &p->tcp);
	return rc;
}

// The reverse of start(), from wherever that got to.
static void stop(struct process *p)
{
	tcp_stop(p->tcp);
	workers_stop(p->workers);
	if (p->dp.forward != NULL)
		forward_bind(p->dp.forward, NULL);
	ports_close(p->ports);
	attach_stop(p->attach);
	forward_close(p->dp.forward);
	counters_close(p->dp.counters);
	eal_stop();
}

// Ports and workers are what the process was started with; a new file is checked, so that the
// operator hears now and not at the next start what is wrong with it.
static void reload(const char *path)
{
	struct config *config;

	notify_manager("RELOADING=1");
	config = load(path, CONFIG_CHECK_FILES);
	if (config != NULL && check_cookies(config))
		log_info("the configuration is valid; it is in force at the next start.");
	else
		log_error("the configuration was not changed.");
	config_free(config);
	notify_manager("READY=1");
}

static void wait_for_the_end(const sigset_t *signals, const char *path)
{
	for (;;) {
		int sig = 0;
		if (sigwait(signals, &sig) != 0)
			continue;
		if (sig == SIGTERM || sig == SIGINT)
			return;
		if (sig == SIGHUP)
			reload(path);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"check", no_argument, NULL, 'C'},
	    {"version", no_argument, NULL, 'V'},
	    {"help", no_argument, NULL, 'h'},
	    {0},
	};
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	struct process process = {0};
	const char *path = CONFIG_FILE;
	bool check = false;
	sigset_t signals;
	int option, rc;

	while ((option = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 'C':
			check = true;
			break;
		case 'V':
			puts("np-dataplane " NAMEPLANE_VERSION);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind != argc) {
		usage(stderr);
		return 2;
	}
	process.config = load(path, check ? CONFIG_CHECK_FILES : 0);
	if (process.config == NULL)
		return 1;
	if (check) {
		bool good = check_cookies(process.config);

		config_free(process.config);
		return good ? 0 : 1;
	}

	heap_open();
	// All threads inherit this mask: signals come to the main thread, in sigwait().
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	setrlimit(
	    RLIMIT_MEMLOCK, &unlimited); // AF_XDP buffers are locked; without right to, it shows

	rc = start(&process);
	if (rc == 0) {
		log_line(LOG_LEVEL_INFO, "answering.");
		fputs("ready\n", stderr);
		notify_manager("READY=1");
		wait_for_the_end(&signals, path);
		notify_manager("STOPPING=1");
		log_info("stopping.");
	}
	stop(&process);
	config_free(process.config);
	return rc == 0 ? 0 : 1;
}
