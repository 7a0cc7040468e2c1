// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// np-republish: a control plane that does nothing but publish. It takes one zone's image out of a
// storage folder and hands it to the data plane again and again, each time as a new generation,
// over the real seam: the data plane verifies the whole image, swaps, waits for its readers and
// says LIVE. For benchmarks, so that what is measured is the publication and not the work that
// leads to it.
//
//     np-republish --rundir DIR --storage DIR [--zone APEX] [--overlay NAMES] [--every MS]
//         [--turns MS] [--count N] [--seconds N]
//
// A version is not where the one before it was: there are some copies of the image, which take
// turns, so that a core's cache has nothing of what comes. With --overlay it is not the image that
// is published, but, as after most IXFRs, an overlay on it, in which so many names have another
// TTL, by turns other ones. With --turns it publishes in odd turns of so many milliseconds and
// rests in even ones, as np-load counts them. Without --every it publishes nothing and only
// watches. Says "ready" on stderr when the data plane has come; at the end (count, time or a
// signal) one JSON object: how long PUBLISH to LIVE took, and the workers' own latency (receive
// burst to transmit burst) meanwhile, out of the counter page.

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "counter_page.h"
#include "image.h"
#include "manifest.h"
#include "name.h"
#include "overlay_of.h"
#include "seam.h"

#define WAIT_MS   60000  // for the data plane, or for a LIVE
#define TIMES_MAX 100000 // publications that are remembered
// Copies of the image: 2, and more of a small one, until they are more than a core's cache holds.
#define COPIES_MAX   8
#define COPIES_BYTES (UINT64_C(16) << 20)

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static void __attribute__((noreturn)) die(const char *what, const char *why)
{
	fprintf(stderr, "np-republish: %s: %s.\n", what, why);
	exit(1);
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

// --- the zone's image

struct source {
	uint8_t apex[NAME_LEN_MAX];
	uint8_t apex_len;
	uint32_t serial;
	uint64_t generation; // the highest of the node
	unsigned layer;      // 1: overlays
	unsigned copies, next;
	struct copy {
		int fd; // a sealed memfd
		uint64_t size;
	} copy[COPIES_MAX];
};

static const struct manifest_zone *zone_of(const struct manifest *manifest, const char *text)
{
	uint8_t apex[NAME_LEN_MAX];
	int len = text == NULL ? 0 : name_from_text(text, strlen(text), NULL, apex);

	if (len < 0)
		return NULL;
	name_lower(apex, apex, (size_t)len);
	for (size_t i = 0; i < manifest->zone_count; i++) {
		const struct manifest_zone *zone = &manifest->zones[i];

		if (text == NULL ||
		    (zone->apex_len == len && memcmp(zone->apex, apex, (size_t)len) == 0))
			return zone;
	}
	return NULL;
}

// Written as the compiler writes it.
static int image_copy(const char *storage, const struct manifest_layer *layer)
{
	char path[4096];
	int fd = memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING), file;

	if (manifest_image_path(storage, layer->file_id, path, sizeof path) != 0)
		die(storage, "the name is too long");
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || file < 0)
		die(path, strerror(errno));
	if (image_fill(fd, file, layer->offset, layer->size) != 0 || image_seal(fd) != 0)
		die(path, "it cannot be copied and sealed");
	close(file);
	return fd;
}

static struct copy sealed_copy(const struct image_buffer *image)
{
	struct copy copy = {memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING), image->used};

	for (size_t at = 0; at < image->used;) {
		ssize_t n = write(copy.fd, image->mem + at, image->used - at);

		if (n <= 0)
			die("overlay", strerror(errno));
		at += (size_t)n;
	}
	if (image_seal(copy.fd) != 0)
		die("overlay", strerror(errno));
	return copy;
}

