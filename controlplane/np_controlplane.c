// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// np-controlplane: arguments, configuration, the event loop, signals, and the order in which the
// parts start and end.
#include <event2/event.h>

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "compiler_child.h"
#include "configure.h"
#include "control.h"
#include "daemon.h"
#include "engine.h"
#include "here.h"
#include "log.h"
#include "offload.h"
#include "primary.h"
#include "publish.h"
#include "service.h"
#include "slice.h"
#include "starting.h"

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// --- between the parts
// ----------------------------------------------------------------------------

static void published(
    void *ctx, const uint8_t *apex, uint32_t token, enum engine_verdict verdict, const char *reason)
{
	struct daemon *daemon = ctx;

	if (daemon->primary != NULL &&
	    primary_published(daemon->primary, apex, token, verdict == ENGINE_LIVE, reason))
		return;
	if (daemon->engine != NULL)
		engine_published(daemon->engine, apex, token, verdict, reason);
}

static void changed(void *ctx, const uint8_t *apex, bool catalog)
{
	struct daemon *daemon = ctx;

	if (daemon->engine != NULL)
		engine_changed(daemon->engine, apex);
	if (catalog)
		configure_catalog_changed(daemon);
}

static void replaced(void *ctx, const uint8_t *apex, const struct zone_soa *soa, uint64_t origin)
{
	struct daemon *daemon = ctx;

	if (daemon->engine != NULL)
		(void)engine_replaced(daemon->engine, apex, soa, origin);
}

static void lost(void *ctx, const uint8_t *apex)
{
	struct daemon *daemon = ctx;

	if (daemon->primary != NULL && primary_reread(daemon->primary, apex))
		return;
	if (daemon->engine != NULL)
		(void)engine_lost(daemon->engine, apex);
}

static void doubted(void *ctx, const uint8_t *apex)
{
	struct daemon *daemon = ctx;

	if (daemon->engine != NULL)
		(void)engine_retransfer(daemon->engine, apex);
}

static void read_so_far(void *ctx, size_t done, size_t total)
{
	const struct daemon *daemon = ctx;

	starting_progress(daemon->starting, done, total);
}

static bool members_unknown(void *ctx)
{
	return configure_catalog_lacks(ctx);
}

static size_t forwarded(void *ctx, const uint8_t *msg, size_t len, const struct sockaddr *from,
    uint8_t *reply, size_t cap)
{
	struct daemon *daemon = ctx;

	return daemon->engine != NULL ? engine_notify(daemon->engine, msg, len, from, reply, cap)
	                              : 0;
}

static void engine_load(void *ctx, const uint8_t *apex, struct engine_stored *out)
{
	publisher_load(((struct daemon *)ctx)->publisher, apex, out);
}

static void engine_publish(void *ctx, const uint8_t *apex, uint32_t token, uint64_t origin,
    const char *hold, struct records *records, struct seen *seen)
{
	publisher_replace(
	    ((struct daemon *)ctx)->publisher, apex, token, origin, hold, records, seen);
}

static void engine_apply(void *ctx, const uint8_t *apex, uint32_t token, uint64_t origin,
    const char *hold, struct delta *delta)
{
	publisher_apply(((struct daemon *)ctx)->publisher, apex, token, origin, hold, delta);
}

static void engine_agreed(void *ctx, const uint8_t *apex, uint32_t token)
{
	publisher_agreed(((struct daemon *)ctx)->publisher, apex, token);
}

static bool engine_working(void *ctx, const uint8_t *apex, uint32_t token)
{
	return publisher_working(((struct daemon *)ctx)->publisher, apex, token, slice_now_us());
}

static bool engine_room(void *ctx, uint64_t count, uint64_t bytes, char reason[SESSION_ROOM_REASON])
{
	return publisher_room(((struct daemon *)ctx)->publisher, count, bytes, reason);
}

static bool engine_fits(void *ctx, uint64_t count, uint64_t bytes)
{
	return publisher_fits(((struct daemon *)ctx)->publisher, count, bytes);
}

static void engine_expire(void *ctx, const uint8_t *apex, bool expired)
{
	publisher_expire(((struct daemon *)ctx)->publisher, apex, expired);
}

static void engine_store(void *ctx, const uint8_t *apex, const struct zone_timers *timers)
{
	publisher_store(((struct daemon *)ctx)->publisher, apex, timers);
}

static int provide_read(void *ctx, const uint8_t *apex, struct reading *out)
{
	return publisher_read(ctx, apex, out);
}

