// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The TSIG keys of one configuration, made ready. Owned by the engine, event loop's thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "tsig.h"

struct keyring;

#define KEYRING_ERROR_MAX 512

// Reads the secrets (secret-file too). Post: 0 and *out; or -errno and one sentence in `error`.
int keyring_open(const struct config *config, struct keyring **out, char error[KEYRING_ERROR_MAX])
    __attribute__((warn_unused_result));
void keyring_close(struct keyring *keyring); // NULL is accepted

// The key that stands for `key` of the same configuration; NULL for NULL. Borrowed.
struct tsig_key *keyring_of(const struct keyring *keyring, const struct config_key *key);

// The key with this name and algorithm (wire form), or NULL. Borrowed.
struct tsig_key *keyring_find(
    const struct keyring *keyring, const uint8_t *name, const uint8_t *algorithm);
