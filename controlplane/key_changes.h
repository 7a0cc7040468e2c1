// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What operators have changed in TSIG keys while the node runs (`npctl key`), over what the
// configuration says: keys added, the keys of a remote put in another order, keys retired. Kept in
// STORAGE/keys, readable by its owner alone, so that a restart does not bring a retired key back; a
// configuration that says the same (or no longer knows the remote) makes a change vanish. Event
// loop's thread, but for key_changes_save.
#pragma once

#include <stddef.h>

#include "config.h"

#define REMOTE_KEYS 2 // of a remote at once: the preferred one, and one more that is accepted

// The keys of a remote, in order of preference; a NULL ends them.
struct key_order {
	char *remote;
	char *keys[REMOTE_KEYS];
};

struct key_changes {
	struct config_key *added; // id, algorithm and secret are owned
	size_t added_count;
	struct key_order *orders;
	size_t order_count;
	char **retired; // ids
	size_t retired_count;
};

#define KEY_ERROR_MAX 256

void key_changes_free(struct key_changes *changes); // empty afterwards
int key_changes_copy(const struct key_changes *from, struct key_changes *to)
    __attribute__((warn_unused_result));

// Post: 0; or -errno with one sentence in `error`, and `changes` is not to be used but freed.
// A new key, accepted from these remotes and not yet preferred. `secret` is base64.
int key_changes_add(struct key_changes *changes, const struct config *config, const char *id,
    const char *algorithm, const char *secret, const char *const *remotes, size_t remote_count,
    char error[KEY_ERROR_MAX]) __attribute__((warn_unused_result));
// From now on the key that is used first, at every remote that has it.
int key_changes_prefer(struct key_changes *changes, const struct config *config, const char *id,
    char error[KEY_ERROR_MAX]) __attribute__((warn_unused_result));
// Neither used nor accepted any more. Refused where it is a remote's only one: what was signed
// would not be any longer.
int key_changes_retire(struct key_changes *changes, const struct config *config, const char *id,
    char error[KEY_ERROR_MAX]) __attribute__((warn_unused_result));

// Drops what the configuration says itself by now, or has no use for. Post: 0 or -ENOMEM.
int key_changes_prune(struct key_changes *changes, const struct config *config)
    __attribute__((warn_unused_result));

// The ids of the remote's keys as they are now; borrowed from either. NULL for none.
void key_changes_of(const struct key_changes *changes, const struct config_remote *remote,
    const char *ids[REMOTE_KEYS]);
// A key of the configuration or an added one, by name (RFC 8945 4.2: a domain name); NULL when
// there is none, or it is retired.
const struct config_key *key_changes_find(
    const struct key_changes *changes, const struct config *config, const char *id);

bool key_id_equal(const char *a, const char *b); // as domain names

// STORAGE/keys. Post: 0, also when there is no such file; or -errno and `error`.
int key_changes_load(const char *storage, struct key_changes *changes, char error[KEY_ERROR_MAX])
    __attribute__((warn_unused_result));
// Its bytes, to be freed with key_text_free(). NULL when out of memory.
char *key_changes_text(const struct key_changes *changes);
void key_text_free(char *text); // wipes it
// Any thread. Post: durable, the whole old file or the whole new one at any instant; or -errno.
int key_changes_save(const char *storage, const char *text) __attribute__((warn_unused_result));
