// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Changes of TSIG keys at run time (key_changes.h): what each command makes of the keys of a
// remote, what it refuses, what a restart finds, and what a configuration that has caught up drops.
#include "key_changes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "keyring.h"

#define SECRET "c2VjcmV0LXNlY3JldC1zZWNyZXQtMDEyMzQ1Njc4OTA="

static struct config *config_of(const char *remotes)
{
	char text[2048];
	struct config_error error;
	struct config *config;

	snprintf(text, sizeof(text),
	    "key:\n"
	    "  - {id: one, algorithm: hmac-sha256, secret: " SECRET "}\n"
	    "  - {id: two, algorithm: hmac-sha1, secret: " SECRET "}\n"
	    "remote:\n%s",
	    remotes);
	if (config_parse(text, strlen(text), 0, &config, &error) != 0) {
		fail_msg("%s", error.message);
	}
	return config;
}

static struct config *usual(void)
{
	return config_of("  - {id: a, address: 192.0.2.1, key: one}\n"
	                 "  - {id: b, address: 192.0.2.2, key: [one, two]}\n"
	                 "  - {id: c, address: 192.0.2.3}\n");
}

// "one two" for the keys of remote `index`, as the keyring has them.
static const char *keys(
    const struct key_changes *changes, const struct config *config, size_t index)
{
	static char text[2 * NAME_TEXT_MAX];
	char error[KEYRING_ERROR_MAX];
	struct keyring *keyring;

	if (keyring_open(config, changes, &keyring, error) != 0) {
		fail_msg("%s", error);
	}
	text[0] = '\0';
	for (size_t rank = 0; rank < REMOTE_KEYS; rank++) {
		struct tsig_key *key = keyring_remote(keyring, &config->remotes[index], rank);
		char name[NAME_TEXT_MAX];

		if (key != NULL) {
			name_to_text(tsig_key_name(key), name);
			strcat(text, rank > 0 ? " " : "");
			strcat(text, name);
		}
	}
	keyring_close(keyring);
	return text;
}

static void add(
    struct key_changes *changes, const struct config *config, const char *id, const char *remote)
{
	char error[KEY_ERROR_MAX];

	if (key_changes_add(changes, config, id, "hmac-sha256", SECRET, &remote, 1, error) != 0) {
		fail_msg("%s", error);
	}
}

static void a_key_is_replaced_step_by_step(void **state)
{
	struct config *config = usual();
	struct key_changes changes = {0};
	char error[KEY_ERROR_MAX];

	assert_string_equal(keys(&changes, config, 0), "one.");
	assert_string_equal(keys(&changes, config, 1), "one. two.");
	assert_string_equal(keys(&changes, config, 2), "");
	add(&changes, config, "New.", "a");
	assert_string_equal(keys(&changes, config, 0), "one. new.");
	assert_int_equal(key_changes_prefer(&changes, config, "new", error), 0);
	assert_string_equal(keys(&changes, config, 0), "new. one.");
	assert_string_equal(keys(&changes, config, 1), "one. two.");
	assert_int_equal(key_changes_retire(&changes, config, "ONE", error), 0);
	assert_string_equal(keys(&changes, config, 0), "new.");
	assert_string_equal(keys(&changes, config, 1), "two.");
	assert_null(key_changes_find(&changes, config, "one"));
	// The way back of an added key: it is gone altogether, and its name is free.
	add(&changes, config, "newer", "a");
	assert_int_equal(key_changes_retire(&changes, config, "newer", error), 0);
	add(&changes, config, "newer", "a");
	assert_string_equal(keys(&changes, config, 0), "new. newer.");
	key_changes_free(&changes);
	config_free(config);
}

static void what_makes_no_sense_is_refused(void **state)
{
	static const struct {
		const char *command, *id, *algorithm, *secret, *remote, *why;
	} rows[] = {
	    {"add", "one", "hmac-sha256", SECRET, "a", "already"},
	    {"add", "ONE.", "hmac-sha256", SECRET, "a", "already"},
	    {"add", ".", "hmac-sha256", SECRET, "a", "not a domain name"},
	    {"add", "", "hmac-sha256", SECRET, "a", "not a domain name"},
	    {"add", "new", "hmac-md5", SECRET, "a", "algorithm"},
	    {"add", "new", "hmac-sha256", "*", "a", "not base64"},
	    {"add", "new", "hmac-sha256", "", "a", "not base64"},
	    {"add", "new", "hmac-sha256", SECRET, "x", "no remote 'x'"},
	    {"add", "new", "hmac-sha256", SECRET, "b", "two keys already"},
	    {"add", "new", "hmac-sha256", SECRET, "c", "has no key"},
	    {"add", "new", "hmac-sha256", SECRET, NULL, "for no remote"},
	    {"prefer", "new", "", "", NULL, "No remote has the key 'new'"},
	    {"retire", "new", "", "", NULL, "no key 'new'"},
	    {"retire", "one", "", "", NULL, "only key of the remote 'a'"},
	};
	struct config *config = usual();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct key_changes changes = {0};
		char error[KEY_ERROR_MAX] = "";
		int rc;

		if (strcmp(rows[i].command, "add") == 0) {
			rc = key_changes_add(&changes, config, rows[i].id, rows[i].algorithm,
			    rows[i].secret, &rows[i].remote, rows[i].remote != NULL, error);
		} else if (strcmp(rows[i].command, "prefer") == 0) {
			rc = key_changes_prefer(&changes, config, rows[i].id, error);
		} else {
			rc = key_changes_retire(&changes, config, rows[i].id, error);
		}
		if (rc >= 0 || strstr(error, rows[i].why) == NULL) {
			fail_msg("%s %s: %d %s", rows[i].command, rows[i].id, rc, error);
		}
		assert_null(strstr(error, SECRET));
		key_changes_free(&changes);
	}
	config_free(config);
}

