// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// np-burst: what a worker does with a burst, from the frames received to the frames to send,
// without a port. For profiles and for instruction counts, which are the same on a busy machine:
//
//     np-burst --zone ORIGIN=FILE | --store FOLDER, --queries FILE [--count N] [--rounds N]
//         [--edns SHARE] [--do SHARE] [--ipv6 SHARE] [--cookie SHARE] [--overlay NAMES]...
//         [--again]
//     valgrind --tool=callgrind --toggle-collect=burst_answer np-burst ...
//
// Zones are compiled here, or loaded from a storage folder as np-dataplane does it; --overlay gives
// each an overlay in which so many of its names have another TTL, twice at most; --again publishes
// all zones of a storage folder once more, in no order, so that they lie in memory as they do in a
// node that has run for a while. Queries are those of np-load (load_query.h). One thread.

#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "attach_served.h"
#include "boot.h"
#include "checksum.h"
#include "compile.h"
#include "dns.h"
#include "frame_answer.h"
#include "heap.h"
#include "load_packet.h"
#include "load_query.h"
#include "overlay_of.h"
#include "zonefile.h"

#define BURST 64
#define ROOM  2048

#define CAP 1472 // of a reply

static struct frame_slot frames[BURST];

// A query that the stages answer.
struct job {
	struct frame frame;
	unsigned number; // in frames[]
};

static const struct hash_key key = {{0x5ca1ab1e0ddba11ULL, 0xc0ffee5eed5eed5ULL}};
static const struct dns_server server = {.identity_len = 5,
    .identity = "burst",
    .udp_payload_max = 1232,
    .cookie_secret_count = 1,
    .cookie_secrets = {{{0x0706050403020100, 0x0f0e0d0c0b0a0908}}}};
static struct dns_counters counters;
static struct dns_context context = {.server = &server, .counters = &counters};
static struct frame_rules rules = {.accept_partial = false};
static struct job jobs[BURST];
static struct dns_query queries[BURST + 1]; // one more than can be left to the stages
static uint8_t buffers[BURST][ROOM] __attribute__((aligned(64)));

static void __attribute__((noreturn)) die(const char *what, const char *detail)
{
	fprintf(stderr, "np-burst: %s%s%s.\n", what, detail[0] != '\0' ? ": " : "", detail);
	exit(1);
}

static int collect(void *ctx, const uint8_t *owner, uint16_t type, uint16_t rrclass, uint32_t ttl,
    const uint8_t *rdata, uint16_t rdlen, struct zonefile_error *error)
{
	return records_add(ctx, owner, type, ttl, rdata, rdlen);
}

// Address space for the image of a zone's text: far more than it may take, and little enough that
// valgrind has it for a hundred zones.
static size_t image_cap(const char *file)
{
	struct stat status;

	return stat(file, &status) != 0 ? 0 : ((size_t)status.st_size << 5) + (16 << 20);
}

static void zone_load(struct zone_table *table, char *text)
{
	const struct compile_options options = {.key = key, .generation = 1, .id = 1};
	struct zone_version *version = calloc(1, sizeof *version);
	struct zone_retired retired;
	struct zonefile_error at;
	struct image_buffer image;
	uint8_t apex[NAME_LEN_MAX];
	char error[COMPILE_ERROR_MAX], *file = strchr(text, '=');

	if (version == NULL || file == NULL)
		die("--zone takes ORIGIN=FILE", text);
	*file++ = '\0';
	if (name_from_text(text, strlen(text), (const uint8_t *)"", apex) < 0)
		die("no name", text);
	name_lower(apex, apex, name_len(apex));

	struct records *records = records_new(apex);

	if (records == NULL || zonefile_parse_file(file, apex, collect, records, &at) != 0)
		die(file, at.message);
	if (records_sort(records) != 0 || image_buffer_open(&image, image_cap(file)) != 0)
		die("out of memory", "");
	if (compile_image(records, &options, &image, error) != 0)
		die(file, error);
	records_free(records);
	version->layer_count = 1;
	if (image_open(&version->layer[0], image.mem, image.used) != 0 ||
	    zone_table_set(table, apex, version, &retired) != 0)
		die("the image does not open", file);
}

static struct zone_version *version_overlaid(
    const struct zone_version *below, uint64_t names, unsigned nth)
{
	struct zone_version *version = calloc(1, sizeof *version);
	char error[COMPILE_ERROR_MAX] = "out of memory";
	struct image_buffer image;

	if (version == NULL || overlay_of(below, names, nth, &image, error) != 0)
		die("overlay", error);
	version->layer_count = below->layer_count + 1;
	memcpy(&version->layer[1], below->layer, below->layer_count * sizeof below->layer[0]);
	if (image_open(&version->layer[0], image.mem, image.used) != 0 ||
	    version_check(version) != 0)
		die("the layers do not belong together", "");
	return version;
}

