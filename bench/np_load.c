// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// np-load: queries over memif as fast as a worker takes them, from one core. It keeps a window of
// queries outstanding, so that what it prints is the server's throughput and not its own drops.
// Replies are matched by their ID and source port; with --verify their checksums too.

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "checksum.h"
#include "frame.h"
#include "name.h"
#include "rrtype.h"

#define BURST       32
#define QUERY_MAX   512
#define QUERIES_MAX 2000000
#define WINDOW_MAX  8192
#define PORT_BASE   20000 // source ports, 64 of them: one flow would be one RSS queue
#define PORTS       64

struct query {
	uint16_t len; // of the frame
	uint64_t sum; // of the message with ID zero
	uint8_t frame[];
};

static volatile sig_atomic_t interrupted;

static struct {
	const char *memif, *queries, *to, *from;
	unsigned seconds, window, cpu;
	uint64_t rate; // queries a second, 0: as fast as the window allows
	bool edns_do, verify, json;
} opt = {.seconds = 5, .window = 1024, .from = NULL};

static struct {
	uint64_t sent, received, bad, rcode[16], bytes, latency_max, late;
	uint64_t latency[1024]; // microseconds, the last for all above
} stat;

static uint64_t sent_at[1 << 16]; // ticks, by ID; 0: not outstanding

static void __attribute__((noreturn)) die(const char *what, const char *why)
{
	fprintf(stderr, "np-load: %s: %s\n", what, why);
	exit(1);
}

// The bytes of one query frame, to be turned around by frame_reply(), which knows checksums: so it
// is built as if the server had sent it, and `from` and `to` change places.
static struct query *query_make(const uint8_t *name, size_t name_len, uint16_t type)
{
	uint8_t bytes[QUERY_MAX] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	bool v6 = strchr(opt.to, ':') != NULL;
	struct frame frame = {.version = v6 ? 6 : 4, .ip_off = 14};
	uint8_t *dns;
	size_t len = 12;

	frame.udp_off = v6 ? 54 : 34;
	frame.dns_off = (uint16_t)(frame.udp_off + 8);
	bytes[12] = v6 ? 0x86 : 0x08;
	bytes[13] = v6 ? 0xdd : 0x00;
	if (inet_pton(v6 ? AF_INET6 : AF_INET, opt.to, bytes + (v6 ? 22 : 26)) != 1)
		die(opt.to, "not an address");
	if (inet_pton(v6 ? AF_INET6 : AF_INET, opt.from, bytes + (v6 ? 38 : 30)) != 1)
		die(opt.from, "not an address");
	bytes[frame.udp_off + 1] = 53; // the destination, once turned around
	bytes[frame.udp_off + 2] = PORT_BASE >> 8;
	bytes[frame.udp_off + 3] = PORT_BASE & 0xff;

	dns = bytes + frame.dns_off;
	dns[5] = 1;
	memcpy(dns + len, name, name_len);
	len += name_len;
	dns[len++] = (uint8_t)(type >> 8);
	dns[len++] = (uint8_t)type;
	dns[len++] = 0;
	dns[len++] = 1;
	if (opt.edns_do) {
		static const uint8_t edns[11] = {0, 0, 41, 4, 0xd0, 0, 0, 0x80};
		memcpy(dns + len, edns, sizeof edns);
		len += sizeof edns;
		dns[11] = 1;
	}
	uint64_t sum = checksum_sum(dns, len, 0);
	size_t total = frame_reply(bytes, &frame, len, sum);
	struct query *q = malloc(sizeof *q + total);
	if (q == NULL)
		die("queries", "no memory");
	q->len = (uint16_t)total;
	q->sum = sum;
	memcpy(q->frame, bytes, total);
	return q;
}

