// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The zones that catalogs (RFC 9432) bring: what each catalog says (catalog.h), who a member
// belongs to where two claim it, and the configuration that comes of it. No I/O but members_boot.
// One thread at a time.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

struct members;
struct zone_version;

struct members *members_open(void);          // NULL when out of memory
void members_close(struct members *members); // NULL is accepted

// Reads the catalogs of `config` as STORAGE has them, before anything else runs: members outlive a
// restart without any primary. What is not stored, or broken, has none.
void members_boot(struct members *members, const struct config *config, const char *storage);

// A new version of a catalog. A broken one changes nothing and is told.
void members_take(
    struct members *members, const struct config_zone *catalog, const struct zone_version *version);

// Who belongs to whom now (5.2 to 5.5). Pre: `config` is the file's, without members. Post: 0, and
// whether anything differs from what members_settle() was called for, and whether the state of a
// member is to be dropped; or -ENOMEM, nothing changed.
int members_resolve(struct members *members, const struct config *config, bool *changed,
    bool *resets) __attribute__((warn_unused_result));

// After a resolution that stays: forgets catalogs that its configuration did not name.
void members_prune(struct members *members);

// The configuration with all members is in force: the next resolution is compared with this one.
void members_settle(struct members *members);

// The configuration with all members; without those whose state is to be dropped, unless `all`.
// Post: as config_extend().
int members_extend(struct members *members, const struct config *config, bool all,
    struct config **out) __attribute__((warn_unused_result));

// Of a catalog, for status. NULL: nothing is wrong.
const char *members_error(const struct members *members, const uint8_t *catalog);
bool members_known(const struct members *members, const uint8_t *catalog); // some good content
size_t members_count(const struct members *members, const uint8_t *catalog);