// Puts overlays on the image in its place.
static void source_overlay(struct source *source, uint64_t names)
{
	struct zone_version below = {.layer_count = 1};
	const struct copy base = source->copy[0];
	char error[COMPILE_ERROR_MAX];
	struct image_buffer image;
	const void *mem;

	if (image_map(base.fd, 0, base.size, &mem) != 0 ||
	    image_open(&below.layer[0], mem, base.size) != 0)
		die("overlay", "the image below cannot be opened");
	for (unsigned i = 0; i < COPIES_MAX; i++) {
		if (overlay_of(&below, names, i, &image, error) != 0)
			die("overlay", error);
		source->serial = ((const struct image_header *)(const void *)image.mem)->serial;
		source->copy[i] = sealed_copy(&image);
		image_buffer_close(&image);
	}
	source->copies = COPIES_MAX;
	source->layer = 1;
}

static void source_open(struct source *source, const char *storage, const char *text)
{
	char error[MANIFEST_ERROR_MAX] = "there is no manifest";
	struct manifest manifest;
	const struct manifest_zone *zone;

	if (manifest_load(storage, &manifest, error) != 0)
		die(storage, error);
	zone = zone_of(&manifest, text);
	if (zone == NULL || zone->layer_count != 1)
		die(text == NULL ? storage : text, "no such zone, or not one of a single layer");
	source->apex_len = zone->apex_len;
	memcpy(source->apex, zone->apex, zone->apex_len);
	source->serial = zone->serial;
	source->generation = manifest.generation_max;
	const uint64_t size = zone->layer[0].size;
	do
		source->copy[source->copies++] =
		    (struct copy){image_copy(storage, &zone->layer[0]), size};
	while (source->copies < 2 ||
	       (source->copies < COPIES_MAX && source->copies * size < COPIES_BYTES));
	manifest_free(&manifest);
}

// --- the data plane

struct peer {
	int sock;
	const struct counter_page_header *page; // or NULL
};

static void peer_wait(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	int rc;

	do
		rc = poll(&poll_fd, 1, WAIT_MS);
	while (rc < 0 && errno == EINTR && !stop);
	if (rc != 1 && !stop)
		die("the data plane", "nothing came from it within a minute");
}

// Post: the message's type; 0 when it was a signal that came.
static uint32_t peer_next(struct peer *peer, struct seam_message *message)
{
	int fd, rc;

	peer_wait(peer->sock);
	rc = seam_receive(peer->sock, message, &fd);
	if (rc == -EAGAIN && stop)
		return 0;
	if (rc != 0)
		die("the data plane", strerror(-rc));
	if (message->type == SEAM_COUNTERS && fd >= 0) {
		void *page = mmap(NULL, message->counters.size, PROT_READ, MAP_SHARED, fd, 0);

		if (page != MAP_FAILED)
			peer->page = page;
	}
	if (fd >= 0)
		close(fd);
	return message->type;
}

static void peer_accept(struct peer *peer, const char *rundir, struct source *source)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct seam_message message;
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", rundir, SEAM_SOCKET) >=
	    (int)sizeof address.sun_path)
		die(rundir, "the name is too long");
	unlink(address.sun_path);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
	    listen(listener, 1) != 0)
		die(address.sun_path, strerror(errno));
	peer_wait(listener);
	peer->sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (peer->sock < 0)
		exit(1); // a signal
	close(listener);
	for (uint32_t type = 1; type != SEAM_HELLO_END && type != 0;) {
		type = peer_next(peer, &message);
		if (message.generation > source->generation)
			source->generation = message.generation;
	}
	fputs("ready\n", stderr);
}