// Lines of "name type", as dnsperf reads them.
static size_t queries_load(struct query ***out)
{
	struct query **list = calloc(QUERIES_MAX, sizeof *list);
	FILE *f = fopen(opt.queries, "re");
	char line[2048], name[1024], type_text[64];
	size_t count = 0;

	if (list == NULL)
		die("queries", "no memory");
	if (f == NULL)
		die(opt.queries, strerror(errno));
	while (count < QUERIES_MAX && fgets(line, sizeof line, f) != NULL) {
		uint8_t wire[NAME_LEN_MAX];
		int type;
		if (line[0] == ';' || sscanf(line, "%1023s %63s", name, type_text) != 2)
			continue;
		int len = name_from_text(name, strlen(name), NULL, wire);
		type = rrtype_from_text(type_text, strlen(type_text));
		if (len < 0 || type < 0)
			continue;
		list[count++] = query_make(wire, (size_t)len, (uint16_t)type);
	}
	fclose(f);
	if (count == 0)
		die(opt.queries, "no queries in it");
	*out = list;
	return count;
}

// The ID stands in the message, the port in the UDP header; the checksum is patched for both
// (RFC 1624).
static void stamp(uint8_t *bytes, bool v6, uint16_t id)
{
	uint8_t *udp = bytes + (v6 ? 54 : 34), *dns = udp + 8;
	uint16_t port = htons((uint16_t)(PORT_BASE + id % PORTS)), old, field;
	uint64_t sum;

	memcpy(&field, udp + 6, 2);
	memcpy(&old, udp, 2);
	sum = (uint64_t)(uint16_t)~field + (uint16_t)~old + port + id;
	memcpy(udp, &port, 2);
	memcpy(dns, &id, 2);
	field = (uint16_t)~checksum_fold(sum);
	if (field == 0)
		field = 0xffff;
	memcpy(udp + 6, &field, 2);
}

static void receive(uint16_t port, const struct frame_rules *rules, bool v6, unsigned *outstanding)
{
	struct rte_mbuf *burst[BURST];
	uint16_t n = rte_eth_rx_burst(port, 0, burst, BURST);
	uint64_t now = rte_rdtsc(), us = rte_get_tsc_hz() / 1000000;

	for (unsigned i = 0; i < n; i++) {
		const uint8_t *bytes = rte_pktmbuf_mtod(burst[i], const uint8_t *);
		const uint8_t *dns = bytes + (v6 ? 62 : 42);
		uint16_t id;
		struct frame frame;

		if (burst[i]->data_len < (v6 ? 74 : 54))
			goto bad;
		if (opt.verify &&
		    frame_classify(bytes, burst[i]->data_len,
		        rules + (ntohs(*(const unaligned_uint16_t *)(dns - 6)) - PORT_BASE) % PORTS,
		        &frame) != FRAME_DNS)
			goto bad;
		memcpy(&id, dns, 2);
		if (sent_at[id] == 0 || (dns[2] & 0x80) == 0)
			goto bad;
		uint64_t took = (now - sent_at[id]) / us;
		sent_at[id] = 0;
		--*outstanding;
		stat.received++;
		stat.bytes += burst[i]->data_len;
		stat.rcode[dns[3] & 15]++;
		stat.latency[took < 1023 ? took : 1023]++;
		if (took > stat.latency_max)
			stat.latency_max = took;
		rte_pktmbuf_free(burst[i]);
		continue;
	bad:
		stat.bad++;
		rte_pktmbuf_free(burst[i]);
	}
}

