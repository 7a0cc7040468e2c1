// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What publication knows of a zone and of its versions, and of itself. Internal to publish*.c; all
// of it belongs to the event loop's thread.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "admission.h"
#include "delta.h"
#include "fold.h"
#include "history.h"
#include "idmap.h"
#include "journal.h"
#include "publish.h"
#include "qname.h"
#include "seen.h"
#include "stack.h"
#include "store.h"
#include "version.h"

#define VERSIONS_KEPT        3    // the one served and these for a way back
#define PUBLISH_UNSTORED_MAX 1024 // while the disk is in order; each is a descriptor
#define PUBLISH_ATTEMPTS     3    // a version over which the data plane ended so often is refused

// What a version is made from: all records, or a difference to the version served.
struct content {
	struct records *records; // with
	struct seen
	    *seen; // what is not in them, for it is the same in a version; NULL: nothing; or
	struct delta *delta;
	uint64_t origin;         // whose history it belongs to; 0: nobody's
	struct file_mark source; // of the text it comes from; inode 0: none, or not known
	char *hold;              // owned; why it is to be held; NULL: it is not
};

// Where the newest version stands on its way.
enum pzone_stage {
	STAGE_NONE,
	STAGE_BUILDING, // batch, compiler, verification
	STAGE_READY,    // waits to be sent, or to be stored when nobody is connected
	STAGE_SENT,     // waits for LIVE or REJECT
};

struct pzone {
	const uint8_t *apex; // owned
	uint8_t apex_len;
	bool configured;          // false: to be withdrawn and forgotten
	bool gone;                // in a list of those
	uint32_t at;              // its place in publisher.zones
	unsigned layers, parcels; // that point here
	struct pzone *next_gone;
	uint8_t epoch; // of the configuration that named it last
	bool secondary;
	bool hidden;      // a catalog: stored, not sent to the data plane
	uint32_t grace_s; // past the SOA's expire
	enum config_zonemd zonemd;
	uint32_t shrink_limit; // percent
	uint32_t records_max;  // of a version
	struct journal_limits journal;

	struct version *current;                 // what should be served
	struct version *kept[VERSIONS_KEPT - 1]; // newest first
	struct version *next;                    // STAGE_READY, STAGE_SENT
	struct version *held;                    // waits for a person
	struct version *unread; // could not be read at the start; stored until there is another
	struct folding folding;
	int64_t fold_after_us; // one did not fit into memory: not before
	bool no_room;          // what was built last was refused for want of memory
	bool held_short;       // only for want of primaries that have it
	uint32_t held_token;   // 0: nobody waits for what becomes of it
	bool pinned;           // nothing new is taken
	int64_t pinned_ms;     // wall clock
	struct recall *recall; // an older version on its way back; until it is live or refused
	bool dirty;            // its manifest entry changed since it was told last
	bool history_dirty;    // so did what STORAGE/history says of it
	bool listed;           // in a list of those that are dirty, or were
	struct pzone *next_listed;
	bool history_told; // it says something
	enum pzone_stage stage;
	uint32_t token;               // of `next`
	int64_t started_us;           // monotonic: records in hand
	struct build *build;          // STAGE_BUILDING
	struct admission_claim claim; // of `next`
	struct content waiting;       // a later version, not begun
	uint32_t waiting_token;
	int64_t waiting_us;

	struct zone_timers timers;
	bool has_timers, expired;
	bool timers_changed; // in the list of those that STORAGE/timers does not have as they are
	uint32_t timers_record; // its place in that file; 0: none
	struct pzone *next_timers;
	int64_t expires_at; // unix seconds; 0: never

	bool older; // what is served took the place of a newer one that was broken

	uint64_t live_generation;     // what the data plane said; 0: nothing
	uint64_t withdraw_generation; // not 0: WITHDRAW is to be sent or answered
	uint64_t mark;                // of the store; durable when committed
	uint64_t steps;               // given to the journal
	uint64_t steps_done;          // of these, in it, or given up
	int64_t published_ms;
	unsigned publish_us;
	char error[PUBLISH_REASON_MAX / 2];

	bool queued; // in the list of what must be told to the data plane
	struct pzone *next_queued;
	bool deferred; // `waiting` waits for the disk
	struct pzone *next_deferred;
	bool tell_renew, tell_current, tell_withdraw;
	bool unseen; // its digest is to be looked at
	struct pzone *next_unseen;
	bool untold;  // the data plane did not get, or take, the version served
	bool loading; // its image is being read from disk
	bool resting; // in the list of those whose image is on disk and in memory
	struct pzone *next_resting;
};

struct ask;

// A configuration that is being taken up (publish_zones.c).
struct taking_zones {
	const struct config *config; // borrowed; NULL: none
	struct pzone **zones;        // of it, as far as they were found
	size_t at;                   // the next one, of this step
	unsigned step;
};

// STORAGE/timers (publish_timers.c).
struct timers_file {
	uint32_t records; // it has
	uint32_t *free;   // those of them that are nobody's
	size_t free_count, free_cap;
	struct pzone *changed; // the list
	bool placed;           // zones may have places
};

