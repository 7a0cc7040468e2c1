// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// np-fresh: how long from NOTIFY to the first new answer? A scripted primary of one made-up zone
// (N names with an A record each; AXFR, IXFR, SOA; no work of its own between question and answer)
// and the client that sees the result, in one process and so by one clock. It changes one record,
// sends NOTIFY and asks for the record each 0.2 ms until the answer is the new one.
//
//     np-fresh --serve ADDRESS --notify ADDRESS --ask ADDRESS [--ask-netns NAME] [--names N]
//         [--changes N] [--pause MS]
//
// Also the time of a whole transfer: from the first question for one to the first answer; and in
// the end of two more in its place: one in which a few names have another address, and one in which
// every name has. Each begins with a line "phase few", "phase all".
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "out_message.h"
#include "tcp_serve.h"
#include "transfer_question.h"

#define PORT         53
#define ASK_EVERY_NS 200000
#define GIVE_UP_NS   INT64_C(30000000000)
#define LOAD_S       600
#define REPLACE_S    60 // and a second for each 100,000 names: one that never follows ends a row so
#define FEW          100

static const uint8_t apex[] = "\5fresh";
static const uint8_t soa_rdata[] = "\2ns\300\14\1h\300\14"; // names that point at the apex
static struct sockaddr_in serve = {.sin_family = AF_INET}, notify, ask;
static const char *ask_netns;
static uint32_t names = 1000000;
static unsigned changes = 200, pause_ms = 300;

// Change i leads from serial 1 + i to 2 + i: name i * 7919 % names has address i + 1 then. The
// number of changes made is all that the threads share: release by the client after the fact,
// acquire by the primary's threads before they answer.
static _Atomic uint32_t changed;
static _Atomic int64_t axfr_ns; // when the next whole transfer was asked for; 0: not yet
static _Atomic bool whole_only; // every question is answered by a whole transfer
// Of a name that was never changed.
#define ADDRESS_FIRST  0xc0000201u
#define ADDRESS_SECOND 0xc0000202u
static _Atomic uint32_t unchanged = ADDRESS_FIRST;

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "np-fresh: %s: %s.\n", what, strerror(errno));
	exit(1);
}

// --- messages
// ----------------------------------------------------------------------------------------------

static void begin_ours(struct out *o, unsigned id, unsigned flags, unsigned type)
{
	begin(o, id, flags, apex, sizeof(apex), type);
}

static void put_soa(struct out *o, uint32_t serial)
{
	put16(o, 0xc00c);
	record(o, TYPE_SOA, 3600, sizeof(soa_rdata) - 1 + 20);
	put(o, soa_rdata, sizeof(soa_rdata) - 1);
	put32(o, serial);
	put32(o, 3600);
	put32(o, 600);
	put32(o, 864000);
	put32(o, 300);
}

static size_t label(uint8_t *out, uint32_t name)
{
	return (size_t)snprintf((char *)out, 12, "\11n%08u", name);
}

static void put_a(struct out *o, uint32_t name, uint32_t address)
{
	uint8_t owner[16];

	put(o, owner, label(owner, name));
	put16(o, 0xc00c);
	record(o, TYPE_A, 300, 4);
	put32(o, address);
}

static uint32_t change_name(uint32_t change)
{
	return (uint32_t)((uint64_t)change * 7919 % names);
}

static uint32_t address_of(uint32_t name, uint32_t made)
{
	for (uint32_t i = made; i-- > 0;) {
		if (change_name(i) == name)
			return 0x0a000000 + i + 1;
	}
	return atomic_load(&unchanged);
}

// --- the primary
// -------------------------------------------------------------------------------------------

// In answer to a question of `type`: BIND refuses an answer with another question than its own.
static bool send_whole(int fd, struct out *o, unsigned id, unsigned type)
{
	const uint32_t made = atomic_load_explicit(&changed, memory_order_acquire);
	const uint32_t other = atomic_load(&unchanged);
	uint32_t *address = calloc(names, sizeof(*address));
	bool ok = address != NULL;
	int64_t none = 0;

	atomic_compare_exchange_strong(&axfr_ns, &none, now_ns());
	for (uint32_t i = 0; ok && i < made; i++)
		address[change_name(i)] = 0x0a000000 + i + 1;
	begin_ours(o, id, 0x8400, type);
	put_soa(o, 1 + made);
	put16(o, 0xc00c);
	record(o, TYPE_NS, 3600, 5);
	put(o, "\2ns\300\14", 5);
	put(o, "\2ns\300\14", 5);
	record(o, TYPE_A, 3600, 4);
	put32(o, 0xc0000235);
	for (uint32_t i = 0; i < names && ok; i++) {
		put_a(o, i, address[i] != 0 ? address[i] : other);
		if (o->at < 16000)
			continue;
		end(o);
		ok = send_all(fd, o->bytes, o->at);
		begin_ours(o, id, 0x8400, type);
	}
	free(address);
	put_soa(o, 1 + made);
	end(o);
	return ok && send_all(fd, o->bytes, o->at);
}

