// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// npctl: one request to np-controlplane's control socket, the response as a table or as JSON.
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <jansson.h>

#include "control.h"
#include "npctl_key.h"
#include "npctl_table.h"

#define RUNDIR   "/run/nameplane"
#define WAIT_S   30
#define RELOAD_S 1800 // a million zones on a busy machine take a minute

static const struct command {
	const char *first, *second; // words
	const char *name;           // in the request
	enum { ZONE_NONE, ZONE_MAY, ZONE_MUST, KEY_MUST } zone;
	const char *more[2]; // further words that may follow, as the request calls them
	bool changes;
	void (*print)(const json_t *response); // NULL: nothing to tell but that it went well
	const char *help;
} commands[] = {
    {"status", NULL, "status", ZONE_NONE, {NULL}, false, table_status, "the node as a whole"},
    {"zone", "status", "zone-status", ZONE_MAY, {NULL}, false, table_zones,
        "serials as answered by the workers and as held, timers, last error"},
    {"zone", "refresh", "zone-refresh", ZONE_MUST, {NULL}, true, NULL, "ask the primary now"},
    {"zone", "retransfer", "zone-retransfer", ZONE_MUST, {NULL}, true, NULL,
        "transfer the whole zone now, whatever its serial"},
    {"zone", "accept", "zone-accept", ZONE_MUST, {NULL}, true, NULL,
        "publish the version that is held"},
    {"zone", "history", "zone-history", ZONE_MUST, {NULL}, false, table_history,
        "the versions that are kept: when they came, from whom and how"},
    {"zone", "diff", "zone-diff", ZONE_MUST, {"from", "to"}, false, table_diff,
        "what differs between two of them; the last two unless serials are given"},
    {"zone", "rollback", "zone-rollback", ZONE_MUST, {"serial"}, true, table_rollback,
        "serve an older version again, and stay with it"},
    {"zone", "pin", "zone-pin", ZONE_MUST, {NULL}, true, NULL,
        "stay with the version served, whatever comes"},
    {"zone", "unpin", "zone-unpin", ZONE_MUST, {NULL}, true, NULL,
        "take newer versions again, beginning now"},
    {"key", "list", "key-list", ZONE_NONE, {NULL}, false, table_keys,
        "TSIG keys and who uses them"},
    {"key", "add", NPCTL_KEY_ADD, KEY_MUST, {NULL}, true, NULL,
        "accept a new key from each --remote; --secret-file, --algorithm"},
    {"key", "prefer", "key-prefer", KEY_MUST, {NULL}, true, NULL, "use it first from now on"},
    {"key", "retire", "key-retire", KEY_MUST, {NULL}, true, NULL,
        "neither use nor accept it any more"},
    {"reload", NULL, "reload", ZONE_NONE, {NULL}, true, NULL,
        "take up the configuration and zone files"},
    {"config", "check", "config-check", ZONE_NONE, {NULL}, false, NULL,
        "read the configuration file and say what is wrong"},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int usage(FILE *to, int rc)
{
	fprintf(to, "usage: npctl [-s SOCKET] [--json] COMMAND\n");
	for (size_t i = 0; i < COMMANDS; i++) {
		const struct command *command = &commands[i];
		char words[64];

		snprintf(words, sizeof(words), "%s%s%s%s%s", command->first,
		    command->second != NULL ? " " : "",
		    command->second != NULL ? command->second : "",
		    command->zone == ZONE_MUST  ? " ZONE"
		    : command->zone == KEY_MUST ? " KEY"
		    : command->zone == ZONE_MAY ? " [ZONE]"
		                                : "",
		    command->more[1] != NULL   ? " [FROM [TO]]"
		    : command->more[0] != NULL ? " [SERIAL]"
		                               : "");
		fprintf(to, "  %-28s %s\n", words, command->help);
	}
	fprintf(to, "key add KEY --remote REMOTE [--remote ...] [--algorithm hmac-sha256] "
	            "[--secret-file FILE]; without a file the secret is read from stdin.\n");
	fprintf(to, "SOCKET is " RUNDIR "/" STATUS_SOCKET ", for what changes something " RUNDIR
	            "/" CONTROL_SOCKET ", unless given.\n");
	return rc;
}

static int more_count(const struct command *command)
{
	return (command->more[0] != NULL) + (command->more[1] != NULL);
}

// Post: *rest are the words behind the command's own, *rest_count of them.
static const struct command *command_find(char **words, int count, char ***rest, int *rest_count)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		int used = commands[i].second != NULL ? 2 : 1;

		if (count < used || strcmp(words[0], commands[i].first) != 0 ||
		    (commands[i].second != NULL && strcmp(words[1], commands[i].second) != 0))
			continue;
		*rest = words + used;
		*rest_count = count - used;
		if (*rest_count > (commands[i].zone != ZONE_NONE) + more_count(&commands[i]) ||
		    (commands[i].zone >= ZONE_MUST && *rest_count == 0))
			return NULL;
		return &commands[i];
	}
	return NULL;
}