static int provide_peek(void *ctx, const uint8_t *apex, struct reading *out)
{
	return publisher_peek(ctx, apex, out);
}

static void provide_read_end(void *ctx, struct reading *reading)
{
	publisher_read_end(ctx, reading);
}

static int provide_difference(void *ctx, const uint8_t *apex, uint32_t from,
    const struct reading *to, publisher_difference_fn done, void *done_ctx,
    struct difference_job **out)
{
	return publisher_difference(ctx, apex, from, to, done, done_ctx, out);
}

static void provide_difference_end(void *ctx, struct delta *delta)
{
	publisher_difference_end(ctx, delta);
}

static void engine_line(void *ctx, const char *text)
{
	log_info("%s", text);
}

// --- signals
// --------------------------------------------------------------------------------------

static void signal_end(evutil_socket_t sig, short what, void *arg)
{
	struct daemon *daemon = arg;

	log_info("ending on signal %d", (int)sig);
	service_tell("STOPPING=1");
	event_base_loopbreak(daemon->base);
}

static void signal_reload(evutil_socket_t sig, short what, void *arg)
{
	configure_reload(arg, NULL);
}

static struct event *on_signal(struct daemon *daemon, int sig, event_callback_fn fn)
{
	struct event *event = evsignal_new(daemon->base, sig, fn, daemon);

	if (event == NULL || event_add(event, NULL) < 0)
		abort(); // out of memory before anything began
	return event;
}

// --- start and end
// --------------------------------------------------------------------------------

// What operators changed before. A file that cannot be read stops nothing: the configuration's keys
// are used, and that is said.
static void keys_load(struct daemon *daemon)
{
	char error[KEY_ERROR_MAX];

	if (key_changes_load(daemon->config->server.storage, &daemon->keys, error) < 0)
		log_error("%s; the keys of the configuration are used", error);
	else if (key_changes_prune(&daemon->keys, daemon->config) < 0)
		log_error("out of memory; the keys may not all be as they were");
}

// What is in order and does not do what one would expect.
static void config_warn(const struct config *config)
{
	char text[HERE_TEXT_MAX];

	for (size_t i = 0; i < config->controlplane.listen_count; i++)
		if (!here_has(&config->controlplane.listen[i]))
			log_warning(
			    "listen: %s is no address of this machine now: nothing comes in "
			    "there, NOTIFY included, before an interface has it",
			    here_text(&config->controlplane.listen[i], text));
	if (config->controlplane.metrics.addr_len != 0)
		log_warning("metrics: there are none yet, nothing listens on %s",
		    here_text(&config->controlplane.metrics, text));
}

static int daemon_start(struct daemon *daemon, struct starting *starting)
{
	const struct publisher_ops ops = {.ctx = daemon,
	    .published = published,
	    .changed = changed,
	    .replaced = replaced,
	    .lost = lost,
	    .read = read_so_far,
	    .doubted = doubted,
	    .members_unknown = members_unknown,
	    .forward = forwarded};
	struct engine_ops engine_ops = {.ctx = daemon,
	    .load = engine_load,
	    .publish = engine_publish,
	    .apply = engine_apply,
	    .agreed = engine_agreed,
	    .working = engine_working,
	    .room = engine_room,
	    .fits = engine_fits,
	    .expire = engine_expire,
	    .store = engine_store,
	    .provide = {.read = provide_read,
	        .peek = provide_peek,
	        .read_end = provide_read_end,
	        .difference = provide_difference,
	        .difference_cancel = publisher_difference_cancel,
	        .difference_end = provide_difference_end}};
	struct control_sockets sockets = CONTROL_SOCKETS_NONE;
	char error[1024] = "Out of memory.";
	int rc;

	rc = configure_open(daemon);
	daemon->starting = starting;
	if (rc == 0)
		rc = publisher_open(daemon->base, daemon->config, &ops, &daemon->publisher, error);
	if (rc == 0) {
		daemon->primary = primary_open(daemon->base, daemon->publisher);
		rc = daemon->primary != NULL ? 0 : -ENOMEM;
	}
	if (rc == 0) {
		daemon->work = offload_open(daemon->base, "keys");
		rc = daemon->work != NULL ? 0 : -ENOMEM;
	}
	daemon->starting = NULL;
	engine_ops.provide.ctx = daemon->publisher;
	if (rc == 0)
		keys_load(daemon);
	if (rc == 0)
		rc = engine_open(daemon->base, daemon->config, &daemon->keys, &engine_ops,
		    &daemon->engine, error);
	if (rc == 0) {
		engine_log_to(daemon->engine, engine_line, NULL);
		sockets = starting_close(starting);
		starting = NULL;
		if (sockets.fd[0] < 0)
			rc = control_listen(daemon->config->server.rundir, &sockets, error);
		if (rc == 0)
			rc = control_open(daemon, &sockets, &daemon->control);
	}
	if (rc == 0) {
		primary_load(daemon->primary, daemon->config);
		rc = primary_load_go(daemon->primary, SLICE_ALL);
	}
	if (starting != NULL)
		sockets = starting_close(starting);
	control_unlisten(&sockets); // those that are control's are no longer in it
	if (rc < 0)
		log_error("%s", error);
	else
		config_warn(daemon->config);
	return rc;
}