static bool send_ixfr(int fd, struct out *o, unsigned id, uint32_t serial)
{
	const uint32_t made = atomic_load_explicit(&changed, memory_order_acquire);

	if (serial < 1 || serial > 1 + made || made + 1 - serial > 500 ||
	    (atomic_load(&whole_only) && serial <= made))
		return send_whole(fd, o, id, TYPE_IXFR);
	begin_ours(o, id, 0x8400, TYPE_IXFR);
	put_soa(o, 1 + made);
	for (uint32_t i = serial - 1; i < made; i++) {
		put_soa(o, 1 + i);
		put_a(o, change_name(i), address_of(change_name(i), i));
		put_soa(o, 2 + i);
		put_a(o, change_name(i), 0x0a000000 + i + 1);
	}
	if (serial <= made)
		put_soa(o, 1 + made);
	end(o);
	return send_all(fd, o->bytes, o->at);
}

// The type of a question for our zone, and the serial it comes with; 0: something else.
static unsigned question(const uint8_t *msg, size_t len, uint32_t *serial)
{
	const unsigned type = transfer_question(msg, len, sizeof(apex), serial);

	return type != 0 && strncasecmp((const char *)msg + 13, "fresh", 6) == 0 ? type : 0;
}

static void *connection_main(void *arg)
{
	const int fd = (int)(intptr_t)arg;
	struct out *o = malloc(sizeof(*o));
	uint8_t length[2], msg[4096];
	uint32_t serial;
	bool ok = o != NULL;

	while (ok && receive_all(fd, length, 2)) {
		const size_t len = (size_t)length[0] << 8 | length[1];
		if (len > sizeof(msg) || !receive_all(fd, msg, len))
			break;
		const unsigned id = (unsigned)msg[0] << 8 | msg[1];
		switch (question(msg, len, &serial)) {
		case TYPE_AXFR:
			ok = send_whole(fd, o, id, TYPE_AXFR);
			break;
		case TYPE_IXFR:
			ok = send_ixfr(fd, o, id, serial);
			break;
		default:
			begin_ours(o, id, 0x8400, TYPE_SOA);
			put_soa(o, 1 + atomic_load_explicit(&changed, memory_order_acquire));
			end(o);
			ok = send_all(fd, o->bytes, o->at);
		}
	}
	free(o);
	close(fd);
	return NULL;
}

static void *tcp_main(void *arg)
{
	tcp_serve((int)(intptr_t)arg, connection_main);
	return NULL;
}

static void *udp_main(void *arg)
{
	const int sock = (int)(intptr_t)arg;
	static struct out o;

	for (;;) {
		uint8_t msg[4096];
		struct sockaddr_in from;
		socklen_t from_len = sizeof(from);
		uint32_t serial;
		const ssize_t len =
		    recvfrom(sock, msg, sizeof(msg), 0, (struct sockaddr *)&from, &from_len);
		const unsigned type = len > 0 ? question(msg, (size_t)len, &serial) : 0;
		if (type == 0)
			continue; // the response to a NOTIFY
		begin_ours(&o, (unsigned)msg[0] << 8 | msg[1], 0x8400, type);
		put_soa(&o, 1 + atomic_load_explicit(&changed, memory_order_acquire));
		end(&o);
		sendto(sock, o.bytes + 2, o.at - 2, 0, (struct sockaddr *)&from, from_len);
	}
	return NULL;
}

static int socket_bound(int type)
{
	const int sock = socket(AF_INET, type, 0), one = 1;

	setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (sock < 0 || bind(sock, (struct sockaddr *)&serve, sizeof(serve)) != 0 ||
	    (type == SOCK_STREAM && listen(sock, 64) != 0))
		die("cannot serve");
	return sock;
}

