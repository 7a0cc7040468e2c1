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
#include "transfer.h"
#include "zone.h"

// An address of a remote. Outlives a reload when it stays in the configuration; its keys and what
// TLS must prove are then those of the new one.
struct primary {
	char *remote_id;            // owned
	struct peer peer;           // with the preferred key
	struct tsig_key *other_key; // a reference; accepted as well; NULL: none
	// The preferred key was refused, and the other not: until then it is the other that is
	// tried first.
	int64_t key_refused_until_ms;
	bool tls_changed; // what TLS must prove is not what it was before the last setup_arm
	struct pacing pacing;
	unsigned refs; // setups and queries or transfers that use it
};

struct profile {
	const struct setup *setup; // whose it is
	struct zone_policy policy;
	struct transfer_limits limits;
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
int setup_open(const struct config *config, const struct key_changes *changes,
    const struct setup *old, struct pacing_total *total, struct setup **out,
    char error[KEYRING_ERROR_MAX]) __attribute__((warn_unused_result));
void setup_close(struct setup *setup); // NULL is accepted

// The profile of a secondary zone. NULL when out of memory.
struct profile *setup_profile(struct setup *setup, const struct config_zone *zone);

// Same ways, in the same order, and the same policy?
bool profile_same(const struct profile *a, const struct profile *b);

// Gives each primary of the setup its keys, its TLS and its pacing as the configuration and the
// changes of keys say. To be called when the setup comes into force.
void setup_arm(struct setup *setup);

// Takes up other changes of keys. Post: 0; or -errno, one sentence in `error`, nothing has changed.
int setup_rekey(struct setup *setup, const struct key_changes *changes,
    char error[KEYRING_ERROR_MAX]) __attribute__((warn_unused_result));

// Is it one of the primary's keys, with the secret it has now?
bool primary_has_key(const struct primary *primary, const struct tsig_key *key);

void primary_unref(struct primary *primary);

// The history that a remote's zones belong to: named by what the configuration says of it, so that
// it is the same after a restart. Never 0.
uint64_t setup_origin(const struct config_remote *remote);
