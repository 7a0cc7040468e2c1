// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// np-updates: many small zones that change all the time. A scripted primary of N made-up zones
// (zNNNN.upd.; SOA, AXFR, IXFR) changes one of them RATE times a second in all, some many times at
// once, tells each change by NOTIFY, and a client asks all of them without pause. Every record that
// changes is made of the serial, so that an answer of two versions, of one that was never there, or
// of one before what was seen already is known from the answer alone.
//
//     np-updates --serve ADDRESS --notify ADDRESS --ask ADDRESS [--ask-netns NAME] [--zones N]
//         [--rate N] [--load N] [--seconds N] [--warmup N]
//
// One line of JSON. `seen` is from a change (its NOTIFY leaves at once) to the first answer that
// has it or a later one, asked each millisecond or so.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
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

#define PORT       53
#define NAME_LEN   11 // \5z0001\3upd\0
#define FILLERS    4  // records that never change
#define MS         INT64_C(1000000)
#define S          INT64_C(1000000000)
#define PENDING    256 // changes of a zone that nobody has seen yet
#define BURST      10
#define BURST_EACH 40 // one change in so many is a burst
#define WHOLE_EACH 16 // one version in so many is only given as a whole
#define STEPS_MAX  20
#define REPORTED   10 // of what is wrong

struct zone {
	// Release by the client after the fact, acquire by the primary's threads.
	_Atomic uint32_t serial;
	_Atomic uint32_t given;   // the highest serial that a transfer led to
	_Atomic uint32_t told;    // the highest serial whose NOTIFY was answered
	uint32_t floor;           // client: the least that may still be answered
	uint32_t visible;         // the highest seen
	unsigned pending;         // changes that were not seen
	int64_t made_ns[PENDING]; // of serial s: at s % PENDING
	int64_t probe_ns, notified_ns;
	bool listed; // in `waiting`
};

// What is asked, and how many records made of the serial an answer must have.
enum question { ASK_SOA, ASK_TXT, ASK_A, ASK_MX, ASK_CNAME, ASK_NODATA, QUESTIONS };
static const struct {
	const char *label; // before the apex
	unsigned type, records;
} asked[QUESTIONS] = {
    [ASK_SOA] = {"", TYPE_SOA, 1},
    [ASK_TXT] = {"", TYPE_TXT, 1},
    [ASK_A] = {"\1w", TYPE_A, 1},
    [ASK_MX] = {"", TYPE_MX, 2},      // and the address of its target
    [ASK_CNAME] = {"\1c", TYPE_A, 2}, // and what it leads to
    [ASK_NODATA] = {"\1w", TYPE_TXT, 1},
};

struct asking {
	int64_t sent_ns;
	uint32_t floor;
	uint16_t zone;
	uint8_t question;
	bool open;
};

static struct sockaddr_in serve = {.sin_family = AF_INET}, notify, ask;
static const char *ask_netns;
static unsigned zone_count = 500, rate = 200, load = 4000, seconds = 10, warmup = 2;
static struct zone *zones;
static _Atomic unsigned transfers, whole_transfers, soa_questions;

static struct asking askings[65536];
static uint16_t last_id;
static unsigned *waiting, waiting_count; // zones with a change that was not seen
static uint64_t updates, answers, lost, errors, mixed, backwards, unknown, notified_again;
static unsigned reported = REPORTED; // before it begins a zone may not be there yet
static int64_t *latencies;
static size_t latency_count, latency_cap;

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * S + now.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "np-updates: %s: %s.\n", what, strerror(errno));
	exit(1);
}

static void zone_name(unsigned zone, uint8_t out[NAME_LEN + 1])
{
	snprintf((char *)out, NAME_LEN + 1, "\5z%04u\3upd", zone);
}

// Post: the number of the zone that ends `name`; -1 when it is none of ours.
static int zone_of(const uint8_t *name)
{
	unsigned zone = 0;

	if (name[0] != 5 || (name[1] | 32) != 'z' || name[6] != 3 ||
	    strncasecmp((const char *)name + 7, "upd", 4) != 0)
		return -1;
	for (unsigned i = 2; i < 6; i++)
		zone = zone * 10 + (name[i] - (unsigned)'0');
	return zone < zone_count ? (int)zone : -1;
}

// --- the records of a version
// --------------------------------------------------------------------------------

#define APEX "\300\14" // where the question's name begins

