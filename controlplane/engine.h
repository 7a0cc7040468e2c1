// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// All secondary zones of the node: keeps each one's state machine (zone.h), carries out what it
// decides (SOA queries, transfers, timers, paced per primary), answers NOTIFY, and hands whole
// verified versions to whoever publishes them. Beside them the control plane's DNS sockets, and
// through those what is provided to downstream servers, of all zones (provider.h). Everything here
// runs on the event loop's thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "config.h"
#include "delta.h"
#include "provider.h"
#include "records.h"
#include "seen.h"
#include "session.h"
#include "zone.h"

struct event_base;
struct engine;
struct failures;
struct key_changes;
struct provide_counters;

// What a zone has on disk or in the data plane when the engine starts.
struct engine_stored {
	bool has_copy; // a version is served or will be (from the manifest)
	struct zone_soa soa;
	uint64_t origin; // as it was given to publish or apply; 0: unknown
	bool has_timers;
	struct zone_timers timers;
	bool older;    // it took the place of one that is broken
	bool pinned;   // nothing new is to be taken
	bool has_held; // a version waits for a person
	uint32_t held_serial;
};

// What the engine needs from the publication half. All calls come from the loop's thread; `apex` is
// in wire form, lower case, borrowed for the call.
struct engine_ops {
	void *ctx;
	// At the start of each zone, and by engine_lost(). Post: *out filled; all zero when nothing
	// is known.
	void (*load)(void *ctx, const uint8_t *apex, struct engine_stored *out);
	// A whole, verified version in arrival order, not sorted nor checked against records_check.
	// The callee owns `records` from here on and answers once, later or at once, by
	// engine_published with this token. LIVE means: the data plane serves it, or none is
	// connected and it is stored. `origin` says whose history the version belongs to and is
	// kept with it.
	// `seen` (NULL: nothing) is what of the version belongs to it besides `records`: names that
	// are the same in what provide.peek gave; the callee owns it, too.
	// `hold` (NULL: no) is why it is to be held, for want of other primaries that have it:
	// SHORT is the answer then, unless something else is wrong with it.
	void (*publish)(void *ctx, const uint8_t *apex, uint32_t token, uint64_t origin,
	    const char *hold, struct records *records, struct seen *seen);
	// The same for the version that the difference makes of the one served. It is answered "not
	// live" with the reason when the difference does not fit. The callee owns `delta`.
	void (*apply)(void *ctx, const uint8_t *apex, uint32_t token, uint64_t origin,
	    const char *hold, struct delta *delta);
	// Now enough primaries have what is held for want of them: publish it, and answer with this
	// token.
	void (*agreed)(void *ctx, const uint8_t *apex, uint32_t token);
	// Is what was handed out with this token still being worked on? Asked when it has not been
	// answered for two minutes: "no" means that it will not be, and it is given up. NULL: no.
	bool (*working)(void *ctx, const uint8_t *apex, uint32_t token);
	// Is there memory for a version of so many records that take so much, which are being
	// received? Post: true; or false and half a sentence. NULL: there is.
	bool (*room)(void *ctx, uint64_t count, uint64_t bytes, char reason[SESSION_ROOM_REASON]);
	// The same of a version that is to be received: what it takes itself is still to come.
	// NULL: nobody knows.
	bool (*fits)(void *ctx, uint64_t count, uint64_t bytes);
	// The version served has expired (SERVFAIL from now on), or lives again. A version that is
	// published is never expired at that moment.
	void (*expire)(void *ctx, const uint8_t *apex, bool expired);
	// Store these (they may be written lazily, the last ones win).
	void (*store)(void *ctx, const uint8_t *apex, const struct zone_timers *timers);
	// What downstream servers are given, of all zones; with a ctx of its own. `log` is the
	// engine's.
	struct provider_ops provide;
};

// What became of a version that was handed out.
enum engine_verdict {
	ENGINE_LIVE,
	ENGINE_REJECTED, // it will not be served
	ENGINE_NO_ROOM,  // for want of memory
	ENGINE_HELD,     // a person must accept it; LIVE follows when one does
	ENGINE_SHORT,    // the same, or agreed() when enough primaries have it
};

// What `npctl zone status` may show.
struct engine_status {
	enum zone_phase phase;
	bool has_copy, stale, expired; // stale: past the SOA's expire, served by the policy's grace
	bool pinned;
	int64_t behind_ms; // wall clock: since when a primary has news that we do not take; 0: none
	uint32_t behind_serial;
	char pinned_primary[64]; // id of the remote whose versions are taken; "": whoever has news
	int64_t pinned_primary_ms; // wall clock: since when
	bool regressed;            // a primary was heard of last with a serial older than ours
	uint32_t regressed_serial;
	char regressed_primary[64]; // its address@port
	struct zone_soa soa;
	int64_t refresh_in_ms; // until the next round; 0 when one is under way
	int64_t expires_in_ms; // valid with has_copy
	unsigned failures;     // rounds in a row without success
	char primary[64];      // address@port last asked, "" before
	char key[64];          // that it was signed with; "" for none
	const char *transport; // of that: "udp/tcp", "tls", or "tls, not authenticated"
	char error[160];       // why the last round failed, names escaped; "" when it did not
	const struct failures *recent; // NULL: none; borrowed until control returns to the loop
	bool incremental;              // the version served came as a difference
	uint64_t transfers, transfer_bytes;
	int64_t last_transfer_ms; // how long the last whole transfer took
};