static void daemon_end(struct daemon *daemon)
{
	struct engine *engine = daemon->engine;
	struct primary *primary = daemon->primary;

	if (daemon->work != NULL)
		offload_drain(daemon->work);
	control_close(daemon->control);
	offload_close(daemon->work);
	configure_stop(daemon);
	daemon->engine = NULL;
	engine_close(engine);
	daemon->primary = NULL;
	primary_close(primary);
	publisher_close(daemon->publisher);
	configure_close(daemon);
	key_changes_free(&daemon->keys);
}

// Until there is a handler, which the configuration has to be read for.
static void hangups_hold(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(how, &set, NULL);
}

static int daemon_run(const char *path, struct config *config, struct starting *starting)
{
	struct daemon daemon = {.config_path = path, .file = config, .started_ms = wall_ms()};
	struct event *events[2], *reload;
	int rc;

	daemon.base = event_base_new();
	if (daemon.base == NULL) {
		struct control_sockets sockets = starting_close(starting);

		control_unlisten(&sockets);
		log_error("the event loop cannot be made");
		config_free(config);
		return 1;
	}
	// One that comes during the start is carried out behind it. What ends may end the start.
	reload = on_signal(&daemon, SIGHUP, signal_reload);
	hangups_hold(SIG_UNBLOCK);
	rc = daemon_start(&daemon, starting);
	if (rc == 0) {
		events[0] = on_signal(&daemon, SIGTERM, signal_end);
		events[1] = on_signal(&daemon, SIGINT, signal_end);
		log_info("%zu zones, version %s", daemon.config->zone_count, NAMEPLANE_VERSION);
		log_info("ready");
		service_tell("READY=1\nSTATUS=");
		event_base_dispatch(daemon.base);
		for (int i = 0; i < 2; i++)
			event_free(events[i]);
	}
	event_free(reload);
	daemon_end(&daemon);
	event_base_free(daemon.base);
	return rc < 0 ? 1 : 0;
}

static int usage(FILE *to, int rc)
{
	fprintf(to, "usage: np-controlplane [-c FILE] [--check]\n"
	            "  -c, --config FILE  the configuration (default " CONFIG_FILE ")\n"
	            "      --check        read it, say what is wrong, exit\n"
	            "      --version\n");
	return rc;
}

// Descriptors: transfers, images, sockets. As many as the system allows.
static void descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
	    {"check", no_argument, NULL, 'k'}, {"version", no_argument, NULL, 'v'},
	    {"help", no_argument, NULL, 'h'}, {0}};
	const char *path = CONFIG_FILE;
	struct config_error error;
	struct config *config;
	struct starting *starting;
	bool check = false;
	int option;

	if (argc == 2 && strcmp(argv[1], COMPILER_ARGUMENT) == 0)
		return compiler_child_main();
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 'k':
			check = true;
			break;
		case 'v':
			puts("np-controlplane " NAMEPLANE_VERSION);
			return 0;
		case 'h':
			return usage(stdout, 0);
		default:
			return usage(stderr, 2);
		}
	}
	if (optind < argc)
		return usage(stderr, 2);
	hangups_hold(SIG_BLOCK);
	starting = check ? NULL : starting_open(path);
	if (config_load(path, CONFIG_CHECK_FILES, &config, &error) < 0) {
		struct control_sockets sockets = starting_close(starting);

		control_unlisten(&sockets);
		if (error.line > 0)
			fprintf(stderr, "%s:%u:%u: %s\n", path, error.line, error.column,
			    error.message);
		else
			fprintf(stderr, "%s: %s\n", path, error.message);
		return 1;
	}
	if (check) {
		config_free(config);
		return 0;
	}
	signal(SIGPIPE, SIG_IGN);
	descriptors_raise();
	return daemon_run(path, config, starting);
}