// Post: milliseconds from PUBLISH to LIVE; < 0 after a signal.
static double publish(struct peer *peer, struct source *source)
{
	struct seam_message message = {.type = SEAM_PUBLISH, .generation = ++source->generation};
	const double began = now_ms();
	uint32_t type;
	int rc;

	message.publish.name.len = source->apex_len;
	memcpy(message.publish.name.wire, source->apex, source->apex_len);
	message.publish.serial = source->serial;
	const struct copy *copy = &source->copy[source->next++ % source->copies];
	message.publish.image_size = copy->size;
	message.publish.layer = source->layer;
	while ((rc = seam_send(peer->sock, &message, copy->fd)) == -EAGAIN)
		usleep(100);
	if (rc != 0)
		die("the data plane", strerror(-rc));
	do {
		type = peer_next(peer, &message);
		if (type == SEAM_REJECT)
			die("rejected", message.zone.text);
	} while (type != SEAM_LIVE && type != 0);
	return type == 0 ? -1 : now_ms() - began;
}

// --- what the workers say

struct histogram {
	uint64_t bucket[COUNTER_PAGE_BUCKETS];
};

// Adds up all columns of the row "stage_latency", or of whatever name ends so.
static void histogram_read(const struct counter_page_header *page, struct histogram *out)
{
	const uint8_t *base = (const uint8_t *)page;
	const struct counter_page_row *row;

	memset(out, 0, sizeof *out);
	if (page == NULL || page->magic != COUNTER_PAGE_MAGIC)
		return;
	row = (const void *)(base + page->row_offset);
	for (uint32_t r = 0; r < page->row_count; r++) {
		if (row[r].words != COUNTER_PAGE_BUCKETS || strstr(row[r].name, "latency") == NULL)
			continue;
		for (uint32_t c = 0; c < page->column_count; c++) {
			const uint64_t *value =
			    (const void *)(base + page->values_offset +
			                   (size_t)c * page->column_stride + 8 * row[r].word);
			for (unsigned b = 0; b < COUNTER_PAGE_BUCKETS; b++)
				out->bucket[b] += __atomic_load_n(&value[b], __ATOMIC_RELAXED);
		}
	}
}

// In microseconds: the upper end of the bucket, so at most 12.5 % too high.
static double histogram_at(const struct histogram *h, double share, double ticks_per_us)
{
	uint64_t sum = 0, seen = 0;

	for (unsigned b = 0; b < COUNTER_PAGE_BUCKETS; b++)
		sum += h->bucket[b];
	for (unsigned b = 0; b + 1 < COUNTER_PAGE_BUCKETS && sum > 0; b++) {
		seen += h->bucket[b];
		if ((double)seen >= share * (double)sum)
			return (double)counter_page_bucket_floor(b + 1) / ticks_per_us;
	}
	return 0;
}

// --- the run

