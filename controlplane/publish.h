// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Publication: the records of a zone version become an image (compiler child), are verified,
// sealed, sent to the data plane, stored and entered in the manifest. Keeps what is served and what
// should be in step across restarts of either process. Everything here is called on the event
// loop's thread; slow work happens in threads and in the compiler.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "config.h"
#include "engine.h"
#include "history.h"
#include "records.h"

struct event_base;
struct publisher;

#define PUBLISH_REASON_MAX 512

struct publisher_ops {
	void *ctx;
	// The end of publisher_publish(), once for each call, from the loop (and once more for one
	// that was held and is accepted). LIVE: the data plane answers from it, or none is
	// connected and it is stored. `reason` is set when not live; it is NULL when live. A
	// version equal to the one served counts as live.
	void (*published)(void *ctx, const uint8_t *apex, uint32_t token,
	    enum engine_verdict verdict, const char *reason);
	// Another version is what should be served of this zone, or is known of this catalog.
	void (*changed)(void *ctx, const uint8_t *apex, bool catalog);
	// A person put another version in the place of the one served: it is what the engine has
	// now. May be NULL.
	void (*replaced)(
	    void *ctx, const uint8_t *apex, const struct zone_soa *soa, uint64_t origin);
	// What was served was broken: it is what publisher_load() gives now. May be NULL.
	void (*lost)(void *ctx, const uint8_t *apex);
	// The digest of what is served is not as zonemd-verify wants it: the zone is to be had
	// anew. May be NULL.
	void (*doubted)(void *ctx, const uint8_t *apex);
	// At the start: so many of the stored zones have been read. May be NULL.
	void (*read)(void *ctx, size_t done, size_t total);
	// Is there a catalog that has a version, and yet nobody knows its members? May be NULL.
	bool (*members_unknown)(void *ctx);
	// A message that a worker forwarded. Post: length of the reply, 0 for none.
	size_t (*forward)(void *ctx, const uint8_t *msg, size_t len, const struct sockaddr *from,
	    uint8_t *reply, size_t cap);
};

// Opens the storage and RUNDIR/seam.sock and takes up what the manifest lists. `config` is borrowed
// until the next publisher_reconfigure or publisher_close.
// Post: 0; or -errno and one sentence in `error`.
int publisher_open(struct event_base *base, const struct config *config,
    const struct publisher_ops *ops, struct publisher **out, char error[PUBLISH_REASON_MAX])
    __attribute__((warn_unused_result));
// Ends all work in flight without calling back; what is served stays served. NULL is accepted.
void publisher_close(struct publisher *publisher);

// Begins to take up a new configuration (borrowed until the next one): zones that are gone are
// withdrawn and leave the manifest. Rundir and storage stay as they were.
void publisher_reconfigure(struct publisher *publisher, const struct config *config);
// Goes on with it until then (slice.h). Post: 0: that was all; -EAGAIN: there is more; -ENOMEM:
// there is more, when there is memory again.
int publisher_reconfigure_go(struct publisher *publisher, int64_t until_us)
    __attribute__((warn_unused_result));

// Takes ownership of `records` (any order, not yet checked). A version that waits for its turn is
// replaced by a later one of the same zone and reported as not live. `origin` and `hold` as in
// engine_ops.
void publisher_publish(struct publisher *publisher, const uint8_t *apex, uint32_t token,
    uint64_t origin, const char *hold, struct records *records);
// Is what was handed over with this token under way: waiting for its turn, being built, or on its
// way to the data plane for no longer than an image of its size may take? `now_us`: monotonic.
bool publisher_working(
    const struct publisher *publisher, const uint8_t *apex, uint32_t token, int64_t now_us);
// The same for a zone of text; `source` (inode 0: not known) is kept with the version.
void publisher_publish_text(struct publisher *publisher, const uint8_t *apex, uint32_t token,
    const struct file_mark *source, struct records *records);