static void run(uint16_t port, struct rte_mempool *pool, struct query **queries, size_t count)
{
	static struct frame_rules rules[PORTS];
	bool v6 = strchr(opt.to, ':') != NULL;
	uint64_t hz = rte_get_tsc_hz(), start = rte_rdtsc(), end = start + opt.seconds * hz;
	uint64_t now = start, sweep = start + hz / 4;
	unsigned outstanding = 0;
	uint16_t id = 1;
	size_t next = 0;

	for (unsigned i = 0; i < PORTS; i++) {
		struct sockaddr_storage a = {0};
		if (v6) {
			struct sockaddr_in6 *in6 = (void *)&a;
			in6->sin6_family = AF_INET6;
			in6->sin6_port = htons((uint16_t)(PORT_BASE + i));
			inet_pton(AF_INET6, opt.from, &in6->sin6_addr);
		} else {
			struct sockaddr_in *in = (void *)&a;
			in->sin_family = AF_INET;
			in->sin_port = htons((uint16_t)(PORT_BASE + i));
			inet_pton(AF_INET, opt.from, &in->sin_addr);
		}
		if (frame_served_add(&rules[i].served, (void *)&a) != 0)
			die("addresses", "do not fit");
	}
	while (!interrupted && (now < end || (outstanding > 0 && now < end + hz / 10))) {
		struct rte_mbuf *burst[BURST];
		unsigned n = 0;
		bool due = opt.rate == 0 || stat.sent < (now - start) * opt.rate / hz;

		if (now < end && due && outstanding + BURST <= opt.window &&
		    rte_pktmbuf_alloc_bulk(pool, burst, BURST) == 0) {
			for (; n < BURST; n++) {
				const struct query *q = queries[next];
				uint8_t *bytes = rte_pktmbuf_mtod(burst[n], uint8_t *);
				next = next + 1 < count ? next + 1 : 0;
				while (sent_at[id] != 0)
					id++;
				memcpy(bytes, q->frame, q->len);
				stamp(bytes, v6, id);
				burst[n]->data_len = q->len;
				burst[n]->pkt_len = q->len;
				sent_at[id++] = now;
			}
			uint16_t sent = rte_eth_tx_burst(port, 0, burst, BURST);
			stat.sent += sent;
			outstanding += sent;
			for (unsigned i = sent; i < n; i++) {
				uint16_t lost;
				memcpy(&lost,
				    rte_pktmbuf_mtod(burst[i], uint8_t *) + (v6 ? 62 : 42), 2);
				sent_at[lost] = 0;
				rte_pktmbuf_free(burst[i]);
			}
		}
		receive(port, rules, v6, &outstanding);
		now = rte_rdtsc();
		if (now > sweep) { // what got lost must not fill the window for ever
			for (unsigned i = 0; i < 1 << 16; i++) {
				if (sent_at[i] != 0 && now - sent_at[i] > hz / 4) {
					sent_at[i] = 0;
					outstanding--;
					stat.late++;
				}
			}
			sweep = now + hz / 4;
		}
	}
	stat.late += outstanding;
}

static uint64_t percentile(double part)
{
	uint64_t sum = 0, want = (uint64_t)((double)stat.received * part);

	for (unsigned i = 0; i < 1024; i++) {
		sum += stat.latency[i];
		if (sum > want)
			return i;
	}
	return 1023;
}

static void report(double seconds)
{
	if (opt.json) {
		printf("{\"sent\": %lu, \"answered\": %lu, \"lost\": %lu, \"bad\": %lu, \"qps\": "
		       "%.0f, "
		       "\"noerror\": %lu, \"nxdomain\": %lu, \"p50_us\": %lu, \"p99_us\": %lu, "
		       "\"max_us\": %lu}\n",
		    stat.sent, stat.received, stat.late, stat.bad, (double)stat.received / seconds,
		    stat.rcode[0], stat.rcode[3], percentile(0.5), percentile(0.99),
		    stat.latency_max);
		return;
	}
	printf("sent      %12lu\nanswered  %12lu   %.3f M/s\nlost      %12lu\nbad       %12lu\n",
	    stat.sent, stat.received, (double)stat.received / seconds / 1e6, stat.late, stat.bad);
	for (unsigned i = 0; i < 16; i++) {
		if (stat.rcode[i] != 0)
			printf("rcode %-3u %12lu\n", i, stat.rcode[i]);
	}
	printf("latency   p50 %lu us, p99 %lu us, p99.9 %lu us, max %lu us\n", percentile(0.5),
	    percentile(0.99), percentile(0.999), stat.latency_max);
}

static void on_signal(int sig)
{
	interrupted = 1;
}

