// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Many small zones at once: versions that come while others are being built are built together, by
// one request to the compiler, into one memfd, and published as one parcel (zones/SEAM.md). One
// that comes alone is built alone; so is, once more, one that the compiler could not make together
// with others. Event loop's thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct build;
struct bundler;
struct publisher;

// Post: NULL when out of memory.
struct bundler *bundler_open(struct publisher *p) __attribute__((warn_unused_result));
// Pre: threads and compiler are closed. What waits is dropped. NULL is accepted.
void bundler_close(struct bundler *bundler);

bool bundle_takes(const struct build *build); // a whole version, and small
void bundle_put(struct bundler *bundler, struct build *build);

// The data plane says that all of a parcel, but what it refused before, is live; that it is broken;
// or is gone.
void parcel_live(struct bundler *bundler, uint64_t generation);
void parcel_rejected(struct bundler *bundler, uint64_t generation, const char *reason);
void parcels_forget(struct bundler *bundler);