static void zones_overlay(struct zone_table *table, uint64_t names, unsigned nth)
{
	struct zone_retired retired;
	struct zone_entry *entry;
	size_t position = 0;

	while ((entry = zone_table_next(table, &position)) != NULL) {
		struct zone_version *version = version_overlaid(entry->version, names, nth);

		if (zone_table_set(table, entry->apex, version, &retired) != 0)
			die("out of memory", "");
	}
}

// A frame that was not answered. Post: the number of jobs, of which it is the last.
static unsigned frame_left(struct frame_answering *at_hand, unsigned number, unsigned left)
{
	if (frame_answer_leave(
	        at_hand, frames[number].bytes, frames[number].len, &jobs[left].frame) != FRAME_DNS)
		die("a query's frame is not one", "");
	jobs[left].number = number;
	at_hand->dns.query = &queries[++left];
	return left;
}

// As worker.c has it. Post: the number of those that are left to the stages.
static unsigned answer_plain(unsigned n, unsigned *replies)
{
	static struct frame_answering at_hand;
	unsigned left = 0;

	frame_answer_begin(&at_hand, &rules, &context, queries, CAP);
	for (unsigned i = 0;; i++) {
		i += frame_answer(&at_hand, frames + i, n - i);
		if (i == n)
			break;
		left = frame_left(&at_hand, i, left);
	}
	const unsigned waiting = frame_answer_burst(&at_hand);

	for (unsigned k = 0; (k = frame_answer_waited(&at_hand, k)) < waiting; k++)
		left = frame_left(&at_hand, (unsigned)(at_hand.slots[k] - frames), left);
	*replies += n - left;
	frame_answer_end(&at_hand);
	return left;
}

static unsigned reply(const uint8_t *live, unsigned n)
{
	unsigned replies = 0;

	for (unsigned k = 0; k < n; k++) {
		const struct job *job = &jobs[live[k]];
		const struct dns_query *q = &queries[live[k]];

		if (q->verdict != DNS_REPLY)
			continue;
		frames[job->number].len =
		    frame_reply(frames[job->number].bytes, &job->frame, q->len, q->sum);
		replies++;
	}
	return replies;
}

// Not inlined, so that a profiler can be told its name.
static __attribute__((noinline)) unsigned burst_answer(unsigned n)
{
	unsigned replies = 0, left = answer_plain(n, &replies), live_count;
	uint8_t live[BURST];

	if (left == 0)
		return replies;
	live_count = dns_parse_burst(&context, queries, left, live);
	dns_match_burst(&context, queries, live, live_count);
	dns_emit_burst(&context, queries, live, live_count);
	return replies + reply(live, live_count);
}

static struct served served; // of a storage folder

static void zone_again(struct served_zone *zone)
{
	const struct stored_version *old = served_version(zone);
	const struct image *base = version_base(&old->version);
	struct stored_version *version;
	struct block *block;

	if (block_copy(base->mem, base->header->size, &block) != 0 ||
	    stored_version_new(&block, 1, old->generation + 1, &version) != 0 ||
	    served_set(&served, version, zone->expiry, 0) != 0)
		die("out of memory", "");
}

static void store_again(void)
{
	uint64_t state = 1;

	for (size_t i = 0; i < 2 * served.count; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		zone_again(&served.zones[(state >> 33) % served.count]);
	}
	served_reclaim(&served);
}

// All that the node of that storage would serve.
static struct zone_table *store_load(const char *folder)
{
	static _Atomic(struct zone_table *) table;

	heap_open();
	if (boot_load(&served, &table, folder) != 0 || served.count == 0)
		die("no zone can be served", folder);
	return table;
}