static int by_size(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void report_latency(const char *word, const struct histogram *workers, double ticks_per_us)
{
	static const struct {
		const char *word;
		double share;
	} percentiles[] = {
	    {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99_9", 0.999}, {"p99_99", 0.9999}};

	printf(", \"%s\": {", word);
	for (unsigned i = 0; i < sizeof percentiles / sizeof percentiles[0]; i++)
		printf("%s\"%s\": %.2f", i > 0 ? ", " : "", percentiles[i].word,
		    histogram_at(workers, percentiles[i].share, ticks_per_us));
	printf("}");
}

// `workers`: while it published, and while it rested.
static void report(const struct source *source, double *took, unsigned count,
    const struct histogram workers[2], double ticks_per_us, bool has_turns)
{
	qsort(took, count, sizeof *took, by_size);
	printf("{\"published\": %u, \"image_bytes\": %llu", count,
	    (unsigned long long)source->copy[0].size);
	if (count > 0)
		printf(", \"live_ms\": {\"p50\": %.3f, \"p99\": %.3f, \"max\": %.3f}",
		    took[count / 2], took[(size_t)count * 99 / 100], took[count - 1]);
	report_latency("worker_latency_us", &workers[0], ticks_per_us);
	if (has_turns)
		report_latency("rest_worker_latency_us", &workers[1], ticks_per_us);
	printf("}\n");
}

// Adds what the workers have counted since `before`, which is now then.
static void histogram_add(
    const struct counter_page_header *page, struct histogram *before, struct histogram *into)
{
	static struct histogram now;

	histogram_read(page, &now);
	for (unsigned b = 0; b < COUNTER_PAGE_BUCKETS; b++)
		into->bucket[b] += now.bucket[b] - before->bucket[b];
	*before = now;
}

struct plan {
	double every_ms, turn_ms, seconds; // 0: never, none, no end
	unsigned most;
};

static bool is_rest(const struct plan *plan, double now)
{
	return plan->turn_ms > 0 && (uint64_t)(now / plan->turn_ms) % 2 == 0;
}

static void run(struct peer *peer, struct source *source, const struct plan *plan)
{
	static double took[TIMES_MAX];
	static struct histogram before, workers[2];
	const double began = now_ms();
	double next = began, now;
	unsigned count = 0;
	bool rests = is_rest(plan, began);

	histogram_read(peer->page, &before);
	while (now = now_ms(), !stop && count < plan->most &&
	                           (plan->seconds == 0 || now - began < plan->seconds * 1e3)) {
		const double left = next - now;

		if (is_rest(plan, now) != rests) {
			histogram_add(peer->page, &before, &workers[rests]);
			rests = !rests;
			next = now;
			continue;
		}
		if (plan->every_ms == 0 || rests || left > 0) {
			usleep(plan->every_ms == 0 || rests || left > 2 ? 2000
			                                                : (useconds_t)(left * 1e3));
			continue;
		}
		took[count] = publish(peer, source);
		if (took[count] < 0)
			break;
		count++;
		next += plan->every_ms;
		if (next < now_ms()) // it took longer than that: no burst to catch up
			next = now_ms();
	}
	histogram_add(peer->page, &before, &workers[rests]);
	report(source, took, count, workers,
	    peer->page == NULL ? 1 : (double)peer->page->ticks_per_second / 1e6, plan->turn_ms > 0);
}

int main(int argc, char **argv)
{
	static const struct option words[] = {{"rundir", 1, 0, 'r'}, {"storage", 1, 0, 's'},
	    {"zone", 1, 0, 'z'}, {"overlay", 1, 0, 'o'}, {"every", 1, 0, 'e'}, {"turns", 1, 0, 'u'},
	    {"count", 1, 0, 'c'}, {"seconds", 1, 0, 't'}, {0}};
	struct sigaction action = {.sa_handler = on_signal}; // no SA_RESTART: poll ends
	const char *rundir = NULL, *storage = NULL, *zone = NULL;
	static struct source source;
	struct peer peer = {.sock = -1};
	struct plan plan = {.most = TIMES_MAX};
	uint64_t names = 0;

	for (int word; (word = getopt_long(argc, argv, "", words, NULL)) != -1;) {
		switch (word) {
		case 'r':
			rundir = optarg;
			break;
		case 's':
			storage = optarg;
			break;
		case 'z':
			zone = optarg;
			break;
		case 'o':
			names = strtoul(optarg, NULL, 10);
			break;
		case 'e':
			plan.every_ms = strtod(optarg, NULL);
			break;
		case 'u':
			plan.turn_ms = strtod(optarg, NULL);
			break;
		case 'c':
			plan.most = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 't':
			plan.seconds = strtod(optarg, NULL);
			break;
		default:
			return 2;
		}
	}
	if (rundir == NULL || storage == NULL || optind < argc || plan.most > TIMES_MAX ||
	    plan.every_ms < 0 || plan.turn_ms < 0)
		die("usage",
		    "np-republish --rundir DIR --storage DIR [--zone APEX] "
		    "[--overlay NAMES] [--every MS] [--turns MS] [--count N] [--seconds N]");
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	source_open(&source, storage, zone);
	if (names > 0)
		source_overlay(&source, names);
	peer_accept(&peer, rundir, &source);
	run(&peer, &source, &plan);
	close(peer.sock);
	return 0;
}
