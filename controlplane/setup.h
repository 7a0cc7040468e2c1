// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A configuration as the engine uses it: keys ready, remotes as primaries with their pacing, and
// one profile for all zones that share primaries, sources and policy. Rebuilt whole on a reload.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "keyring.h"
#include "notify.h"
#include "pacing.h"
#include "peer.h"
#include "zone.h"

// An address of a remote. Outlives a reload when it stays in the configuration.
struct primary {
	struct peer peer;
	struct pacing pacing;
	unsigned refs; // setups and queries or transfers that use it
};

struct profile {
	struct zone_policy policy;
	struct primary **ways; // policy.primary_count of them, references
	uint64_t *origins;     // as many; policy.origins
	struct notify_source *sources;
	size_t source_count;
	const struct config_zone *model; // the zone it was made from; borrowed from the config
};

struct setup {
	const struct config *config; // borrowed
	struct keyring *keyring;
	struct tls_context **tls; // of each remote; NULL: it has none
	struct primary **primaries;
	size_t primary_count;
	struct profile **profiles;
	size_t profile_count;
};

// `old` (may be NULL) lends the primaries that stay. Post: 0; or -errno, one sentence in `error`.
int setup_open(const struct config *config, const struct setup *old, struct pacing_total *total,
    struct setup **out, char error[KEYRING_ERROR_MAX]) __attribute__((warn_unused_result));
void setup_close(struct setup *setup); // NULL is accepted

// The profile of a secondary zone. NULL when out of memory.
struct profile *setup_profile(struct setup *setup, const struct config_zone *zone);

// Same ways, in the same order, and the same policy?
bool profile_same(const struct profile *a, const struct profile *b);

void primary_unref(struct primary *primary);

// The history that a remote's zones belong to: named by what the configuration says of it, so that
// it is the same after a restart. Never 0.
uint64_t setup_origin(const struct config_remote *remote);
