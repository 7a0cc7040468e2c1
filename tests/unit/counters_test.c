// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The counter page: what a thread writes is what a reader finds by name, and only reads.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <sys/mman.h>

#include "counters.h"

static uint64_t find(const uint8_t *page, const char *row, unsigned column, unsigned word)
{
	const struct counter_page_header *h = (const void *)page;
	const struct counter_page_row *rows = (const void *)(page + h->row_offset);

	for (uint32_t i = 0; i < h->row_count; i++) {
		if (strcmp(rows[i].name, row) == 0) {
			assert_true(word < rows[i].words);
			const uint64_t *values = (const void *)(page + h->values_offset +
			                                        (size_t)column * h->column_stride);
			return values[rows[i].word + word];
		}
	}
	fail_msg("no row %s", row);
	return 0;
}

static void a_reader_finds_by_name_what_a_thread_counted(void **state)
{
	const char *const columns[] = {"worker-0", "tcp-0"};
	struct counters *c;

	assert_int_equal(counters_open(columns, 2, 1000, &c), 0);
	const uint8_t *page =
	    mmap(NULL, counters_size(c), PROT_READ, MAP_SHARED, counters_fd(c), 0);
	assert_ptr_not_equal(page, MAP_FAILED);

	counters_add(&counters_column(c, 0)->frame[FRAME_UDP_PORT], 3);
	counters_add(&counters_column(c, 0)->thread[COUNT_tx_full], 5);
	counters_add(&counters_column(c, 1)->thread[COUNT_tcp_queries], 7);
	counters_add(&counters_column(c, 1)->dns.outcome[DNS_OUTCOME_nxdomain], 11);
	counters_add(&counters_column(c, 0)->dns.rendered, 13);
	counters_stage(counters_column(c, 0), STAGE_latency, 100, 17);

	assert_int_equal(find(page, "frame_udp_port", 0, 0), 3);
	assert_int_equal(find(page, "frame_udp_port", 1, 0), 0);
	assert_int_equal(find(page, "tx_full", 0, 0), 5);
	assert_int_equal(find(page, "tcp_queries", 1, 0), 7);
	assert_int_equal(find(page, "dns_nxdomain", 1, 0), 11);
	assert_int_equal(find(page, "dns_rendered", 0, 0), 13);
	assert_int_equal(find(page, "stage_latency", 0, counter_page_bucket(100)), 17);
	assert_int_equal(((const struct counter_page_header *)page)->magic, COUNTER_PAGE_MAGIC);

	munmap((void *)(uintptr_t)page, counters_size(c));
	counters_close(c);
}

static void nobody_else_can_map_the_page_for_writing(void **state)
{
	const char *const columns[] = {"worker-0"};
	struct counters *c;

	assert_int_equal(counters_open(columns, 1, 1000, &c), 0);
	assert_ptr_equal(
	    mmap(NULL, counters_size(c), PROT_READ | PROT_WRITE, MAP_SHARED, counters_fd(c), 0),
	    MAP_FAILED);
	counters_close(c);
	counters_close(NULL);
}

static void a_bucket_holds_exactly_the_values_from_its_floor_to_the_next(void **state)
{
	for (unsigned b = 0; b + 1 < COUNTER_PAGE_BUCKETS; b++) {
		uint64_t floor = counter_page_bucket_floor(b);
		uint64_t next = counter_page_bucket_floor(b + 1);
		assert_true(floor < next);
		assert_int_equal(counter_page_bucket(floor), b);
		assert_int_equal(counter_page_bucket(next - 1), b);
		assert_true(b < 8 || (next - floor) * 8 <= floor);
	}
	assert_int_equal(counter_page_bucket(UINT64_MAX), COUNTER_PAGE_BUCKETS - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_reader_finds_by_name_what_a_thread_counted),
	    cmocka_unit_test(nobody_else_can_map_the_page_for_writing),
	    cmocka_unit_test(a_bucket_holds_exactly_the_values_from_its_floor_to_the_next),
	};
	return cmocka_run_group_tests_name("counters", tests, NULL, NULL);
}