static int socket_open(const char *path, time_t wait_s)
{
	const struct timeval wait = {.tv_sec = wait_s};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int sock;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	// First: where nobody accepts any more, to connect takes for ever, too.
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (connect(sock, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int rc = -errno;

		close(sock);
		return rc;
	}
	return sock;
}

static int move(int sock, void *bytes, size_t len, bool out)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = out ? send(sock, (char *)bytes + done, len - done, MSG_NOSIGNAL)
		                : recv(sock, (char *)bytes + done, len - done, 0);

		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

// Post: the response, or NULL with *rc telling why.
static json_t *exchange(int sock, const json_t *request, int *rc)
{
	char *text = json_dumps(request, JSON_COMPACT);
	json_error_t error;
	json_t *response;
	uint32_t len_be;
	size_t len;

	if (text == NULL) {
		*rc = -ENOMEM;
		return NULL;
	}
	len_be = htonl((uint32_t)strlen(text));
	*rc = move(sock, &len_be, sizeof(len_be), true);
	if (*rc == 0)
		*rc = move(sock, text, strlen(text), true);
	free(text);
	if (*rc == 0)
		*rc = move(sock, &len_be, sizeof(len_be), false);
	if (*rc < 0)
		return NULL;
	len = ntohl(len_be);
	text = len <= CONTROL_RESPONSE_MAX ? malloc(len + 1) : NULL;
	if (text == NULL) {
		*rc = -EMSGSIZE;
		return NULL;
	}
	*rc = move(sock, text, len, false);
	response = *rc == 0 ? json_loadb(text, len, 0, &error) : NULL;
	free(text);
	if (*rc == 0 && response == NULL)
		*rc = -EBADMSG;
	return response;
}

// Appends what a list goes on with, as long as it does.
static void pages_join(int sock, json_t *request, json_t **response, int *rc)
{
	json_t *next, *page;

	while (*response != NULL && json_is_string(next = json_object_get(*response, "next"))) {
		json_object_set(request, "after", next);
		page = exchange(sock, request, rc);
		if (page == NULL || !json_is_true(json_object_get(page, "ok"))) {
			json_decref(*response);
			*response = page;
			return;
		}
		json_array_extend(
		    json_object_get(*response, "zones"), json_object_get(page, "zones"));
		if (!json_is_true(json_object_get(page, "answered")))
			json_object_set_new(*response, "answered", json_false());
		json_object_set(*response, "next", json_object_get(page, "next"));
		json_decref(page);
	}
	if (*response != NULL)
		json_object_del(*response, "next");
}

static int error_print(const json_t *response)
{
	const json_t *line = json_object_get(response, "line");
	const char *text = json_string_value(json_object_get(response, "error"));

	if (line != NULL && json_integer_value(line) > 0)
		fprintf(stderr, "%s:%lld:%lld: %s\n",
		    json_string_value(json_object_get(response, "file")),
		    (long long)json_integer_value(line),
		    (long long)json_integer_value(json_object_get(response, "column")),
		    text != NULL ? text : "");
	else
		fprintf(stderr, "npctl: %s\n", text != NULL ? text : "the request failed");
	return 1;
}

// The request with its words; NULL when one of them is not text.
static json_t *request_of(const struct command *command, char **words, int count)
{
	json_t *request = json_pack("{s:s}", "command", command->name);

	for (int i = 0; i < count; i++) {
		const char *name =
		    i == 0 ? (command->zone == KEY_MUST ? "key" : "zone") : command->more[i - 1];

		if (json_object_set_new(request, name, json_string(words[i])) < 0) {
			json_decref(request);
			return NULL;
		}
	}
	return request;
}

static int command_run(const struct command *command, char **words, int count,
    const struct npctl_key *key, const char *path, bool as_json)
{
	json_t *request = request_of(command, words, count), *response;
	int sock, rc;

	if (request == NULL) {
		fprintf(stderr, "npctl: an argument is not text\n");
		return 1;
	}
	if (npctl_key_fill(key, command->name, request) < 0) {
		json_decref(request);
		return 1;
	}
	sock = socket_open(path, strcmp(command->name, "reload") == 0 ? RELOAD_S : WAIT_S);
	if (sock < 0) {
		fprintf(stderr, "npctl: %s: %s%s\n", path, strerror(-sock),
		    sock == -ENOENT || sock == -ECONNREFUSED
		        ? "; np-controlplane does not run, or its rundir is another (-s)"
		    : sock == -EACCES ? "; only root and the control-group may"
		                      : "");
		json_decref(request);
		return 1;
	}
	response = exchange(sock, request, &rc);
	pages_join(sock, request, &response, &rc);
	json_decref(request);
	close(sock);
	if (response == NULL) {
		fprintf(
		    stderr, "npctl: %s: %s\n", path, rc == -EAGAIN ? "no answer" : strerror(-rc));
		return 1;
	}
	rc = json_is_true(json_object_get(response, "ok")) ? 0 : 1;
	if (as_json) {
		json_dumpf(response, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
		putchar('\n');
	} else if (rc != 0) {
		rc = error_print(response);
	} else if (command->print != NULL) {
		command->print(response);
	} else {
		puts("ok");
	}
	json_decref(response);
	return rc;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"socket", required_argument, NULL, 's'},
	    {"json", no_argument, NULL, 'j'}, {"secret-file", required_argument, NULL, 'f'},
	    {"algorithm", required_argument, NULL, 'a'}, {"remote", required_argument, NULL, 'r'},
	    {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'v'}, {0}};
	const struct command *command;
	const char *path = NULL;
	char **rest = NULL;
	int rest_count = 0;
	struct npctl_key key = {0};
	bool as_json = false;
	int option;

	// Options may stand before or behind the words.
	while ((option = getopt_long(argc, argv, "s:jh", options, NULL)) != -1) {
		switch (option) {
		case 's':
			path = optarg;
			break;
		case 'f':
			key.secret_file = optarg;
			break;
		case 'a':
			key.algorithm = optarg;
			break;
		case 'r':
			if (key.remote_count < NPCTL_KEY_REMOTES)
				key.remotes[key.remote_count++] = optarg;
			break;
		case 'j':
			as_json = true;
			break;
		case 'h':
			return usage(stdout, 0);
		case 'v':
			puts("npctl " NAMEPLANE_VERSION);
			return 0;
		default:
			return usage(stderr, 2);
		}
	}
	command =
	    optind < argc ? command_find(argv + optind, argc - optind, &rest, &rest_count) : NULL;
	if (command == NULL && optind < argc) {
		fprintf(stderr,
		    "npctl: there is no command '%s%s%s', or not with these words; "
		    "npctl --help lists them.\n",
		    argv[optind], optind + 1 < argc ? " " : "",
		    optind + 1 < argc ? argv[optind + 1] : "");
		return 2;
	}
	if (command == NULL)
		return usage(stderr, 2);
	if (path == NULL)
		path = command->changes ? RUNDIR "/" CONTROL_SOCKET : RUNDIR "/" STATUS_SOCKET;
	return command_run(command, rest, rest_count, &key, path, as_json);
}
