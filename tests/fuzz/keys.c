// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// STORAGE/keys out of any bytes, as a start reads it, and then what operators may do to it. What is
// accepted is the same when written and read again; what a configuration leaves of it stays when
// looked at once more; a retired key is neither found nor used; and a keyring is made of it, or
// there is a sentence. In memory: the file system is /dev/shm.
//
// Input: a byte of choices (what is done by `npctl key` afterwards), then the file.

#include "key_changes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keyring.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char storage[64], path[80];
static struct config *config;

static void begin(void)
{
	static const char text[] =
	    "key:\n"
	    "  - {id: one, algorithm: hmac-sha256, secret: MDEyMzQ1Njc4OTAxMjM0NQ==}\n"
	    "  - {id: two., algorithm: hmac-sha512, secret: MDEyMzQ1Njc4OTAxMjM0NQ==}\n"
	    "  - {id: three, algorithm: hmac-sha1, secret: MDEyMzQ1Njc4OTAxMjM0NQ==}\n"
	    "remote:\n"
	    "  - {id: a, address: 192.0.2.1, key: one}\n"
	    "  - {id: b, address: 192.0.2.2, key: [two., one]}\n"
	    "  - {id: c, address: 192.0.2.3}\n"
	    "  - {id: d, address: 192.0.2.4, key: three}\n"
	    "zone:\n  - {domain: example, primaries: a}\n";
	struct config_error error;

	if (config != NULL)
		return;
	must(config_parse(text, strlen(text), 0, &config, &error) == 0);
	snprintf(storage, sizeof(storage), "/dev/shm/fuzz-keys-%d", (int)getpid());
	snprintf(path, sizeof(path), "%s/keys", storage);
	must(mkdir(storage, 0700) == 0 || errno == EEXIST);
}

static void file_put(const uint8_t *bytes, size_t size)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
	close(fd);
}

// What is written is what is read.
static void survives(const struct key_changes *changes)
{
	char error[KEY_ERROR_MAX], *text = key_changes_text(changes), *again;
	struct key_changes read;

	must(text != NULL && key_changes_save(storage, text) == 0);
	must(key_changes_load(storage, &read, error) == 0);
	again = key_changes_text(&read);
	must(again != NULL && strcmp(text, again) == 0);
	key_text_free(text);
	key_text_free(again);
	key_changes_free(&read);
}

static void in_force(const struct key_changes *changes)
{
	char error[KEYRING_ERROR_MAX] = "";
	struct keyring *keyring;

	for (size_t i = 0; i < changes->retired_count; i++)
		must(key_changes_find(changes, config, changes->retired[i]) == NULL);
	for (size_t i = 0; i < config->remote_count; i++) {
		const char *ids[REMOTE_KEYS];

		key_changes_of(changes, &config->remotes[i], ids);
		must(ids[0] != NULL || ids[1] == NULL);
		for (unsigned k = 0; k < REMOTE_KEYS && ids[k] != NULL; k++)
			must(key_changes_find(changes, config, ids[k]) != NULL);
	}
	if (keyring_open(config, changes, &keyring, error) < 0)
		must(error[0] != '\0');
	else
		keyring_close(keyring);
}

static void prune(struct key_changes *changes)
{
	char *first, *second;

	must(key_changes_prune(changes, config) == 0);
	first = key_changes_text(changes);
	must(key_changes_prune(changes, config) == 0);
	second = key_changes_text(changes);
	must(first != NULL && second != NULL && strcmp(first, second) == 0);
	key_text_free(first);
	key_text_free(second);
}

// On a copy, as the daemon does: what is refused is not used.
static void operate(struct key_changes *changes, unsigned what)
{
	static const char *const ids[] = {"one", "two", "three", "new"};
	static const char *const remotes[] = {"a", "c"};
	const char *id = ids[what >> 2 & 3];
	char error[KEY_ERROR_MAX] = "";
	struct key_changes copy;
	int rc = -EINVAL;

	must(key_changes_copy(changes, &copy) == 0);
	switch (what & 3) {
	case 0:
		rc = key_changes_add(&copy, config, id, "hmac-sha256",
		    "MDEyMzQ1Njc4OTAxMjM0NQ==", remotes, 1 + (what >> 4 & 1), error);
		break;
	case 1:
		rc = key_changes_prefer(&copy, config, id, error);
		break;
	case 2:
		rc = key_changes_retire(&copy, config, id, error);
		break;
	default:
		break;
	}
	if (rc == 0) {
		key_changes_free(changes);
		*changes = copy;
	} else {
		must((what & 3) == 3 || error[0] != '\0');
		key_changes_free(&copy);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[KEY_ERROR_MAX] = "";
	struct key_changes changes;

	if (size < 3 || size > 65536)
		return 0;
	begin();
	file_put(data + 2, size - 2);
	if (key_changes_load(storage, &changes, error) < 0) {
		must(error[0] != '\0');
		return 0;
	}
	survives(&changes);
	prune(&changes);
	in_force(&changes);
	for (unsigned i = 0; i < 2; i++) {
		operate(&changes, data[i]);
		in_force(&changes);
	}
	survives(&changes);
	key_changes_free(&changes);
	return 0;
}