// X-list of the engine's counters: name, help.
#define ENGINE_COUNTERS(X)                                                                         \
	X(soa_queries, "SOA queries sent, retries included")                                       \
	X(soa_answers, "usable SOA answers")                                                       \
	X(soa_failures, "SOA queries given up")                                                    \
	X(transfers_started, "transfers begun")                                                    \
	X(transfers_done, "transfers complete and verified")                                       \
	X(transfers_stale, "transfers ended at once because the serial is not newer")              \
	X(transfers_failed, "transfers that failed")                                               \
	X(transfer_bytes, "bytes received in transfers")                                           \
	X(transfer_records, "records received in whole transfers")                                 \
	X(keys_refused, "questions asked again with a primary's other key")                        \
	X(ixfr_started, "incremental transfers asked for")                                         \
	X(ixfr_applied, "versions that went live by an incremental transfer")                      \
	X(ixfr_fallbacks, "incremental transfers given up for a full one")                         \
	X(published, "versions that went live")                                                    \
	X(rejected, "versions refused before they were served")                                    \
	X(held, "versions held until somebody accepts them")                                       \
	X(graces, "zones that are served past their SOA's expire")                                 \
	X(expirations, "zones that stopped being served")                                          \
	X(lost, "versions that were to be served and were found broken")                           \
	X(regressions, "answers with a serial older than ours")                                    \
	X(notify_accepted, "NOTIFY accepted")                                                      \
	X(notify_malformed, "NOTIFY that was no DNS message or had no usable question: FORMERR")   \
	X(notify_not_ours, "NOTIFY for a zone that is not a secondary here: NOTAUTH")              \
	X(notify_refused, "NOTIFY from an address that may not send it: REFUSED")                  \
	X(notify_unsigned, "NOTIFY without the key its sender is configured with: REFUSED")        \
	X(notify_bad_tsig, "NOTIFY whose TSIG failed: NOTAUTH")                                    \
	X(notify_version,                                                                          \
	    "messages on the control listener with an EDNS version above 0: BADVERS")              \
	X(notify_opcode, "messages on the control listener that are no NOTIFY: NOTIMP or REFUSED") \
	X(notify_dropped, "responses and fragments on the control listener: dropped")

struct engine_counters {
#define X(name, help) uint64_t name;
	ENGINE_COUNTERS(X)
#undef X
};

#define ENGINE_ERROR_MAX 512

// Opens the NOTIFY listeners and takes up every secondary zone of `config` (borrowed until the next
// engine_reconfigure or engine_close) with the keys that `changes` (NULL: none; borrowed until the
// next engine_rekey or engine_close) makes of it. `ops` is copied. Network work begins from the
// loop. Post: 0; or -errno, `error` says what in one sentence, nothing is left behind.
int engine_open(struct event_base *base, const struct config *config,
    const struct key_changes *changes, const struct engine_ops *ops, struct engine **out,
    char error[ENGINE_ERROR_MAX]) __attribute__((warn_unused_result));
void engine_close(struct engine *engine); // NULL is accepted; no op is called any more

// Begins to take up a new configuration: zones that stay keep their state. Post: on error the old
// one stays in force whole. Pre: the one before was taken up to its end.
int engine_reconfigure(struct engine *engine, const struct config *config,
    char error[ENGINE_ERROR_MAX]) __attribute__((warn_unused_result));
// Goes on with it until then (slice.h). Post: 0: that was all, and the old config may be freed;
// -EAGAIN: there is more; -ENOMEM: there is more, when there is memory again.
int engine_reconfigure_go(struct engine *engine, int64_t until_us)
    __attribute__((warn_unused_result));

// Takes up other changes of keys. Pre: no configuration is being taken up. A transfer under way
// goes on with the key it began with, unless that is retired: then it ends and begins anew. Post:
// as engine_reconfigure.
int engine_rekey(struct engine *engine, const struct key_changes *changes,
    char error[ENGINE_ERROR_MAX]) __attribute__((warn_unused_result));

// The answer to ops->publish and ops->apply. `reason` (may be NULL) is shown in status when not
// live.
void engine_published(struct engine *engine, const uint8_t *apex, uint32_t token,
    enum engine_verdict verdict, const char *reason);

// Another version is served of a zone, of whichever kind: downstream servers are told.
void engine_changed(struct engine *engine, const uint8_t *apex);

// Operator's orders. Post: 0 or -ENOENT when the zone is no secondary here.
int engine_refresh(struct engine *engine, const uint8_t *apex);
int engine_retransfer(struct engine *engine, const uint8_t *apex);
// A pinned zone asks its primaries and takes nothing. Post: 0, or -ENOENT.
int engine_pin(struct engine *engine, const uint8_t *apex, bool pinned);
// A person put this version in the place of the one served. Post: 0, or -ENOENT.
int engine_replaced(
    struct engine *engine, const uint8_t *apex, const struct zone_soa *soa, uint64_t origin);

// What was served was broken: what is there now is loaded, and the zone fetched whole. Post: 0, or
// -ENOENT.
int engine_lost(struct engine *engine, const uint8_t *apex);

// A NOTIFY (or anything that looks like one) that a worker forwarded over the seam. Post: length of
// the reply in `reply`, 0 when none must be sent. cap >= 512.
size_t engine_notify(struct engine *engine, const uint8_t *msg, size_t len,
    const struct sockaddr *from, uint8_t *reply, size_t cap);

int engine_status(const struct engine *engine, const uint8_t *apex, struct engine_status *out);
const struct engine_counters *engine_counters(const struct engine *engine);
const struct provide_counters *engine_provide_counters(const struct engine *engine);

// Adds one line to the log; NULL turns it off. Default: stderr.
void engine_log_to(struct engine *engine, void (*line)(void *ctx, const char *text), void *ctx);