static uint16_t open_port(struct rte_mempool *pool)
{
	struct rte_eth_conf conf = {0};
	struct rte_eth_link link = {0};
	char args[512];
	uint16_t port;

	snprintf(args, sizeof args, "role=client,id=0,socket=%s,socket-abstract=no", opt.memif);
	if (rte_eal_hotplug_add("vdev", "net_memif0", args) != 0 ||
	    rte_eth_dev_get_port_by_name("net_memif0", &port) != 0)
		die(opt.memif, "cannot make the memif client");
	if (rte_eth_dev_configure(port, 1, 1, &conf) != 0 ||
	    rte_eth_rx_queue_setup(port, 0, 1024, SOCKET_ID_ANY, NULL, pool) != 0 ||
	    rte_eth_tx_queue_setup(port, 0, 1024, SOCKET_ID_ANY, NULL) != 0 ||
	    rte_eth_dev_start(port) != 0)
		die(opt.memif, "cannot start the memif client");
	for (unsigned i = 0; i < 500 && link.link_status == 0; i++) {
		usleep(10000);
		if (rte_eth_link_get_nowait(port, &link) != 0)
			break;
	}
	if (link.link_status == 0)
		die(opt.memif, "no server there");
	return port;
}

static void parse_options(int argc, char **argv)
{
	static const struct option options[] = {{"memif", required_argument, NULL, 'm'},
	    {"queries", required_argument, NULL, 'q'}, {"to", required_argument, NULL, 't'},
	    {"from", required_argument, NULL, 'f'}, {"seconds", required_argument, NULL, 's'},
	    {"window", required_argument, NULL, 'w'}, {"cpu", required_argument, NULL, 'c'},
	    {"rate", required_argument, NULL, 'r'}, {"do", no_argument, NULL, 'd'},
	    {"verify", no_argument, NULL, 'v'}, {"json", no_argument, NULL, 'j'}, {0}};
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (o) {
		case 'm':
			opt.memif = optarg;
			break;
		case 'q':
			opt.queries = optarg;
			break;
		case 't':
			opt.to = optarg;
			break;
		case 'f':
			opt.from = optarg;
			break;
		case 's':
			opt.seconds = (unsigned)atoi(optarg);
			break;
		case 'w':
			opt.window = (unsigned)atoi(optarg);
			break;
		case 'c':
			opt.cpu = (unsigned)atoi(optarg);
			break;
		case 'r':
			opt.rate = strtoull(optarg, NULL, 10);
			break;
		case 'd':
			opt.edns_do = true;
			break;
		case 'v':
			opt.verify = true;
			break;
		case 'j':
			opt.json = true;
			break;
		default:
			exit(2);
		}
	}
	if (opt.memif == NULL || opt.queries == NULL || opt.to == NULL || optind != argc ||
	    opt.window < BURST || opt.window > WINDOW_MAX) {
		fputs("usage: np-load --memif SOCKET --queries FILE --to ADDRESS [--from ADDRESS]\n"
		      "               [--seconds N] [--window N] [--rate N] [--cpu N] [--do] "
		      "[--verify] "
		      "[--json]\n",
		    stderr);
		exit(2);
	}
	if (opt.from == NULL)
		opt.from = strchr(opt.to, ':') != NULL ? "2001:db8:ffff::1" : "192.0.2.254";
}

int main(int argc, char **argv)
{
	char lcores[32], prefix[64];
	struct query **queries;

	parse_options(argc, argv);
	size_t count = queries_load(&queries);
	snprintf(lcores, sizeof lcores, "--lcores=0@%u", opt.cpu);
	snprintf(prefix, sizeof prefix, "--file-prefix=npload-%d", (int)getpid());
	const char *eal[] = {"np-load", lcores, prefix, "--no-huge", "--no-shconf", "--no-pci",
	    "--no-telemetry", "-m", "256", "--log-level=*:error", NULL};
	if (rte_eal_init(10, (char **)(uintptr_t)eal) < 0)
		die("DPDK", "cannot start");
	struct rte_mempool *pool = rte_pktmbuf_pool_create(
	    "load", 16383, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (pool == NULL)
		die("DPDK", "no memory");
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	uint16_t port = open_port(pool);
	run(port, pool, queries, count);
	report(opt.seconds);
	rte_eth_dev_stop(port);
	rte_eth_dev_close(port);
	rte_eal_cleanup();
	return stat.received > 0 && stat.bad == 0 ? 0 : 1;
}