static void put_soa(struct out *o, uint32_t serial)
{
	static const uint8_t names[] = "\2ns\300\14\1h\300\14";

	put16(o, 0xc00c);
	record(o, TYPE_SOA, 3600, sizeof(names) - 1 + 20);
	put(o, names, sizeof(names) - 1);
	put32(o, serial);
	put32(o, 3600);
	put32(o, 600);
	put32(o, 864000);
	put32(o, 300);
}

static void put_address(struct out *o, const char *label, uint32_t address)
{
	put(o, label, strlen(label));
	put(o, APEX, 2);
	record(o, TYPE_A, 300, 4);
	put32(o, address);
}

static uint32_t code(uint32_t serial)
{
	return 0x0a000000 | (serial & 0xffffff);
}

// All that changes from version to version, but the SOA.
static void put_changing(struct out *o, uint32_t serial)
{
	char text[16], target[16];
	const size_t text_len = (size_t)snprintf(text, sizeof(text), "%u", serial);
	const size_t target_len =
	    (size_t)snprintf(target, sizeof(target), "%cv%u", (int)text_len + 1, serial);

	put16(o, 0xc00c);
	record(o, TYPE_TXT, 300, text_len + 1);
	o->bytes[o->at++] = (uint8_t)text_len;
	put(o, text, text_len);
	put16(o, 0xc00c);
	record(o, TYPE_MX, 300, 7);
	put16(o, serial & 0xffff);
	put(o, "\2mx" APEX, 5);
	put_address(o, "\2mx", code(serial));
	put_address(o, "\1w", code(serial));
	put(o, "\1c" APEX, 4);
	record(o, TYPE_CNAME, 300, target_len + 2);
	put(o, target, target_len);
	put(o, APEX, 2);
	put_address(o, target, code(serial));
}

static void put_constant(struct out *o)
{
	put16(o, 0xc00c);
	record(o, TYPE_NS, 3600, 5);
	put(o, "\2ns" APEX, 5);
	put_address(o, "\2ns", 0xc0000235);
	for (unsigned i = 0; i < FILLERS; i++) {
		const char label[] = {2, 'h', (char)('0' + i), 0};

		put_address(o, label, 0xc0000200 + i);
	}
}

// --- the primary
// ---------------------------------------------------------------------------------------------

static void given_raise(struct zone *zone, uint32_t serial)
{
	uint32_t before = atomic_load_explicit(&zone->given, memory_order_relaxed);

	while (before < serial && !atomic_compare_exchange_weak(&zone->given, &before, serial))
		;
	if (before < serial)
		atomic_fetch_add_explicit(&transfers, 1, memory_order_relaxed);
}

// The answer to one question of the secondary's. `from`: the serial it has, of an IXFR.
static void answer_make(struct out *o, unsigned id, unsigned n, unsigned type, uint32_t from)
{
	struct zone *zone = &zones[n];
	const uint32_t serial = atomic_load_explicit(&zone->serial, memory_order_acquire);
	uint8_t name[NAME_LEN + 1];

	zone_name(n, name);
	begin(o, id, 0x8400, name, NAME_LEN, type);
	put_soa(o, serial);
	if (type == TYPE_SOA) {
		atomic_fetch_add_explicit(&soa_questions, 1, memory_order_relaxed);
	} else if (type == TYPE_IXFR && from == serial) {
	} else if (type == TYPE_IXFR && from > 0 && from < serial && serial % WHOLE_EACH != 0) {
		// Step by step, or all in one.
		uint32_t step = serial - from <= STEPS_MAX ? 1 : serial - from;

		for (uint32_t at = from; at < serial; at += step) {
			put_soa(o, at);
			put_changing(o, at);
			put_soa(o, at + step);
			put_changing(o, at + step);
		}
		put_soa(o, serial);
		given_raise(zone, serial);
	} else {
		put_constant(o);
		put_changing(o, serial);
		put_soa(o, serial);
		given_raise(zone, serial);
		atomic_fetch_add_explicit(&whole_transfers, 1, memory_order_relaxed);
	}
	end(o);
}

// The type of a question about one of our zones; 0: something else.
static unsigned question(const uint8_t *msg, size_t len, unsigned *zone, uint32_t *serial)
{
	const unsigned type = transfer_question(msg, len, NAME_LEN, serial);

	if (type == 0 || zone_of(msg + 12) < 0)
		return 0;
	*zone = (unsigned)zone_of(msg + 12);
	return type;
}