// What the file was that the version served was made from; inode 0: nothing is known.
struct file_mark publisher_source(const struct publisher *publisher, const uint8_t *apex);
// The same where more belongs to the version than `records`: what `seen` (now the publisher's;
// NULL: nothing) has of a version that publisher_peek() gave.
void publisher_replace(struct publisher *publisher, const uint8_t *apex, uint32_t token,
    uint64_t origin, const char *hold, struct records *records, struct seen *seen);
// The same for what `delta` (now the publisher's) makes of the version served. When it does not
// fit, that is not live, with the reason, and nothing has changed.
void publisher_apply(struct publisher *publisher, const uint8_t *apex, uint32_t token,
    uint64_t origin, const char *hold, struct delta *delta);

// Publishes the version that is held. Post: 0; -ENOENT when none is; -EBUSY while another is being
// published.
int publisher_accept(struct publisher *publisher, const uint8_t *apex)
    __attribute__((warn_unused_result));
// The same for one that is held only by `hold`; it is answered for with `token`, REJECTED when
// there is none.
void publisher_agreed(struct publisher *publisher, const uint8_t *apex, uint32_t token);

// What became of an older version that was asked for: `reason` NULL, it is live; or why not.
typedef void (*publisher_recalled_fn)(void *ctx, const char *reason);

// Serves a kept version again, the newest before the one served or the one with that serial, and
// pins the zone: what is newer at the primary would come back at once otherwise. Post: 0, and
// `done` is called once, now or later, but not after publisher_close(); -ENOENT: none such is kept;
// -EBUSY: a newer one is on its last steps; -ENOMEM.
int publisher_rollback(struct publisher *publisher, const uint8_t *apex, const uint32_t *serial,
    publisher_recalled_fn done, void *ctx) __attribute__((warn_unused_result));
// A pinned zone takes nothing new. Post: 0; -ENOENT: there is no version; -EBUSY as above.
int publisher_pin(struct publisher *publisher, const uint8_t *apex, bool pinned)
    __attribute__((warn_unused_result));

// The versions there are, the one served first, then what came before it, the held one last.
struct publisher_version {
	enum history_role role;
	enum history_how how;
	bool live, durable;
	struct zone_soa soa;
	uint64_t generation, content, origin, rr_count, image_size;
	int64_t when_ms; // wall clock: live, or held; 0: unknown
};
size_t publisher_versions(const struct publisher *publisher, const uint8_t *apex,
    struct publisher_version out[HISTORY_VERSIONS_MAX]);

// What leads from one of them to another, in a thread. `done` is called once, from the loop, but
// not after publisher_close(): with the difference (borrowed), or NULL and why. `from`, `to`: their
// generations. Post: 0; -ENOENT or another -errno, done is not called then.
int publisher_diff(struct publisher *publisher, const uint8_t *apex, uint64_t from, uint64_t to,
    void (*done)(void *ctx, const struct delta *delta, const char *reason), void *ctx)
    __attribute__((warn_unused_result));

// As in engine_ops.
bool publisher_room(
    struct publisher *publisher, uint64_t count, uint64_t bytes, char reason[SESSION_ROOM_REASON]);
// As in engine_ops.
bool publisher_fits(struct publisher *publisher, uint64_t count, uint64_t bytes);
// As publisher_room, of a text. Any thread.
bool publisher_room_for_text(
    struct publisher *publisher, uint64_t count, uint64_t bytes, char reason[SESSION_ROOM_REASON]);
void publisher_load(struct publisher *publisher, const uint8_t *apex, struct engine_stored *out);
void publisher_expire(struct publisher *publisher, const uint8_t *apex, bool expired);
void publisher_store(
    struct publisher *publisher, const uint8_t *apex, const struct zone_timers *timers);

// Opens the version that is served for reading. Post: 0, to be closed by reading_close(); -ENOENT:
// no such zone here; -ENODATA: none is served yet; -ESTALE: it has expired; -EAGAIN: it is being
// read from disk, to be asked for again some milliseconds later; another -errno.
struct reading;
int publisher_read(struct publisher *publisher, const uint8_t *apex, struct reading *out)
    __attribute__((warn_unused_result));
