// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The journal: what is appended is read back, limits hold, and whatever happens to its bytes, what
// is read is what was written, or less of it, or an error.
#include "journal.h"
#include "journal_format.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "rrtype.h"

static const uint8_t apex[] = "\7example";
static const struct journal_limits wide = {.depth = 20, .usage = 100 << 20};
// In memory: thousands of fsyncs are not what is tested here.
static char storage[] = "/dev/shm/journal-test-XXXXXX";

static int setup(void **state)
{
	char path[64];

	snprintf(storage, sizeof(storage), "/dev/shm/journal-test-XXXXXX");
	if (mkdtemp(storage) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/journal", storage);
	return mkdir(path, 0755);
}

static int teardown(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", storage);
	return system(command);
}

static void soa_add(struct delta *delta, bool added, uint32_t serial)
{
	uint8_t rdata[] = "\2ns\7example\0\1h\7example\0SSSSrrrrRRRRxxxxmmmm";
	uint8_t *at = rdata + sizeof("\2ns\7example\0\1h\7example");

	for (unsigned i = 0; i < 4; i++)
		at[i] = (uint8_t)(serial >> (24 - 8 * i));
	assert_int_equal(
	    delta_add(delta, added, apex, RRTYPE_SOA, 3600, rdata, sizeof(rdata) - 1), 0);
}

// From `from` to `to`: a host of each number, `texts` times, goes and comes.
static struct delta *delta_of(uint32_t from, uint32_t to, unsigned texts)
{
	struct delta *delta = delta_new(apex, from);
	static uint8_t text[234 * 256];
	uint8_t owner[] = "\4Host\7example";

	for (size_t at = 0; at < sizeof(text); at += 256) {
		text[at] = 255;
		memset(text + at + 1, 'a' + (int)(to % 26), 255);
	}
	for (int added = 0; added < 2; added++) {
		const uint32_t serial = added ? to : from;
		const uint8_t address[4] = {192, 0, 2, (uint8_t)serial};

		soa_add(delta, added, serial);
		assert_int_equal(
		    delta_add(delta, added, owner, RRTYPE_A, 60 + serial, address, 4), 0);
		for (unsigned i = 0; i < texts; i++) {
			text[1] = (uint8_t)i;
			assert_int_equal(delta_add(delta, added, owner, RRTYPE_TXT, 5, text,
			                     sizeof(text) - 256 * (i % 7)),
			    0);
		}
	}
	delta->to = to;
	delta->steps = 1;
	return delta;
}

static uint64_t content_of(uint32_t serial)
{
	return UINT64_C(1000) + serial;
}

static int append(uint32_t from, uint64_t from_content, uint32_t to, uint64_t to_content,
    unsigned texts, const struct journal_limits *limits)
{
	struct delta *delta = delta_of(from, to, texts);
	struct journal_entry *entry;
	struct journal_append append = {
	    .apex = apex, .limits = *limits, .entries = &entry, .count = 1};

	assert_int_equal(
	    journal_entry_new(delta, from_content, to_content, 1700, UINT64_MAX, &entry), 0);
	delta_free(delta);
	journal_append(storage, &append, 1);
	journal_entry_free(entry);
	return append.rc;
}

static void append_good(uint32_t from, uint32_t to)
{
	assert_int_equal(append(from, content_of(from), to, content_of(to), 0, &wide), 0);
}

// "1>2 2>3": the steps, each read whole and compared with the difference it was made from. "!" in
// place of the arrow: its bytes are not what was written. "": none; "-": no journal; "?": broken.
static const char *steps_text(void)
{
	static char text[4096];
	char error[JOURNAL_ERROR_MAX], *at = text;
	const struct journal_step *steps;
	struct journal_change change;
	struct journal *journal;
	size_t count;
	const int rc = journal_open(storage, apex, &journal, error);

	if (rc != 0) {
		assert_true(rc == -ENOENT || rc == -EBADMSG);
		assert_true(error[0] != '\0');
		return rc == -ENOENT ? "-" : "?";
	}
	*at = '\0';
	steps = journal_steps(journal, &count);
	for (size_t i = 0; i < count; i++) {
		const int begun = journal_begin(journal, &steps[i]);

		assert_true(begun == 0 || begun == -EBADMSG);
		at += sprintf(at, "%s%u%c%u", i > 0 ? " " : "", steps[i].from,
		    begun == 0 ? '>' : '!', steps[i].to);
		if (begun != 0)
			continue;
		// The difference itself tells how many texts there were.
		struct delta *delta = delta_of(steps[i].from, steps[i].to, steps[i].added - 2);
		size_t n = 0;

		for (; journal_next(journal, &change) == 1; n++) {
			const struct record *record = &delta->changes->items[n];

			assert_true(n < delta->changes->count);
			assert_int_equal(change.added, delta->added[n]);
			assert_int_equal(change.type, record->type);
			assert_int_equal(change.ttl, record->ttl);
			assert_int_equal(change.owner_len, record->owner_len);
			assert_memory_equal(change.owner, record->owner, record->owner_len);
			assert_int_equal(change.rdlen, record->rdlen);
			assert_memory_equal(change.rdata, record->rdata, record->rdlen);
		}
		assert_int_equal(n, delta->changes->count);
		assert_int_equal(journal_next(journal, &change), 0);
		assert_int_equal(steps[i].when_ms, 1700);
		delta_free(delta);
	}
	journal_close(journal);
	return text;
}

static void what_is_appended_is_read_back(void **state)
{
	assert_string_equal(steps_text(), "-");
	append_good(1, 2);
	assert_string_equal(steps_text(), "1>2");
	append_good(2, 5);
	append_good(5, 6);
	assert_string_equal(steps_text(), "1>2 2>5 5>6");
}

static void changes_longer_than_any_buffer_are_read_back(void **state)
{
	assert_int_equal(append(1, 1, 2, 2, 40, &wide), 0); // 2 x 2.3 MB
	assert_int_equal(append(2, 2, 3, 3, 9, &wide), 0);
	assert_string_equal(steps_text(), "1>2 2>3");
}

static void a_chain_ends_at_the_version_asked_for(void **state)
{
	static const struct row {
		uint32_t from, to;
		uint64_t content;
		size_t count;
		uint32_t first; // where the first step begins
	} rows[] = {
	    {1, 4, 1004, 3, 1},
	    {2, 4, 1004, 2, 2},
	    {3, 4, 1004, 1, 3},
	    {4, 4, 1004, 0, 0},
	    {1, 3, 1003, 2, 1},
	    {3, 2, 1002, 0, 0}, // not back
	    {9, 4, 1004, 0, 0},
	    {1, 4, 77, 0, 0}, // the same serial, another content
	    {1, 4, 0, 3, 1},
	};
	char error[JOURNAL_ERROR_MAX];
	struct journal *journal;

	append_good(1, 2);
	append_good(2, 3);
	append_good(3, 4);
	assert_int_equal(journal_open(storage, apex, &journal, error), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct journal_step *first = NULL;

		assert_int_equal(
		    journal_chain(journal, rows[i].from, rows[i].to, rows[i].content, &first),
		    rows[i].count);
		if (rows[i].count > 0)
			assert_int_equal(first->from, rows[i].first);
	}
	journal_close(journal);
}

static void a_step_that_does_not_follow_begins_anew(void **state)
{
	append_good(1, 2);
	append_good(2, 3);
	append_good(7, 8);
	assert_string_equal(steps_text(), "7>8");
	// The serial follows, what it stands on does not.
	assert_int_equal(append(8, 4711, 9, content_of(9), 0, &wide), 0);
	assert_string_equal(steps_text(), "8>9");
}

static void what_a_rollback_left_behind_goes_with_the_next_step(void **state)
{
	append_good(1, 2);
	append_good(2, 3);
	append_good(3, 4);
	append_good(2, 6);
	assert_string_equal(steps_text(), "1>2 2>6");
}

static void a_repeated_step_stands_there_once(void **state)
{
	append_good(1, 2);
	append_good(2, 3);
	append_good(2, 3);
	assert_string_equal(steps_text(), "1>2 2>3");
}

static void older_steps_go_whole_at_the_limit_of_depth(void **state)
{
	const struct journal_limits limits = {.depth = 3, .usage = 100 << 20};

	for (uint32_t i = 1; i <= 200; i++) {
		assert_int_equal(append(i, content_of(i), i + 1, content_of(i + 1), 0, &limits), 0);
		char expected[64];

		snprintf(expected, sizeof(expected), "%u>%u %u>%u %u>%u", i - 2, i - 1, i - 1, i, i,
		    i + 1);
		if (i >= 3)
			assert_string_equal(steps_text(), expected);
	}
}

static off_t file_size(char path[300])
{
	char folder[64];
	struct dirent *entry;
	struct stat st;

	snprintf(folder, sizeof(folder), "%s/journal", storage);
	DIR *dir = opendir(folder);

	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			snprintf(path, 300, "%s/%.200s", folder, entry->d_name);
	closedir(dir);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static void the_file_never_takes_more_than_it_may(void **state)
{
	const struct journal_limits limits = {.depth = 100, .usage = 300000};
	char path[300];

	for (uint32_t i = 1; i <= 40; i++) {
		assert_int_equal(
		    append(i, content_of(i), i + 1, content_of(i + 1), i % 3, &limits), 0);
		assert_true((uint64_t)file_size(path) <= limits.usage);
	}
	assert_string_equal(steps_text() + strlen(steps_text()) - 5, "40>41");
	// One that is too large alone takes the journal with it: nothing leads over it.
	assert_int_equal(append(41, content_of(41), 42, content_of(42), 5, &limits), -EFBIG);
	assert_string_equal(steps_text(), "-");
}

static void a_reader_keeps_what_it_has_open(void **state)
{
	const struct journal_limits limits = {.depth = 2, .usage = 100 << 20};
	const struct journal_step *first;
	struct journal_change change;
	char error[JOURNAL_ERROR_MAX];
	struct journal *journal;
	size_t n = 0;

	assert_int_equal(append(1, 1, 2, 2, 20, &limits), 0);
	assert_int_equal(append(2, 2, 3, 3, 20, &limits), 0);
	assert_int_equal(journal_open(storage, apex, &journal, error), 0);
	assert_int_equal(journal_chain(journal, 1, 3, 3, &first), 2);
	assert_int_equal(journal_begin(journal, first), 0);
	for (uint32_t i = 3; i < 9; i++)
		assert_int_equal(append(i, i, i + 1, i + 1, 20, &limits), 0);
	while (journal_next(journal, &change) == 1)
		n++;
	assert_int_equal(n, 2 * 22);
	assert_int_equal(journal_begin(journal, first + 1), 0);
	journal_close(journal);
}

// Zones and steps of each; more than are synced one by one.
static void many_zones_are_written_at_once(void **state)
{
	enum { ZONES = 9, STEPS = 3 };
	static uint8_t names[ZONES][sizeof(apex)];
	struct journal_entry *entries[STEPS];
	struct journal_append appends[ZONES];
	char error[JOURNAL_ERROR_MAX];
	struct journal *journal;
	size_t count;

	for (uint32_t i = 0; i < STEPS; i++) {
		struct delta *delta = delta_of(i + 1, i + 2, 0);

		assert_int_equal(
		    journal_entry_new(delta, i + 1, i + 2, 1, UINT64_MAX, &entries[i]), 0);
		delta_free(delta);
	}
	for (uint32_t round = 0; round < 2; round++) {
		for (size_t i = 0; i < ZONES; i++) {
			memcpy(names[i], apex, sizeof(apex));
			names[i][1] = (uint8_t)('a' + i);
			// The second round stands on the first; some are past the limit.
			appends[i] = (struct journal_append){.apex = names[i],
			    .limits = {.depth = i == 0 ? 2 : 20, .usage = 100 << 20},
			    .entries = entries + round * 2,
			    .count = round == 0 ? 2 : 1};
		}
		journal_append(storage, appends, ZONES);
		for (size_t i = 0; i < ZONES; i++)
			assert_int_equal(appends[i].rc, 0);
	}
	for (size_t i = 0; i < ZONES; i++) {
		assert_int_equal(journal_open(storage, names[i], &journal, error), 0);
		assert_int_equal(journal_steps(journal, &count)[0].from, i == 0 ? 2 : 1);
		assert_int_equal(count, i == 0 ? 2 : 3);
		journal_close(journal);
	}
	for (size_t i = 0; i < STEPS; i++)
		journal_entry_free(entries[i]);
}

// --- bytes that are not what was written
// ----------------------------------------------------------

struct bytes {
	uint8_t at[8192];
	size_t len;
};

static void file_get(const char *path, struct bytes *bytes)
{
	FILE *file = fopen(path, "r");

	bytes->len = fread(bytes->at, 1, sizeof(bytes->at), file);
	assert_true(bytes->len < sizeof(bytes->at));
	fclose(file);
}

static void file_put(const char *path, const struct bytes *bytes)
{
	FILE *file = fopen(path, "w");

	assert_int_equal(fwrite(bytes->at, 1, bytes->len, file), bytes->len);
	fclose(file);
}

static const char full[] = "1>2 2>3 3>4";

// What may be left of `full`: steps from the first on, "!" where one's bytes are broken.
static void assert_prefix(const char *text, const char *what, size_t i)
{
	if (strcmp(text, "?") == 0)
		return;
	for (size_t k = 0; text[k] != '\0'; k++)
		if (text[k] != full[k] && !(text[k] == '!' && full[k] == '>'))
			fail_msg("%s %zu: '%s'", what, i, text);
	if (strlen(text) % 4 != 3 && text[0] != '\0')
		fail_msg("%s %zu: '%s'", what, i, text);
}

static void full_make(char path[300], struct bytes *bytes)
{
	append_good(1, 2);
	append_good(2, 3);
	append_good(3, 4);
	assert_string_equal(steps_text(), full);
	file_size(path);
	file_get(path, bytes);
}

// Whatever was left, the next step finds its place.
static void append_after(const char *what, size_t i)
{
	append_good(4, 5);
	const char *text = steps_text();

	if (strcmp(text, "4>5") != 0 && strcmp(text, "3>4 4>5") != 0 &&
	    strcmp(text, "2>3 3>4 4>5") != 0 && strcmp(text, "1>2 2>3 3>4 4>5") != 0 &&
	    strchr(text, '!') == NULL)
		fail_msg("%s %zu, then a step: '%s'", what, i, text);
	if (strcmp(text + strlen(text) - 3, "4>5") != 0)
		fail_msg("%s %zu, then a step: '%s'", what, i, text);
}

static void a_file_cut_anywhere_is_a_prefix_or_an_error(void **state)
{
	struct bytes bytes, cut;
	char path[300];
	size_t errors = 0, shorter = 0;

	full_make(path, &bytes);
	for (size_t len = 0; len <= bytes.len; len++) {
		cut = bytes;
		cut.len = len;
		file_put(path, &cut);
		const char *text = steps_text();

		assert_prefix(text, "length", len);
		assert_null(strchr(text, '!')); // what is not there is not listed
		errors += text[0] == '?';
		shorter += strlen(text) < strlen(full) && text[0] != '?';
		append_after("length", len);
	}
	assert_int_equal(errors, 320); // head and mark
	assert_int_equal(shorter, bytes.len - 320);
}

static void a_byte_flipped_anywhere_is_a_prefix_or_an_error(void **state)
{
	struct bytes bytes, flipped;
	char path[300];
	size_t noticed = 0;

	full_make(path, &bytes);
	for (size_t i = 0; i < bytes.len; i++) {
		flipped = bytes;
		flipped.at[i] ^= (uint8_t)(1 << i % 8);
		file_put(path, &flipped);
		const char *text = steps_text();

		assert_prefix(text, "byte", i);
		noticed += strcmp(text, full) != 0;
		append_after("byte", i);
	}
	// All but those of the mark, without which every step is judged.
	assert_int_equal(noticed, bytes.len - 32);
}

// As a crash leaves it: the step is there, the mark not yet, or not all of the step.
static void a_step_without_its_mark_counts_when_it_is_whole(void **state)
{
	struct bytes before, after, torn;
	char path[300];

	append_good(1, 2);
	append_good(2, 3);
	file_size(path);
	file_get(path, &before);
	append_good(3, 4);
	file_get(path, &after);
	for (size_t i = before.len; i <= after.len; i++) {
		torn = after;
		memcpy(torn.at, before.at, 320); // the old mark
		memset(torn.at + i, 0, after.len - i);
		file_put(path, &torn);
		const char *text = steps_text();

		if (memcmp(torn.at + 320, after.at + 320, after.len - 320) == 0)
			assert_string_equal(text, full);
		else
			assert_string_equal(text, "1>2 2>3");
	}
}

static void another_zones_journal_is_refused(void **state)
{
	struct bytes bytes;
	char path[300], error[JOURNAL_ERROR_MAX];
	struct journal *journal;

	full_make(path, &bytes);
	bytes.at[32 + 1] = 'E' ^ 1; // and a right sum for it is not easily had
	file_put(path, &bytes);
	assert_int_equal(journal_open(storage, apex, &journal, error), -EBADMSG);
	assert_int_equal(
	    journal_open(storage, (const uint8_t *)"\5other", &journal, error), -ENOENT);
	// The case of a name says nothing.
	append_good(1, 2);
	assert_int_equal(journal_open(storage, (const uint8_t *)"\7EXAMPLE", &journal, error), 0);
	journal_close(journal);
}

static bool wanted(void *ctx, const uint8_t *name)
{
	return *(const bool *)ctx && memcmp(name, apex, sizeof(apex)) == 0;
}

static void journals_of_zones_that_are_gone_are_swept(void **state)
{
	bool keep = true;
	char path[PATH_MAX], away[PATH_MAX + 8];
	struct stat st;

	append_good(1, 2);
	journal_sweep(storage, wanted, &keep);
	assert_string_equal(steps_text(), "1>2");
	keep = false;
	// What cannot be opened (a link is not followed) may be anybody's.
	assert_int_equal(journal_path(storage, apex, path), 0);
	snprintf(away, sizeof(away), "%s.away", path);
	assert_int_equal(rename(path, away), 0);
	assert_int_equal(symlink(away, path), 0);
	keep = true;
	journal_sweep(storage, wanted, &keep);
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(rename(away, path), 0);
	assert_string_equal(steps_text(), "1>2");
	keep = false;
	journal_sweep(storage, wanted, &keep);
	assert_string_equal(steps_text(), "-");
}

#define WITH_STORAGE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_STORAGE(what_is_appended_is_read_back),
	    WITH_STORAGE(changes_longer_than_any_buffer_are_read_back),
	    WITH_STORAGE(a_chain_ends_at_the_version_asked_for),
	    WITH_STORAGE(a_step_that_does_not_follow_begins_anew),
	    WITH_STORAGE(what_a_rollback_left_behind_goes_with_the_next_step),
	    WITH_STORAGE(a_repeated_step_stands_there_once),
	    WITH_STORAGE(older_steps_go_whole_at_the_limit_of_depth),
	    WITH_STORAGE(the_file_never_takes_more_than_it_may),
	    WITH_STORAGE(a_reader_keeps_what_it_has_open),
	    WITH_STORAGE(many_zones_are_written_at_once),
	    WITH_STORAGE(a_file_cut_anywhere_is_a_prefix_or_an_error),
	    WITH_STORAGE(a_byte_flipped_anywhere_is_a_prefix_or_an_error),
	    WITH_STORAGE(a_step_without_its_mark_counts_when_it_is_whole),
	    WITH_STORAGE(another_zones_journal_is_refused),
	    WITH_STORAGE(journals_of_zones_that_are_gone_are_swept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