static void a_restart_finds_them_again_and_nobody_else_does(void **state)
{
	char folder[] = "/tmp/keys_test.XXXXXX", file[64], error[KEY_ERROR_MAX];
	struct config *config = usual();
	struct key_changes changes = {0}, found;
	struct stat st;
	char *text;

	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/keys", folder);
	assert_int_equal(key_changes_load(folder, &found, error), 0); // there is none yet
	assert_int_equal(found.added_count + found.order_count + found.retired_count, 0);
	add(&changes, config, "new", "a");
	assert_int_equal(key_changes_retire(&changes, config, "one", error), 0);
	text = key_changes_text(&changes);
	umask(0);
	assert_int_equal(key_changes_save(folder, text), 0);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(key_changes_load(folder, &found, error), 0);
	assert_string_equal(keys(&found, config, 0), "new.");
	assert_string_equal(keys(&found, config, 1), "two.");
	key_changes_free(&found);
	// Cut anywhere it is not understood, and says so; nothing is half taken up.
	for (long len = (long)strlen(text) - 1; len >= 0; len--) {
		assert_int_equal(truncate(file, len), 0);
		assert_true(key_changes_load(folder, &found, error) < 0);
		assert_non_null(strstr(error, "cannot be understood"));
		assert_int_equal(found.added_count + found.order_count + found.retired_count, 0);
	}
	unlink(file);
	rmdir(folder);
	key_text_free(text);
	key_changes_free(&changes);
	config_free(config);
}

static void a_configuration_that_has_caught_up_has_the_last_word(void **state)
{
	static const struct {
		const char *remotes;           // of the new configuration
		const char *a, *b;             // keys of its remotes
		size_t added, orders, retired; // changes that are left
	} rows[] = {
	    // The same as before: everything stays.
	    {"  - {id: a, address: 192.0.2.1, key: one}\n"
	     "  - {id: b, address: 192.0.2.2, key: [one, two]}\n",
	        "new.", "two.", 1, 2, 1},
	    // The remotes are gone or were renamed: what was said of them is void, and a key that
	    // is retired comes back only where there is no other.
	    {"  - {id: x, address: 192.0.2.1, key: two}\n"
	     "  - {id: y, address: 192.0.2.2, key: [two, one]}\n",
	        "two.", "two.", 1, 1, 1},
	    {"  - {id: x, address: 192.0.2.1, key: one}\n"
	     "  - {id: y, address: 192.0.2.2, key: two}\n",
	        "one.", "two.", 1, 0, 0},
	    // It says the same of b.
	    {"  - {id: a, address: 192.0.2.1, key: one}\n"
	     "  - {id: b, address: 192.0.2.2, key: two}\n",
	        "new.", "two.", 1, 1, 1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config *before = usual(), *config = config_of(rows[i].remotes);
		struct key_changes changes = {0};
		char error[KEY_ERROR_MAX];

		add(&changes, before, "new", "a");
		assert_int_equal(key_changes_retire(&changes, before, "one", error), 0);
		assert_int_equal(key_changes_prune(&changes, config), 0);
		assert_string_equal(keys(&changes, config, 0), rows[i].a);
		assert_string_equal(keys(&changes, config, 1), rows[i].b);
		assert_int_equal(changes.added_count, rows[i].added);
		assert_int_equal(changes.order_count, rows[i].orders);
		assert_int_equal(changes.retired_count, rows[i].retired);
		key_changes_free(&changes);
		config_free(before);
		config_free(config);
	}
}

// A key that the configuration has by now is the configuration's.
static void an_added_key_becomes_the_configurations(void **state)
{
	struct config *config = usual();
	struct key_changes changes = {0};

	add(&changes, config, "new", "a");
	free(changes.added[0].id);
	changes.added[0].id = strdup("TWO.");
	free(changes.orders[0].keys[1]);
	changes.orders[0].keys[1] = strdup("two");
	assert_int_equal(key_changes_prune(&changes, config), 0);
	assert_int_equal(changes.added_count, 0);
	assert_string_equal(keys(&changes, config, 0), "one. two.");
	key_changes_free(&changes);
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_key_is_replaced_step_by_step),
	    cmocka_unit_test(what_makes_no_sense_is_refused),
	    cmocka_unit_test(a_restart_finds_them_again_and_nobody_else_does),
	    cmocka_unit_test(a_configuration_that_has_caught_up_has_the_last_word),
	    cmocka_unit_test(an_added_key_becomes_the_configurations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
