// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Torture of the swap: readers answer from zones that are replaced, withdrawn and brought back as
// fast as the seam can. Each answer must be of one whole version, never older than one seen before,
// and never older than what was LIVE when the question began. Under ASan a version freed too early
// is a use after free; under TSan the grace period is told by the two marks below, since liburcu's
// own library is not instrumented.

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <urcu/urcu-qsbr.h>

#include "seam_peer.h"

#define READERS 3
#define ZONES   4
#define SWAPS   1500
#define IMAGES  16 // per zone, made before: compiling is not what is tested

#if defined(__SANITIZE_THREAD__)
void __tsan_acquire(void *at);
void __tsan_release(void *at);
#define MARK_RELEASE() __tsan_release(&grace)
#define MARK_ACQUIRE() __tsan_acquire(&grace)
static char grace;
#else
#define MARK_RELEASE() (void)0
#define MARK_ACQUIRE() (void)0
#endif

void __real_urcu_qsbr_synchronize_rcu(void);
void __wrap_urcu_qsbr_synchronize_rcu(void);

static _Atomic unsigned long grace_periods;

void __wrap_urcu_qsbr_synchronize_rcu(void)
{
	__real_urcu_qsbr_synchronize_rcu();
	MARK_ACQUIRE();
	atomic_fetch_add(&grace_periods, 1);
}

static const char *const apexes[ZONES] = {"a.", "bb.example.", "ccc.example.", "d."};

struct torture {
	struct peer peer;
	_Atomic uint32_t live[ZONES]; // serial that was LIVE; 0 while it may be withdrawn
	atomic_bool stop;
	_Atomic unsigned long answers, absent, wrong, swaps_seen;
};

// The serial in the answer to "apex SOA". 0: REFUSED. UINT32_MAX: wrong.
static uint32_t answer_serial(const uint8_t *msg, size_t len, size_t apex_len)
{
	size_t at = 12 + apex_len + 4;

	if ((msg[3] & 0x0f) == 5)
		return 0;
	if ((msg[3] & 0x0f) != 0 || msg[7] != 1 || at + 12 > len || msg[at] < 0xc0)
		return UINT32_MAX;
	at += 12; // owner, type, class, ttl, rdlength
	for (unsigned name = 0; name < 2; name++) {
		while (at < len && msg[at] != 0 && msg[at] < 0xc0)
			at += 1u + msg[at];
		at += at < len && msg[at] != 0 ? 2 : 1;
	}
	if (at + 4 > len)
		return UINT32_MAX;
	return (uint32_t)msg[at] << 24 | (uint32_t)msg[at + 1] << 16 | (uint32_t)msg[at + 2] << 8 |
	       msg[at + 3];
}

static uint32_t reader_ask(
    struct torture *t, struct dns_counters *counters, uint8_t *buffer, unsigned zone)
{
	struct dns_context context = {.server = &t->peer.dataplane.server,
	    .table = atomic_load_explicit(&t->peer.dataplane.table, memory_order_acquire),
	    .counters = counters};
	struct dns_query query = {.msg = buffer, .cap = DNS_TCP_MAX, .transport = DNS_TCP};
	uint8_t apex[NAME_LEN_MAX];
	size_t apex_len = (size_t)name_from_text(apexes[zone], strlen(apexes[zone]), NULL, apex);

	memset(buffer, 0, 12);
	buffer[5] = 1;
	memcpy(buffer + 12, apex, apex_len);
	memcpy(buffer + 12 + apex_len, "\0\6\0\1", 4);
	query.len = (uint16_t)(12 + apex_len + 4);
	dns_answer(&context, &query);
	if (query.verdict != DNS_REPLY)
		return UINT32_MAX;
	return answer_serial(buffer, query.len, apex_len);
}