struct publisher {
	struct event_base *base;
	struct publisher_ops ops;
	char *storage;
	struct hash_key key;
	uint64_t generation; // highest given out
	struct store *store;
	struct seam_server *seam;
	struct compiler *compiler;
	struct bundler *bundler;
	bool gathering;               // what is to be told waits for the rest of a bundle
	struct offload *work, *heavy; // the latter for what takes long
	struct offload *look;         // for who only looks
	struct journal_writer *journal;
	struct offload *reader; // of the journal
	struct event *timers_timer, *timers_turn, *forget_turn;
	struct pzone **zones;
	size_t zone_count, zone_cap;
	struct pzone *gone;  // the list of those to be forgotten
	struct pzone *going; // of them, those that are being looked at
	// Some catalog has no version: zones that nobody names may be its members, and stay.
	bool strangers_stay;
	bool manifest_broken;     // at the start: what the storage holds besides may be needed
	unsigned strangers_ticks; // since none has been without
	struct idmap map;         // apex -> struct pzone
	struct taking_zones taking;
	uint8_t epoch; // of the configuration in force, or being taken up
	struct pzone *queue, **queue_last;
	struct pzone *deferred, **deferred_last;
	struct admission admission; // its images: the versions that are `current`
	uint64_t left;              // bytes that the system had; good until then
	int64_t left_until_us;
	atomic_size_t differences; // bytes of those that publisher_difference() gave out
	struct pzone *changed;     // the list of those since the last commit began
	struct pzone *telling;     // the list of those that the one which began has yet to tell
	size_t tell_at;            // or, where it tells all, the next one
	bool tell_busy;            // it has begun and is not through
	struct pzone *resting, **resting_last; // the oldest first
	size_t resting_count;
	size_t loading;                // images being read from disk
	size_t unstored, unstored_max; // images in memory only, each a descriptor
	bool connected;                // HELLO_END was seen
	bool greeting;                 // HELLO was, HELLO_END not yet
	bool foreign;                  // one of another version is there: as if none were
	bool closing;
	uint32_t pid;
	int64_t connected_ms;
	struct publisher_summary summary; // the sums; good until then
	int64_t summary_until_us;
	TAILQ_HEAD(, ask) asks; // in order; those before ask_unsent were sent
	struct ask *ask_unsent;
	uint64_t ask_number; // of the last one
	bool timers_dirty;
	struct timers_file timers;
	struct pzone *unseen; // the list of those whose digest is to be looked at
	bool looking;         // one is being looked at
	bool untold;          // there are such zones
	int64_t retell_us;    // monotonic: not before
};

static inline bool content_is_empty(const struct content *content)
{
	return content->records == NULL && content->delta == NULL;
}
void content_free(struct content *content); // empty afterwards

struct pzone *pzone_find(const struct publisher *p, const uint8_t *apex);

// publish_build.c: from records to a verified, sealed image.
struct build;
void build_start(struct publisher *p, struct pzone *zone, const struct content *content);
void build_cancel(struct build *build); // nobody wants the result any more
// From there, in the loop: `version` is the callee's (NULL with a reason: refused; with one: to be
// held; NULL without one: equal to what is served).
void publish_built(
    struct publisher *p, struct pzone *zone, struct version *version, const char *reason);

// publish_gate.c: what is looked at of two versions of a zone. Post of gate_holds(): whether `next`
// is to be held, and then why.
#define SHRINK_RECORDS_MIN 100 // of fewer records any share is soon lost
struct gate_facts {
	uint64_t rr_count;
	bool has_dnskey; // at the apex
};
struct gate_facts gate_facts_of(const void *mem, uint64_t size); // Pre: a verified image
bool gate_holds(const struct gate_facts *served, const struct gate_facts *next,
    unsigned shrink_limit, char reason[PUBLISH_REASON_MAX]);

// publish_seam.c: what is told to the data plane and what it says.
int publish_seam_open(struct publisher *p, const char *rundir);
void publish_seam_close(struct publisher *p);
void publish_tell(struct publisher *p, struct pzone *zone); // something is to be sent
void publish_flush(struct publisher *p);
// The data plane answers from that version of the zone.
void publish_said_live(struct publisher *p, struct pzone *zone, uint64_t generation);
void publish_retell(struct publisher *p); // what it did not get or take, once more
// Has the layers of the version served that lie only on disk read into memory (work thread), one by
// one. Pre: it has a version.
void publish_load(struct publisher *p, struct pzone *zone);

// publish.c
void version_go(struct publisher *p, struct pzone *zone, struct version *version);
// Ends what is being built or waits, with that reason. Post: 0; -EBUSY: a version is past that.
int publish_clear(struct publisher *p, struct pzone *zone, const char *reason);
void publish_live(struct publisher *p, struct pzone *zone);
// publish_broken.c: what is served of the zone, or should be, is broken.
// What takes the place of `version` then: the newest kept one that a primary's next version will
// replace, since its serial is older. Post: NULL when there is none.
const struct version *publish_older(const struct pzone *zone, const struct version *version);
// That one does, or the zone has no version any more; the engine is told. `how`: "broken", and why.
// Pre: there is a version.
void publish_broken(struct publisher *p, struct pzone *zone, const char *how);
// Says so, where what is in that place (or nothing) already is there. `serial`: of the broken one.
void publish_broken_tell(struct pzone *zone, uint32_t serial, const char *how);