// The same for who can do without: what is not in memory is not read, -EAGAIN.
int publisher_peek(struct publisher *publisher, const uint8_t *apex, struct reading *out)
    __attribute__((warn_unused_result));

// Closes what was read from end to end, in a thread; `reading` is empty then. What was only glanced
// at may be closed by reading_close().
void publisher_read_end(struct publisher *publisher, struct reading *reading);

// What leads from the version with serial `from` to the one that is open, in one chain of RFC 1995
// 4, as the journal has it. Post: 0, and `done` is called once, from the loop: with the difference,
// to be given back by publisher_difference_end(), or with NULL when the journal does not reach that
// far, the whole zone is less to send, or differences take too much memory; -EAGAIN: a part of it
// is still being written, to be asked for again some milliseconds later; another -errno: it is not
// to be had.
#define PUBLISHER_DIFFERENCE_MAX  ((size_t)64 << 20)  // bytes in memory
#define PUBLISHER_DIFFERENCES_MAX ((size_t)256 << 20) // of all that are given out together
struct difference_job;
typedef void (*publisher_difference_fn)(void *ctx, struct delta *delta);
int publisher_difference(struct publisher *publisher, const uint8_t *apex, uint32_t from,
    const struct reading *to, publisher_difference_fn done, void *ctx, struct difference_job **out)
    __attribute__((warn_unused_result));
// `done` will not be called. Pre: it was not yet.
void publisher_difference_cancel(struct difference_job *job);
void publisher_difference_end(struct publisher *publisher, struct delta *delta); // NULL is accepted

// What is known of a zone, for status.
struct publisher_status {
	bool has_version; // one should be served
	bool live;        // the data plane said so
	bool durable;     // stored and in the manifest
	bool busy;        // a newer one is on its way
	bool expired;
	bool older;   // a newer one was broken; `error` says which
	bool doubted; // its digest is not as zonemd-verify wants it; `error` says why
	bool held;    // a newer one waits for publisher_accept(); `error` says why
	uint32_t held_serial;
	uint64_t held_records;
	bool pinned;
	int64_t pinned_ms; // wall clock
	uint32_t serial;
	uint64_t generation;
	uint64_t content; // names what is served, as in the journal
	uint64_t image_size;
	uint64_t rr_count;
	int64_t expires_at;                 // unix seconds; 0: never
	int64_t published_ms;               // wall clock of LIVE; 0: not in this run
	unsigned publish_us;                // records in hand -> LIVE, of the last version
	char error[PUBLISH_REASON_MAX / 2]; // why the newest version is not served; "" when it is
};
// Post: false when the zone is not configured.
bool publisher_status(const struct publisher *publisher, const uint8_t *apex,
    struct publisher_status *out) __attribute__((warn_unused_result));

// The serial as the workers answer it.
struct publisher_answer {
	uint8_t apex_len; // 0: this is the end
	uint8_t apex[255];
	uint32_t serial; // valid when rcode is 0
	uint32_t rcode;
	uint64_t generation;
};
// Calls back with what was answered, and once more with apex_len 0; `rc` is 0, or at the end
// -ENOTCONN or -ETIMEDOUT. The end may come before this returns.
void publisher_ask(struct publisher *publisher, const uint8_t *apex,
    void (*answer)(void *ctx, const struct publisher_answer *answer, int rc), void *ctx);

// For `npctl status`.
struct publisher_summary {
	bool connected;
	bool foreign; // a data plane of another version is there, which takes nothing
	uint32_t dataplane_pid;
	int64_t connected_ms; // wall clock
	uint64_t generation;  // highest given out
	size_t zones, versions, live, durable, busy, failed, doubted;
	uint64_t image_bytes;
};
// The sums may be as old as ten times what they took: with a million zones a second or two.
void publisher_summary(struct publisher *publisher, struct publisher_summary *out);
