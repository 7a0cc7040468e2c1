// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The answer function behind two plain sockets: loads the zones of a list (origin TAB file) and
// answers on 127.0.0.1 or another address, UDP and TCP, one thread. Not a product: it lets the
// tests judge answers without ports, workers or privileges.

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "compile.h"
#include "dns.h"
#include "name.h"
#include "rdata.h"
#include "zonefile.h"

#define CLIENTS_MAX 64

static const struct hash_key key = {{0x5ca1ab1e0ddba11ULL, 0xc0ffee5eed5eed5ULL}};
static struct dns_server server = {.identity_len = 4,
    .identity = "loop",
    .udp_payload_max = 1232,
    .cookie_secret_count = 1,
    .cookie_secrets = {{{1, 2}}}};
static struct dns_counters counters;
static struct dns_context context = {.server = &server, .counters = &counters};
static unsigned loaded, refused;

static int collect(void *ctx, const uint8_t *owner, uint16_t type, uint16_t rrclass, uint32_t ttl,
    const uint8_t *rdata, uint16_t rdlen, struct zonefile_error *err)
{
	const int error = records_add(ctx, owner, type, ttl, rdata, rdlen);

	return error == -ERANGE ? 0 : error; // out of zone: left out, as the peers do
}

static void load(const char *origin, const char *file)
{
	uint8_t apex[NAME_LEN_MAX];
	struct zonefile_error err = {0};
	char error[COMPILE_ERROR_MAX] = "";
	struct image_buffer buffer = {0};
	struct zone_version *version = calloc(1, sizeof(*version));
	struct zone_retired retired;
	const struct compile_options options = {.key = key, .generation = 1, .id = 1};

	if (version == NULL || name_from_text(origin, strlen(origin), NULL, apex) < 0)
		return;
	name_lower(apex, apex, name_len(apex));
	struct records *records = records_new(apex);
	if (records == NULL || zonefile_parse_file(file, apex, collect, records, &err) != 0)
		snprintf(error, sizeof(error), "%u:%u: %s", err.line, err.column, err.message);
	else if (records_sort(records) != 0 || image_buffer_open(&buffer, 1u << 28) != 0)
		snprintf(error, sizeof(error), "out of memory");
	else if (compile_image(records, &options, &buffer, error) == 0)
		(void)!image_verify(buffer.mem, buffer.used, error);
	records_free(records);
	if (error[0] == '\0') {
		version->layer_count = 1;
		if (image_open(&version->layer[0], buffer.mem, buffer.used) == 0 &&
		    zone_table_set((struct zone_table *)(uintptr_t)context.table, apex, version,
		        &retired) == 0) {
			loaded++;
			return;
		}
	}
	refused++;
	fprintf(stderr, "%s: %s\n", origin, error);
}

static void load_list(const char *path)
{
	char line[4096], dir[2048];
	FILE *list = fopen(path, "re");

	snprintf(dir, sizeof(dir), "%s", path);
	char *slash = strrchr(dir, '/');
	if (slash != NULL)
		*slash = '\0';
	else
		strcpy(dir, ".");
	while (list != NULL && fgets(line, sizeof(line), list) != NULL) {
		char *origin = strtok(line, "\t\n"), *file = strtok(NULL, "\t\n"), full[8192];
		if (origin == NULL || file == NULL || origin[0] == '#')
			continue;
		snprintf(full, sizeof(full), "%s/%s", dir, file);
		load(origin, full);
	}
	if (list != NULL)
		fclose(list);
}

static size_t answer(uint8_t *msg, size_t len, enum dns_transport transport)
{
	static struct dns_query query;

	query.msg = msg;
	query.len = (uint16_t)len;
	query.cap = transport == DNS_TCP ? DNS_TCP_MAX : 4096;
	query.transport = transport;
	query.no_error_reply = false;
	query.client = (const uint8_t[]){127, 0, 0, 1};
	query.client_len = 4;
	context.now = (uint32_t)time(NULL);
	query.verdict = DNS_REPLY;
	dns_answer(&context, &query);
	return query.verdict == DNS_REPLY ? query.len : 0;
}