// Until when a version with this SOA is served; unix seconds, 0: for ever.
int64_t publish_soa_expires_at(const struct pzone *zone, const struct zone_soa *soa);
void publish_failed(struct publisher *p, struct pzone *zone, const char *reason);
void publish_gone(struct publisher *p);
void publish_answer(struct publisher *p, struct pzone *zone, uint32_t token,
    enum engine_verdict verdict, const char *reason);
void publish_held_drop(struct publisher *p, struct pzone *zone);
void publish_deferred_start(struct publisher *p); // those that waited for the disk
// With nobody connected (or nothing to be sent) the newest version counts once it is stored.
void publish_unconnected(struct publisher *p, struct pzone *zone);
// The image of the version served is in memory, and on disk or soon. It need not stay in both: of
// small ones, the last few hundred do.
void publish_rest(struct publisher *p, struct pzone *zone);

// publish_stored.c: the store's ops.
int publish_state_tell(void *ctx, struct store_state *state, int64_t until_us);
void publish_stored(void *ctx, struct store_image *image);

// publish_state.c
void publish_expires_at(struct publisher *p, struct pzone *zone, int64_t expires_at);

// publish_zones.c
// As publisher_reconfigure_go(), before there is anything to be written.
int publish_zones_go(struct publisher *p, int64_t until_us);
// The data plane serves a zone that never was ours: it is known from now on, to be withdrawn.
struct pzone *pzone_stranger(struct publisher *p, const uint8_t *apex, uint8_t len);
// A zone that is gone gives up what it has, and is forgotten when that is known wherever it was.
void pzone_withdraw(struct publisher *p, struct pzone *zone);
bool publish_catalog_lacks(const struct publisher *p); // what its members are
void publish_strangers_tick(struct publisher *p);      // every few seconds
void pzone_free(struct publisher *p, struct pzone *zone);

// publish_forget.c: a zone that is not configured is to be forgotten, when nothing speaks against
// it.
void publish_forget(struct publisher *p, struct pzone *zone);
// Looks, in turns: -EAGAIN when there are more.
int publish_forget_go(struct publisher *p, int64_t until_us);

// publish_journal.c
int publish_journal_open(struct publisher *p);    // 0 or -ENOMEM; after the boot
void publish_journal_finish(struct publisher *p); // for an orderly end: writes what waits
void publish_journal_close(struct publisher *p);
// `after` takes the place of `before` (NULL: of nothing).
void publish_journal_step(
    struct publisher *p, struct pzone *zone, const struct version *before, struct version *after);
const char *publish_journal_trouble(const struct publisher *p); // "" when there is none

// publish_boot.c
int publish_boot(struct publisher *p, const struct manifest *manifest);
// The SOA of a verified image in memory, or of its rdata. Post: false when it has none.
bool rdata_soa(const uint8_t *rdata, size_t len, struct zone_soa *soa);
bool image_soa(const void *mem, size_t size, struct zone_soa *soa);

// What the next commit has to say of the zone is another thing now: its entry of the manifest, and
// (`history`) its record of the history. Written when the store is touched.
void publish_dirty(struct publisher *p, struct pzone *zone, bool history);

// publish_history.c: what STORAGE/history says of a zone.
void publish_history_touch(struct publisher *p, struct pzone *zone); // it is another thing now
// `all`: the file is written anew. Post: 0 or -ENOMEM.
int publish_history_put(struct pzone *zone, bool all, struct history_records *records);
void publish_history_take(void *ctx, const struct history_zone *record); // at the boot

// publish_recall.c: a version comes back from where it is kept. Takes up `version` (which stays its
// owner's) under a new generation. Post: 0; -EBUSY; or -ENOMEM.
int recall_start(struct publisher *p, struct pzone *zone, const struct version *version,
    enum history_how how) __attribute__((warn_unused_result));
// The version that came back is live (reason NULL) or refused.
void recall_end(struct publisher *p, struct pzone *zone, const char *reason);
void recall_cancel(struct pzone *zone); // nobody is told

// publish_timers.c: STORAGE/timers, what the engine wants to find again after a restart.
// Post of both that do I/O: 0 or -errno.
void publish_timers_touch(struct publisher *p, struct pzone *zone); // they are others now
int publish_timers_load(struct publisher *p);
// In turns (slice.h): -EAGAIN when there is more.
int publish_timers_save(struct publisher *p, int64_t until_us);
void publish_timers_forget(struct publisher *p, struct pzone *zone); // its record is free
void publish_timers_close(struct publisher *p);

int64_t clock_us(void); // monotonic
int64_t clock_wall_ms(void);
