// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The TSIG keys of one configuration, and of what operators have changed since, made ready. Owned
// by the engine, event loop's thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "key_changes.h"
#include "tsig.h"

struct keyring;

#define KEYRING_ERROR_MAX 512

// Reads the secrets (secret-file too) of every key that is not retired. `config` and `changes` are
// borrowed for the call. Post: 0 and *out; or -errno and one sentence in `error`.
int keyring_open(const struct config *config, const struct key_changes *changes,
    struct keyring **out, char error[KEYRING_ERROR_MAX]) __attribute__((warn_unused_result));
void keyring_close(struct keyring *keyring); // NULL is accepted

// The keys of a remote, the preferred one first; NULL where it has no such. Pre: the remote is of
// the configuration that the keyring was opened with. Borrowed.
struct tsig_key *keyring_remote(
    const struct keyring *keyring, const struct config_remote *remote, size_t rank);
// May the remote sign with it, or (NULL) leave its messages unsigned? One without a key may sign
// with any that we know.
bool keyring_accepts(
    const struct keyring *keyring, const struct config_remote *remote, const struct tsig_key *key);

// The key with this name and algorithm (wire form), or NULL. Borrowed.
struct tsig_key *keyring_find(
    const struct keyring *keyring, const uint8_t *name, const uint8_t *algorithm);