struct client {
	int fd;
	size_t have;
	uint8_t *in;
};

// Post: false when the connection is done.
static bool serve_tcp(struct client *client)
{
	static uint8_t out[2 + DNS_TCP_MAX + DNS_WRITE_SLACK];
	const ssize_t n = recv(client->fd, client->in + client->have, 131072 - client->have, 0);

	if (n <= 0)
		return false;
	client->have += (size_t)n;
	while (client->have >= 2) {
		const size_t len = (size_t)client->in[0] << 8 | client->in[1];
		if (client->have < 2 + len)
			break;
		memcpy(out + 2, client->in + 2, len);
		const size_t reply = answer(out + 2, len, DNS_TCP);
		client->have -= 2 + len;
		memmove(client->in, client->in + 2 + len, client->have);
		out[0] = (uint8_t)(reply >> 8);
		out[1] = (uint8_t)reply;
		for (size_t at = 0; reply != 0 && at < reply + 2;) {
			const ssize_t sent =
			    send(client->fd, out + at, reply + 2 - at, MSG_NOSIGNAL);
			if (sent <= 0)
				return false;
			at += (size_t)sent;
		}
	}
	return true;
}

static int listen_on(int type, struct sockaddr_in *addr)
{
	const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)addr, sizeof(*addr)) != 0 ||
	    (type == SOCK_STREAM && listen(fd, CLIENTS_MAX) != 0)) {
		fprintf(stderr, "cannot listen: %s\n", strerror(errno));
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	static struct client clients[CLIENTS_MAX];
	static uint8_t msg[65535 + DNS_WRITE_SLACK];
	struct sockaddr_in addr = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	if (argc < 3) {
		fprintf(stderr, "usage: dns_loop [ADDRESS@]PORT ZONES.TSV...\n");
		return 2;
	}
	char *port = strchr(argv[1], '@');
	if (port != NULL) {
		*port = '\0';
		if (inet_pton(AF_INET, argv[1], &addr.sin_addr) != 1)
			return 2;
	}
	addr.sin_port = htons((uint16_t)atoi(port != NULL ? port + 1 : argv[1]));
	context.table = zone_table_new(&key);
	for (int i = 2; i < argc; i++)
		load_list(argv[i]);
	const int udp = listen_on(SOCK_DGRAM, &addr), tcp = listen_on(SOCK_STREAM, &addr);
	fprintf(stderr, "ready %u loaded %u refused\n", loaded, refused);
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		clients[i].fd = -1;
	for (;;) {
		struct pollfd fds[2 + CLIENTS_MAX] = {{udp, POLLIN, 0}, {tcp, POLLIN, 0}};
		for (unsigned i = 0; i < CLIENTS_MAX; i++)
			fds[2 + i] = (struct pollfd){clients[i].fd, POLLIN, 0};
		if (poll(fds, 2 + CLIENTS_MAX, -1) < 0 && errno != EINTR)
			return 1;
		if (fds[0].revents != 0) {
			struct sockaddr_in from;
			socklen_t from_len = sizeof(from);
			const ssize_t n =
			    recvfrom(udp, msg, 65535, 0, (struct sockaddr *)&from, &from_len);
			const size_t reply = n > 0 ? answer(msg, (size_t)n, DNS_UDP) : 0;
			if (reply != 0)
				sendto(udp, msg, reply, 0, (struct sockaddr *)&from, from_len);
		}
		for (unsigned i = 0; fds[1].revents != 0 && i < CLIENTS_MAX; i++) {
			if (clients[i].fd >= 0)
				continue;
			clients[i].fd = accept(tcp, NULL, NULL);
			clients[i].have = 0;
			if (clients[i].in == NULL)
				clients[i].in = malloc(131072);
			break;
		}
		for (unsigned i = 0; i < CLIENTS_MAX; i++) {
			if (clients[i].fd < 0 || fds[2 + i].revents == 0 || fds[2 + i].fd < 0)
				continue;
			if (!serve_tcp(&clients[i])) {
				close(clients[i].fd);
				clients[i].fd = -1;
			}
		}
	}
}