static void *reader_main(void *arg)
{
	struct torture *t = arg;
	struct dns_counters *counters = aligned_alloc(64, sizeof(*counters));
	uint8_t *buffer = malloc(DNS_TCP_MAX + DNS_WRITE_SLACK + 1);
	uint32_t newest[ZONES] = {0};
	unsigned long answers = 0, absent = 0, wrong = 0, swaps = 0;

	memset(counters, 0, sizeof(*counters));
	urcu_qsbr_register_thread();
	for (unsigned n = 0; !atomic_load_explicit(&t->stop, memory_order_relaxed); n++) {
		unsigned zone = n % ZONES;
		uint32_t live = atomic_load_explicit(&t->live[zone], memory_order_acquire);
		uint32_t serial = reader_ask(t, counters, buffer, zone);

		if (serial == 0) {
			wrong += live != 0; // a zone that nobody withdraws was not there
			absent++;
		} else if (serial == UINT32_MAX || serial < newest[zone] || serial < live) {
			wrong++;
		} else {
			swaps += serial != newest[zone];
			newest[zone] = serial;
			answers++;
		}
		// In the middle of a burst versions may come and go; at its end nothing is held.
		if (n % 32 == 31) {
			MARK_RELEASE();
			urcu_qsbr_quiescent_state();
		}
		if (n % 4096 == 4095) { // as a TCP thread in epoll_wait
			MARK_RELEASE();
			urcu_qsbr_thread_offline();
			usleep(100);
			urcu_qsbr_thread_online();
		}
	}
	MARK_RELEASE();
	urcu_qsbr_unregister_thread();
	atomic_fetch_add(&t->answers, answers);
	atomic_fetch_add(&t->absent, absent);
	atomic_fetch_add(&t->wrong, wrong);
	atomic_fetch_add(&t->swaps_seen, swaps);
	free(buffer);
	free(counters);
	return NULL;
}

// Waits until the oldest answer that is due has come; notes what is live.
static void live_take(struct torture *t)
{
	struct seam_message message;
	char text[NAME_TEXT_MAX];

	peer_expect(&t->peer, &message, SEAM_LIVE);
	name_to_text(message.zone.name.wire, text);
	for (unsigned zone = 0; zone < ZONES; zone++)
		if (zone != 3 && strcmp(text, apexes[zone]) == 0)
			atomic_store_explicit(
			    &t->live[zone], message.zone.serial, memory_order_release);
}

static void readers_see_whole_versions_and_never_an_older_one(void **state)
{
	static struct torture t;
	struct peer_image image[ZONES][IMAGES];
	struct seam_message message;
	pthread_t thread[READERS];
	unsigned in_flight = 0;

	peer_folder_make(&t.peer);
	peer_listen(&t.peer);
	peer_start(&t.peer);
	peer_greet(&t.peer);
	// Zone 1 is large enough to be mapped and verified by the other thread. The images' serials
	// say their order; the same one is published many times, under ever new generations.
	for (unsigned zone = 0; zone < ZONES; zone++)
		for (unsigned i = 0; i < IMAGES; i++)
			image[zone][i] = peer_image_sealed(
			    apexes[zone], i + 1, i + 1, zone == 1 ? 3000 : zone * 20);
	for (unsigned zone = 0; zone < 3; zone++) {
		peer_publish_message(&message, apexes[zone], 1, 1, image[zone][0]);
		peer_send(&t.peer, &message, image[zone][0].fd);
		live_take(&t);
	}
	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, reader_main, &t), 0);

	uint64_t generation = 100;

	for (unsigned swap = 0; swap < SWAPS; swap++) {
		unsigned zone = swap % ZONES;
		uint32_t serial = 1 + swap * (IMAGES - 1) / SWAPS; // never falls

		generation++;
		if (zone == 3 && swap / ZONES % 2 == 0) {
			peer_zone_message(&message, SEAM_WITHDRAW, apexes[zone], generation);
			peer_send(&t.peer, &message, -1);
		} else {
			peer_publish_message(
			    &message, apexes[zone], serial, generation, image[zone][serial - 1]);
			peer_send(&t.peer, &message, image[zone][serial - 1].fd);
		}
		// A few under way at once, one a zone: grace periods are shared.
		if (++in_flight == ZONES)
			while (in_flight > 0) {
				live_take(&t);
				in_flight--;
			}
	}
	for (; in_flight > 0; in_flight--)
		live_take(&t);
	atomic_store(&t.stop, true);
	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	print_message("%u swaps in %lu grace periods; readers: %lu answers, %lu without the zone, "
	              "%lu changes of serial seen\n",
	    SWAPS, atomic_load(&grace_periods), atomic_load(&t.answers), atomic_load(&t.absent),
	    atomic_load(&t.swaps_seen));
	assert_int_equal(atomic_load(&t.wrong), 0);
	assert_true(atomic_load(&t.swaps_seen) >= READERS * 3);
	assert_true(atomic_load(&t.absent) > 0);
	for (unsigned zone = 0; zone < ZONES; zone++)
		for (unsigned i = 0; i < IMAGES; i++)
			close(image[zone][i].fd);
	peer_stop(&t.peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(readers_see_whole_versions_and_never_an_older_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