static double run(const struct load_templates *templates, unsigned rounds, uint64_t *replies)
{
	struct timespec begin, end;
	double seconds = 0;
	uint64_t unit = 0;

	for (size_t left = templates->count * rounds; left > 0;) {
		unsigned n = left < BURST ? (unsigned)left : BURST;

		for (unsigned i = 0; i < n; i++) {
			const struct load_template *t = load_template_at(templates, unit);

			memcpy(buffers[i], t->frame, t->len);
			load_frame_mark(buffers[i], t, i);
			frames[i].bytes = buffers[i];
			frames[i].len = t->len;
			unit += t->size;
			if (unit * LOAD_UNIT >= templates->used)
				unit = 0;
		}
		clock_gettime(CLOCK_MONOTONIC, &begin);
		*replies += burst_answer(n);
		clock_gettime(CLOCK_MONOTONIC, &end);
		seconds += (double)(end.tv_sec - begin.tv_sec) +
		           (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
		left -= n;
	}
	return seconds;
}

static void report(double seconds, uint64_t asked, uint64_t replies)
{
	static const char *const names[] = {
#define X(name, help) #name,
	    DNS_OUTCOMES(X)
#undef X
	};

	printf("%.1f ns a query, %llu asked, %llu answered, %llu compiled, %llu rendered",
	    seconds * 1e9 / (double)asked, (unsigned long long)asked, (unsigned long long)replies,
	    (unsigned long long)counters.compiled, (unsigned long long)counters.rendered);
	for (unsigned i = 0; i < DNS_OUTCOME_COUNT; i++) {
		if (counters.outcome[i] != 0)
			printf(", %s %llu", names[i], (unsigned long long)counters.outcome[i]);
	}
	putchar('\n');
}

int main(int argc, char **argv)
{
	static const struct option words[] = {{"zone", 1, 0, 'z'}, {"store", 1, 0, 's'},
	    {"queries", 1, 0, 'q'}, {"count", 1, 0, 'c'}, {"rounds", 1, 0, 'r'},
	    {"edns", 1, 0, 'e'}, {"do", 1, 0, 'd'}, {"ipv6", 1, 0, '6'}, {"cookie", 1, 0, 'k'},
	    {"overlay", 1, 0, 'o'}, {"again", 0, 0, 'a'}, {0}};
	struct load_stream_options shape = {.seed = 1, .weight = {1}, .order = ORDER_UNIFORM};
	struct load_packet_options packet = {.mac_from = {2, 0, 0, 0, 0, 1},
	    .mac_to = {2, 0, 0, 0, 0, 2},
	    .to4 = {192, 0, 2, 53},
	    .from4 = {198, 51, 100, 1},
	    .to6 = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x53},
	    .from6 = {0x20, 0x01, 0x0d, 0xb8, [5] = 1, [15] = 1},
	    .sources = 1,
	    .share_edns = 1,
	    .udp_payload = 1232,
	    .seed = 1,
	    .expect = -1};
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(53)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(53)};
	struct zone_table *table = zone_table_new(&key);
	struct load_templates templates = {0};
	struct load_stream stream;
	struct load_list list = {0};
	const char *file = NULL;
	unsigned rounds = 1, line = 0, overlays = 0;
	uint64_t overlay[IMAGE_LAYERS_MAX - 1];
	size_t count = 100000;
	uint64_t replies = 0;

	for (int word; (word = getopt_long(argc, argv, "", words, NULL)) != -1;) {
		switch (word) {
		case 'z':
			zone_load(table, optarg);
			break;
		case 's':
			table = store_load(optarg);
			break;
		case 'q':
			file = optarg;
			break;
		case 'c':
			count = strtoul(optarg, NULL, 10);
			break;
		case 'r':
			rounds = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'e':
			packet.share_edns = strtod(optarg, NULL);
			break;
		case 'd':
			packet.share_do = strtod(optarg, NULL);
			break;
		case 'a':
			store_again();
			break;
		case 'o':
			if (overlays == IMAGE_LAYERS_MAX - 1)
				return 2;
			overlay[overlays++] = strtoul(optarg, NULL, 10);
			break;
		case '6':
			packet.share_ip6 = strtod(optarg, NULL);
			break;
		case 'k':
			packet.share_cookie = strtod(optarg, NULL);
			break;
		default:
			return 2;
		}
	}
	for (unsigned i = 0; i < overlays; i++)
		zones_overlay(table, overlay[i], i);
	context.table = table;
	memcpy(&in.sin_addr, packet.to4, 4);
	memcpy(&in6.sin6_addr, packet.to6, 16);
	if (file == NULL || frame_served_add(&rules.served, (void *)&in) != 0 ||
	    frame_served_add(&rules.served, (void *)&in6) != 0)
		die("zones and --queries FILE must be given", "");
	if (load_list_read(&list, file, &line) != 0 || list.count == 0)
		die("the queries cannot be read", file);
	if (load_stream_open(&stream, &list, &shape) != 0 ||
	    load_templates_build(&templates, &stream, &packet, count) != 0)
		die("the queries do not fit into memory", file);
	double seconds = 0, best = 0;

	for (unsigned round = 0; round < rounds; round++) {
		const double took = run(&templates, 1, &replies);

		seconds += took;
		best = round == 0 || took < best ? took : best;
	}
	printf("best round %.1f ns, ", best * 1e9 / (double)count);
	report(seconds, (uint64_t)count * rounds, replies);
	return replies > 0 ? 0 : 1;
}