// --- the client
// --------------------------------------------------------------------------------------------

// In the other network namespace where one is named.
static int socket_asking(void)
{
	char path[128];
	int home = -1;

	if (ask_netns != NULL) {
		home = open("/proc/thread-self/ns/net", O_RDONLY);
		snprintf(path, sizeof(path), "/run/netns/%s", ask_netns);
		const int there = open(path, O_RDONLY);
		if (home < 0 || there < 0 || setns(there, CLONE_NEWNET) != 0)
			die("cannot enter the client's namespace");
	}
	const int sock = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (sock < 0 || connect(sock, (struct sockaddr *)&ask, sizeof(ask)) != 0)
		die("cannot ask");
	if (home >= 0 && setns(home, CLONE_NEWNET) != 0)
		die("cannot come back");
	return sock;
}

// Asks for a name until its address is `address` (0: any). Post: the time of that, or -1.
static int64_t ask_until(int sock, uint32_t name, uint32_t address, int64_t give_up)
{
	static uint16_t id;
	uint8_t query[64] = {0, 0, 0, 0, 0, 1}, reply[4096];
	size_t len = 12;
	int64_t next = now_ns(), seen = -1;

	len += label(query + len, name);
	memcpy(query + len, apex, sizeof(apex));
	len += sizeof(apex);
	query[len + 1] = TYPE_A;
	query[len + 3] = 1;
	len += 4;
	while (seen < 0 && now_ns() < give_up) {
		if (now_ns() >= next) {
			query[0] = (uint8_t)(++id >> 8);
			query[1] = (uint8_t)id;
			(void)!send(sock, query, len, MSG_NOSIGNAL);
			next += ASK_EVERY_NS;
			if (next < now_ns())
				next = now_ns();
		}
		struct pollfd wait = {.fd = sock, .events = POLLIN};
		const int64_t left = next - now_ns();
		const struct timespec timeout = {.tv_nsec = left > 0 ? left : 0};
		if (ppoll(&wait, 1, &timeout, NULL) <= 0)
			continue;
		const ssize_t got = recv(sock, reply, sizeof(reply), 0);
		if (got < (ssize_t)len + 16 || (reply[3] & 15) != 0 || reply[7] == 0)
			continue;
		const uint8_t *at = reply + len + 12; // behind c0 0c, type, class, TTL, length
		const uint32_t is =
		    (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
		if (address == 0 || is == address)
			seen = now_ns();
	}
	while (recv(sock, reply, sizeof(reply), 0) > 0)
		;
	return seen;
}

static void notify_send(int sock)
{
	static struct out o;
	static uint16_t id = 100;

	begin_ours(&o, ++id, 0x2400, TYPE_SOA); // NOTIFY, AA
	put_soa(&o, 1 + atomic_load_explicit(&changed, memory_order_relaxed));
	end(&o);
	if (sendto(sock, o.bytes + 2, o.at - 2, 0, (struct sockaddr *)&notify, sizeof(notify)) < 0)
		die("cannot send NOTIFY");
}

static int by_size(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

// Every name says what was last said of it. Post: how many do not.
static unsigned wrong_names(int sock)
{
	const uint32_t made = atomic_load(&changed);
	unsigned wrong = 0;

	for (unsigned i = 0; i < made; i++)
		wrong += ask_until(sock, change_name(i), address_of(change_name(i), made),
		             now_ns() + INT64_C(2000000000)) < 0;
	for (uint32_t i = 0; i < names; i += names / 1000 + 1)
		wrong +=
		    ask_until(sock, i, address_of(i, made), now_ns() + INT64_C(2000000000)) < 0;
	return wrong;
}

// Post: seconds from the question for it to the first new answer, or -1.
static double replace(int udp, int sock, bool all)
{
	uint32_t name = names - 1, address = ADDRESS_SECOND;

	printf("phase %s\n", all ? "all" : "few");
	fflush(stdout);
	while (name > 0 && address_of(name, changes + FEW + 1) != ADDRESS_FIRST)
		name--;
	atomic_store(&axfr_ns, 0);
	atomic_store(&whole_only, true);
	if (all) {
		atomic_store(&unchanged, ADDRESS_SECOND);
		atomic_fetch_add(&changed, 1);
	} else {
		const uint32_t made = atomic_fetch_add(&changed, FEW) + FEW;

		name = change_name(made - 1);
		address = address_of(name, made);
	}
	notify_send(udp);
	const int64_t seen = ask_until(
	    sock, name, address, now_ns() + (REPLACE_S + names / 100000) * INT64_C(1000000000));
	const int64_t began = atomic_load(&axfr_ns);

	return seen < 0 || began == 0 ? -1 : (double)(seen - began) / 1e9;
}

static void run(int udp)
{
	const int sock = socket_asking();
	int64_t *took = calloc(changes + 1u, sizeof(*took));
	unsigned lost = 0, wrong = 0, count = 0;

	notify_send(udp); // a server that came before us waits for its retry
	const int64_t loaded =
	    ask_until(sock, names - 1, 0, now_ns() + LOAD_S * INT64_C(1000000000));
	if (loaded < 0 || took == NULL) {
		fprintf(stderr, "np-fresh: the zone was never served.\n");
		exit(1);
	}
	const int64_t began = atomic_load(&axfr_ns);
	const double load_s = began != 0 ? (double)(loaded - began) / 1e9 : 0;
	usleep(2000000); // what is done beside the loading is over then
	for (unsigned i = 0; i < changes; i++) {
		usleep(pause_ms * 1000);
		atomic_store_explicit(&changed, i + 1, memory_order_release);
		const int64_t sent = now_ns();
		notify_send(udp);
		const int64_t seen =
		    ask_until(sock, change_name(i), 0x0a000000 + i + 1, sent + GIVE_UP_NS);
		if (seen < 0)
			lost++;
		else
			took[count++] = seen - sent;
	}
	wrong += wrong_names(sock);
	usleep(2000000);
	const double few_s = replace(udp, sock, false);

	lost += few_s < 0;
	wrong += wrong_names(sock);
	usleep(2000000);
	const double replace_s = replace(udp, sock, true);

	lost += replace_s < 0;
	wrong += wrong_names(sock);
	qsort(took, count, sizeof(*took), by_size);
	printf("{\"names\": %u, \"load_s\": %.3f, \"changes\": %u, \"lost\": %u, \"wrong\": %u, "
	       "\"pause_ms\": %u, \"few_s\": %.3f, \"replace_s\": %.3f",
	    names, load_s, changes, lost, wrong, pause_ms, few_s, replace_s);
	if (count > 0)
		printf(", \"p50_ms\": %.3f, \"p90_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f",
		    (double)took[count / 2] / 1e6, (double)took[count * 9 / 10] / 1e6,
		    (double)took[count * 99 / 100] / 1e6, (double)took[count - 1] / 1e6);
	printf("}\n");
	free(took);
}

static struct sockaddr_in address(const char *text)
{
	struct sockaddr_in out = {.sin_family = AF_INET, .sin_port = htons(PORT)};

	if (inet_pton(AF_INET, text, &out.sin_addr) != 1) {
		fprintf(stderr, "np-fresh: '%s' is no IPv4 address.\n", text);
		exit(2);
	}
	return out;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"serve", required_argument, NULL, 's'},
	    {"notify", required_argument, NULL, 'n'}, {"ask", required_argument, NULL, 'a'},
	    {"ask-netns", required_argument, NULL, 'N'}, {"names", required_argument, NULL, 'z'},
	    {"changes", required_argument, NULL, 'c'}, {"pause", required_argument, NULL, 'p'},
	    {0}};
	pthread_t thread;

	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (c) {
		case 's':
			serve = address(optarg);
			break;
		case 'n':
			notify = address(optarg);
			break;
		case 'a':
			ask = address(optarg);
			break;
		case 'N':
			ask_netns = optarg;
			break;
		case 'z':
			names = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'c':
			changes = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'p':
			pause_ms = (unsigned)strtoul(optarg, NULL, 10);
			break;
		default:
			return 2;
		}
	}
	if (serve.sin_port == 0 || notify.sin_port == 0 || ask.sin_port == 0 || names == 0) {
		fprintf(stderr, "np-fresh: --serve, --notify and --ask say who is where.\n");
		return 2;
	}
	const int udp = socket_bound(SOCK_DGRAM), tcp = socket_bound(SOCK_STREAM);
	if (pthread_create(&thread, NULL, udp_main, (void *)(intptr_t)udp) != 0 ||
	    pthread_create(&thread, NULL, tcp_main, (void *)(intptr_t)tcp) != 0)
		die("cannot start a thread");
	run(udp);
	return 0;
}
