// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Primary zones: zone text is parsed in a thread and published; a start and a reload parse
// again the files that changed. Event loop's thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config.h"

struct event_base;
struct primary;
struct publisher;

// Post: NULL when out of memory.
struct primary *primary_open(struct event_base *base, struct publisher *publisher)
    __attribute__((warn_unused_result));
void primary_close(struct primary *primary); // NULL is accepted

// Begins to look at every file of the configuration (borrowed until that was all), and to load
// those that are not what the version served was made from (file_mark.h), and those that include
// others.
void primary_load(struct primary *primary, const struct config *config);
// Goes on with it until then (slice.h). Post: 0: all will be looked at; -EAGAIN: there is more;
// -ENOMEM: there is more, when there is memory again.
int primary_load_go(struct primary *primary, int64_t until_us) __attribute__((warn_unused_result));

// Reads the zone's file again, changed or not. Post: false when it is no primary zone.
bool primary_reread(struct primary *primary, const uint8_t *apex);

// The publisher's answer. Post: false when the token is none of ours: the version is not from a
// file.
bool primary_published(
    struct primary *primary, const uint8_t *apex, uint32_t token, bool live, const char *reason);

// Why the file is not served as it is, "" when it is; NULL when this is no primary zone.
const char *primary_error(const struct primary *primary, const uint8_t *apex);
bool primary_busy(const struct primary *primary);           // some file is being loaded
uint64_t primary_texts_read(const struct primary *primary); // since the start