static void *connection_main(void *arg)
{
	const int fd = (int)(intptr_t)arg;
	struct out *o = malloc(sizeof(*o));
	uint8_t length[2], msg[4096];
	uint32_t serial;
	unsigned zone;

	while (o != NULL && receive_all(fd, length, 2)) {
		const size_t len = (size_t)length[0] << 8 | length[1];

		if (len > sizeof(msg) || !receive_all(fd, msg, len))
			break;
		const unsigned type = question(msg, len, &zone, &serial);

		if (type == 0)
			break;
		answer_make(o, (unsigned)msg[0] << 8 | msg[1], zone, type, serial);
		if (!send_all(fd, o->bytes, o->at))
			break;
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

// Questions, and the answers to our NOTIFYs: the id of one is the low half of the serial told.
static void *udp_main(void *arg)
{
	const int sock = (int)(intptr_t)arg;
	static struct out o;

	for (;;) {
		uint8_t msg[4096];
		struct sockaddr_in from;
		socklen_t from_len = sizeof(from);
		uint32_t serial;
		unsigned zone;
		const ssize_t len =
		    recvfrom(sock, msg, sizeof(msg), 0, (struct sockaddr *)&from, &from_len);

		if (len >= 12 + NAME_LEN && (msg[2] & 0x80) != 0 && zone_of(msg + 12) >= 0 &&
		    (msg[3] & 15) == 0)
			atomic_store_explicit(&zones[zone_of(msg + 12)].told,
			    (uint32_t)msg[0] << 8 | msg[1], memory_order_relaxed);
		const unsigned type = len > 0 ? question(msg, (size_t)len, &zone, &serial) : 0;

		if (type == 0)
			continue;
		answer_make(&o, (unsigned)msg[0] << 8 | msg[1], zone, type, serial);
		sendto(sock, o.bytes + 2, o.at - 2, 0, (struct sockaddr *)&from, from_len);
	}
	return NULL;
}

static int socket_bound(int type)
{
	const int sock = socket(AF_INET, type, 0), one = 1, room = 4 << 20;

	setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (sock < 0 || bind(sock, (struct sockaddr *)&serve, sizeof(serve)) != 0 ||
	    (type == SOCK_STREAM && listen(sock, 1024) != 0))
		die("cannot serve");
	return sock;
}

static void notify_send(int sock, unsigned n)
{
	static struct out o;
	const uint32_t serial = atomic_load_explicit(&zones[n].serial, memory_order_relaxed);
	uint8_t name[NAME_LEN + 1];

	zone_name(n, name);
	begin(&o, serial & 0xffff, 0x2400, name, NAME_LEN, TYPE_SOA); // NOTIFY, AA
	put_soa(&o, serial);
	end(&o);
	if (sendto(sock, o.bytes + 2, o.at - 2, 0, (struct sockaddr *)&notify, sizeof(notify)) < 0)
		die("cannot send NOTIFY");
	zones[n].notified_ns = now_ns();
}

static void zone_change(int udp, unsigned n)
{
	struct zone *zone = &zones[n];
	const uint32_t serial = atomic_load_explicit(&zone->serial, memory_order_relaxed) + 1;

	if (zone->pending == PENDING) {
		fprintf(stderr, "np-updates: %u changes of zone %u were not seen.\n", PENDING, n);
		exit(1);
	}
	zone->made_ns[serial % PENDING] = now_ns();
	zone->pending++;
	atomic_store_explicit(&zone->serial, serial, memory_order_release);
	updates++;
	notify_send(udp, n);
	if (!zone->listed) {
		zone->listed = true;
		zone->probe_ns = now_ns() + MS;
		waiting[waiting_count++] = n;
	}
}

// --- the client
// ----------------------------------------------------------------------------------------------

// In the other network namespace where one is named.
static int socket_asking(void)
{
	const int room = 16 << 20;
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
	setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (home >= 0 && setns(home, CLONE_NEWNET) != 0)
		die("cannot come back");
	return sock;
}

static void question_send(int sock, unsigned n, enum question q)
{
	static struct out o;
	const uint16_t id = ++last_id;
	struct asking *asking = &askings[id];
	uint8_t name[NAME_LEN + 4];
	const size_t label = strlen(asked[q].label);

	lost += asking->open; // 65,536 questions ago
	*asking = (struct asking){now_ns(), zones[n].floor, (uint16_t)n, (uint8_t)q, true};
	memcpy(name, asked[q].label, label);
	zone_name(n, name + label);
	begin(&o, id, 0, name, label + NAME_LEN, asked[q].type);
	(void)!send(sock, o.bytes + 2, o.at - 2, MSG_NOSIGNAL);
}

// What one answer says, of every record that is made of the serial.
struct said {
	uint32_t serial; // of the first; only the low 16 bits of an MX
	unsigned records;
	bool narrow, mixed;
};

static void said_add(struct said *said, uint32_t serial, bool narrow)
{
	if (said->records++ == 0) {
		*said = (struct said){serial, 1, narrow, false};
		return;
	}
	if (((said->serial ^ serial) & (said->narrow || narrow ? 0xffff : 0xffffff)) != 0)
		said->mixed = true;
	if (said->narrow && !narrow) {
		said->serial = serial;
		said->narrow = false;
	}
}

static const uint8_t *name_skip(const uint8_t *at, const uint8_t *last)
{
	while (at < last && *at != 0 && *at < 0xc0)
		at += 1 + *at;
	return at + (at < last && *at >= 0xc0 ? 2 : 1);
}

static uint32_t number_at(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t digits(const uint8_t *at, size_t len)
{
	char text[16] = "";

	memcpy(text, at, len < sizeof(text) ? len : sizeof(text) - 1);
	return (uint32_t)strtoul(text, NULL, 10);
}

static void record_read(struct said *said, const uint8_t *msg, size_t len, unsigned type,
    const uint8_t *rdata, size_t n)
{
	const uint8_t *label = rdata;

	switch (type) {
	case TYPE_SOA:
		said_add(said, number_at(rdata + n - 20), false);
		break;
	case TYPE_TXT:
		said_add(said, digits(rdata + 1, rdata[0]), false);
		break;
	case TYPE_A:
		if (rdata[0] == 10)
			said_add(said, number_at(rdata) & 0xffffff, false);
		break;
	case TYPE_MX:
		said_add(said, (uint32_t)rdata[0] << 8 | rdata[1], true);
		break;
	case TYPE_CNAME:
		if (*label >= 0xc0)
			label = msg + ((label[0] & 0x3f) << 8 | label[1]);
		if (label < msg + len && label[1] == 'v')
			said_add(said, digits(label + 2, label[0] - 1u), false);
		break;
	default:
		break;
	}
}

// Post: false when it is not well formed.
static bool answer_read(struct said *said, const uint8_t *msg, size_t len)
{
	const uint8_t *at = name_skip(msg + 12, msg + len) + 4, *last = msg + len;
	unsigned count = 0;

	for (unsigned i = 6; i < 12; i += 2)
		count += (unsigned)msg[i] << 8 | msg[i + 1];
	for (; count > 0; count--) {
		at = name_skip(at, last);
		if (at + 10 > last)
			return false;
		const unsigned type = (unsigned)at[0] << 8 | at[1];
		const size_t n = (size_t)at[8] << 8 | at[9];

		at += 10;
		if (at + n > last || n == 0)
			return false;
		record_read(said, msg, len, type, at, n);
		at += n;
	}
	return at == last;
}

static void report(const char *what, unsigned n, enum question q, uint32_t serial)
{
	if (reported++ < REPORTED)
		fprintf(stderr,
		    "np-updates: zone %u, question %d: %s: %u (at least %u, the primary has %u).\n",
		    n, q, what, serial, zones[n].floor, zones[n].serial);
}

static void latency_add(int64_t ns)
{
	if (latency_count == latency_cap) {
		latency_cap = latency_cap > 0 ? latency_cap * 2 : 65536;
		latencies = reallocarray(latencies, latency_cap, sizeof(*latencies));
		if (latencies == NULL)
			die("latencies");
	}
	latencies[latency_count++] = ns;
}

static void zone_seen(struct zone *zone, uint32_t serial)
{
	const int64_t now = now_ns();

	if (serial > zone->floor)
		zone->floor = serial;
	while (zone->visible < serial) {
		zone->visible++;
		if (zone->pending > 0) {
			zone->pending--;
			latency_add(now - zone->made_ns[zone->visible % PENDING]);
		}
	}
}

static void answer_take(const uint8_t *msg, size_t len)
{
	struct said said = {0};

	if (len < 12 || (msg[2] & 0x80) == 0)
		return;
	struct asking *asking = &askings[(unsigned)msg[0] << 8 | msg[1]];
	struct zone *zone = &zones[asking->zone];
	const enum question q = asking->question;

	if (!asking->open)
		return;
	asking->open = false;
	answers++;
	if ((msg[3] & 15) != 0) {
		errors++;
		report("rcode", asking->zone, q, msg[3] & 15);
		return;
	}
	if (!answer_read(&said, msg, len) || said.records < asked[q].records || said.mixed) {
		mixed++;
		report("not of one version", asking->zone, q, said.serial);
		return;
	}
	if (said.narrow)
		said.serial |= asking->floor & ~0xffffu;
	if (said.serial < asking->floor) {
		backwards++;
		report("a version before what was seen", asking->zone, q, said.serial);
	} else if (said.serial > atomic_load_explicit(&zone->serial, memory_order_relaxed)) {
		unknown++;
		report("a version that never was", asking->zone, q, said.serial);
	} else {
		zone_seen(zone, said.serial);
	}
}

// Asks for what was changed until it is seen; tells again what the node did not confirm.
static void probe(int sock, int udp)
{
	for (unsigned i = 0; i < waiting_count;) {
		const unsigned n = waiting[i];
		struct zone *zone = &zones[n];
		const int64_t now = now_ns();

		if (zone->pending == 0) {
			zone->listed = false;
			waiting[i] = waiting[--waiting_count];
			continue;
		}
		i++;
		if (now - zone->notified_ns > S &&
		    zone->told !=
		        (atomic_load_explicit(&zone->serial, memory_order_relaxed) & 0xffff)) {
			notified_again++;
			notify_send(udp, n);
		}
		if (now < zone->probe_ns)
			continue;
		question_send(sock, n, (enum question)(last_id % QUESTIONS));
		// Each millisecond; what takes long is asked for less often.
		zone->probe_ns =
		    now + MS + (now - zone->made_ns[(zone->visible + 1) % PENDING]) / 16;
	}
}

static void answers_take(int sock, int64_t until)
{
	struct pollfd wait = {.fd = sock, .events = POLLIN};
	const int64_t left = until - now_ns();
	const struct timespec timeout = {.tv_nsec = left > 0 ? left : 0};
	uint8_t reply[4096];
	ssize_t len;

	if (ppoll(&wait, 1, &timeout, NULL) <= 0)
		return;
	while ((len = recv(sock, reply, sizeof(reply), 0)) > 0)
		answer_take(reply, (size_t)len);
}

// Changes and questions until `until`; both at their rates whatever comes back.
static void run(int sock, int udp, int64_t until)
{
	int64_t change_at = now_ns(), load_at = change_at, now;

	while ((now = now_ns()) < until) {
		for (; rate > 0 && change_at <= now; change_at += S / rate) {
			const unsigned n = (unsigned)random() % zone_count;
			const bool burst = random() % BURST_EACH == 0;

			for (unsigned i = 0; i < (burst ? BURST : 1); i++)
				zone_change(udp, n);
			change_at += burst ? (BURST - 1) * (S / rate) : 0;
		}
		for (; load > 0 && load_at <= now; load_at += S / load)
			question_send(sock, (unsigned)random() % zone_count,
			    (enum question)(random() % QUESTIONS));
		probe(sock, udp);
		answers_take(sock, now_ns() + MS / 4);
	}
}

// Until each zone says its last serial. Post: how many do not.
static unsigned settle(int sock, int udp, int64_t until)
{
	unsigned behind = 0;

	while (now_ns() < until) {
		probe(sock, udp);
		if (waiting_count == 0)
			break;
		answers_take(sock, now_ns() + MS);
	}
	for (unsigned n = 0; n < zone_count; n++)
		behind += zones[n].pending > 0;
	return behind;
}

static void start(int sock, int udp)
{
	for (unsigned n = 0; n < zone_count; n++)
		zone_change(udp, n);
	const unsigned behind = settle(sock, udp, now_ns() + 120 * S);

	if (behind > 0) {
		fprintf(stderr, "np-updates: %u zones were never served.\n", behind);
		exit(1);
	}
}

static int by_size(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void counters_clear(void)
{
	updates = answers = lost = errors = mixed = backwards = unknown = notified_again = 0;
	latency_count = 0;
	transfers = whole_transfers = soa_questions = 0;
	reported = 0;
	memset(askings, 0, sizeof(askings));
}

static void figures(double took_s, unsigned behind)
{
	for (unsigned i = 0; i < 65536; i++)
		lost += askings[i].open;
	qsort(latencies, latency_count, sizeof(*latencies), by_size);
	printf("{\"zones\": %u, \"seconds\": %.1f, \"updates\": %llu, \"behind\": %u, "
	       "\"transfers\": %u, "
	       "\"whole\": %u, \"soa\": %u, \"coalesced\": %llu, \"notified_again\": %llu, "
	       "\"answers\": %llu, "
	       "\"unanswered\": %llu, \"errors\": %llu, \"mixed\": %llu, \"backwards\": %llu, "
	       "\"unknown\": %llu, ",
	    zone_count, took_s, (unsigned long long)updates, behind, transfers, whole_transfers,
	    soa_questions, (unsigned long long)updates - transfers,
	    (unsigned long long)notified_again, (unsigned long long)answers,
	    (unsigned long long)lost, (unsigned long long)errors, (unsigned long long)mixed,
	    (unsigned long long)backwards, (unsigned long long)unknown);
	const size_t n = latency_count > 0 ? latency_count : 1;

	if (latency_count == 0)
		latency_add(-MS);
	printf("\"seen_p50_ms\": %.2f, \"seen_p90_ms\": %.2f, \"seen_p99_ms\": %.2f, "
	       "\"seen_max_ms\": %.2f}\n",
	    (double)latencies[n / 2] / 1e6, (double)latencies[n * 9 / 10] / 1e6,
	    (double)latencies[n * 99 / 100] / 1e6, (double)latencies[n - 1] / 1e6);
}

static struct sockaddr_in address(const char *text)
{
	struct sockaddr_in out = {.sin_family = AF_INET, .sin_port = htons(PORT)};

	if (inet_pton(AF_INET, text, &out.sin_addr) != 1) {
		fprintf(stderr, "np-updates: '%s' is no IPv4 address.\n", text);
		exit(2);
	}
	return out;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"serve", required_argument, NULL, 's'},
	    {"notify", required_argument, NULL, 'n'}, {"ask", required_argument, NULL, 'a'},
	    {"ask-netns", required_argument, NULL, 'N'}, {"zones", required_argument, NULL, 'z'},
	    {"rate", required_argument, NULL, 'r'}, {"load", required_argument, NULL, 'l'},
	    {"seconds", required_argument, NULL, 't'}, {"warmup", required_argument, NULL, 'w'},
	    {0}};
	pthread_t thread;

	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		const unsigned number = c == '?' ? 0 : (unsigned)strtoul(optarg, NULL, 10);

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
			zone_count = number;
			break;
		case 'r':
			rate = number;
			break;
		case 'l':
			load = number;
			break;
		case 't':
			seconds = number;
			break;
		case 'w':
			warmup = number;
			break;
		default:
			return 2;
		}
	}
	if (serve.sin_port == 0 || notify.sin_port == 0 || ask.sin_port == 0 || zone_count == 0 ||
	    zone_count > 10000) {
		fprintf(stderr, "np-updates: --serve, --notify and --ask say who is where; --zones "
		                "is at most 10,000.\n");
		return 2;
	}
	zones = calloc(zone_count, sizeof(*zones));
	waiting = calloc(zone_count, sizeof(*waiting));
	if (zones == NULL || waiting == NULL)
		die("zones");
	const int udp = socket_bound(SOCK_DGRAM), tcp = socket_bound(SOCK_STREAM);

	for (unsigned n = 0; n < zone_count; n++)
		zones[n].serial = zones[n].visible = 1;
	if (pthread_create(&thread, NULL, udp_main, (void *)(intptr_t)udp) != 0 ||
	    pthread_create(&thread, NULL, tcp_main, (void *)(intptr_t)tcp) != 0)
		die("cannot start a thread");
	const int sock = socket_asking();

	start(sock, udp);
	run(sock, udp, now_ns() + warmup * S);
	(void)settle(sock, udp, now_ns() + 10 * S);
	counters_clear();
	fprintf(stderr, "begins\n");
	const int64_t began = now_ns();

	run(sock, udp, began + seconds * S);
	const double took_s = (double)(now_ns() - began) / 1e9;
	const unsigned behind = settle(sock, udp, now_ns() + 20 * S);
	const int64_t late = now_ns() + 2 * S;

	while (now_ns() < late)
		answers_take(sock, now_ns() + 10 * MS);
	fprintf(stderr, "ends\n");
	figures(took_s, behind);
	return 0;
}
