// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The records of a transfer one by one (see session.h): what each is worth by itself, and what it
// means where it stands. An incremental question has three answers (RFC 1995 4): nothing newer, the
// zone, or a difference. Which it is, the second record tells:
//
//     new SOA                                       not newer: that is all
//     new SOA, records ..., new SOA                 the zone
//     new SOA, { old SOA, what goes, later SOA, what comes } ..., new SOA
//
// Each step of a difference begins at the version where the one before ended, the first at ours,
// the last ends at the new one. Whether what goes was there is found out when it is applied
// (delta.h).
#include "session_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rdata.h"
#include "serial.h"
#include "wire.h"

// Reads the owner at *offset into session->owner. A pointer to where the last owner of this message
// began (which is what every primary sends for the second record of a name) costs nothing.
// Post: 1 when it is the same owner as before, 0 when another, -EINVAL.
static int owner_read(struct session *session, const uint8_t *msg, size_t len, size_t *offset)
{
	size_t at = *offset;

	if (len - at >= 2 && msg[at] >= 0xc0) {
		size_t target = (size_t)(msg[at] & 0x3f) << 8 | msg[at + 1];

		if (target == session->owner_at && session->owner_at != 0) {
			*offset = at + 2;
			return 1;
		}
		at = target;
	}
	int owner_len = wire_name(msg, len, offset, session->owner);

	if (owner_len < 0) {
		session->owner_at = 0;
		return owner_len;
	}
	session->owner_len = (uint8_t)owner_len;
	session->owner_at = at;
	return 0;
}

static void soa_read(const uint8_t *rdata, size_t len, struct zone_soa *out)
{
	const uint8_t *fixed = rdata + len - 20; // serial, refresh, retry, expire, minimum

	out->serial = wire_get32(fixed);
	out->refresh_s = wire_get32(fixed + 4);
	out->retry_s = wire_get32(fixed + 8);
	out->expire_s = wire_get32(fixed + 12);
}

// Two SOAs are the same when their names are (case aside) and their numbers are.
static bool soa_same(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	if (a_len != b_len || memcmp(a + a_len - 20, b + b_len - 20, 20) != 0) {
		return false;
	}
	size_t first = name_len(a);

	return first == name_len(b) && name_equal(a, b) && name_equal(a + first, b + first);
}

static void fail_at(struct session *session, uint16_t type, const char *what)
{
	char owner[NAME_TEXT_MAX];
	char type_text[16];

	name_to_text(session->owner, owner);
	session_fail(session, "%.120s %s: %s", owner, rrtype_to_text(type, type_text), what);
}

// A version for which there is no memory is not fetched to its end: there may be none. It would be
// refused by then all the same (admission.h).
static bool room_good(struct session *session)
{
	const bool whole = session->delta == NULL;
	const struct records *held = whole ? session->records : session->delta->changes;
	char reason[SESSION_ROOM_REASON];

	if (held->bytes < session->room_at) {
		return true;
	}
	session->room_at = held->bytes + SESSION_ROOM_STEP;
	if (session->ask.room == NULL ||
	    session->ask.room(session->ask.ctx, whole ? held->count : 0, held->bytes, reason)) {
		return true;
	}
	session_fail(
	    session, "no memory for more than %zu records: %.120s", session_count(session), reason);
	return false;
}

// Into the zone, or into the difference as what this part of the answer says.
static bool record_keep(
    struct session *session, uint16_t type, uint32_t ttl, const uint8_t *rdata, size_t len)
{
	const size_t count = session_count(session);
	int rc;

	if (count >= session->limits.records) {
		session_fail(
		    session, "more than %llu records", (unsigned long long)session->limits.records);
		return false;
	}
	session->count++;
	if (session->delta != NULL) {
		rc = delta_add(session->delta, session->form == FORM_ADD, session->owner, type, ttl,
		    rdata, len);
	} else if (session->seen != NULL) {
		rc = seen_record(
		    session->seen, session->records, session->owner, type, ttl, rdata, len);
	} else {
		rc = records_add(session->records, session->owner, type, ttl, rdata, len);
	}
	if (rc == -ERANGE) {
		fail_at(session, type, "out of zone");
	} else if (rc != 0) {
		session_fail(session, "out of memory after %zu records", count);
	}
	return rc == 0 && room_good(session);
}

// Counts records of one owner and type that follow each other, however the owner was written.
static bool run_good(struct session *session, bool same_owner, uint16_t type)
{
	if (!same_owner) {
		same_owner = session->run_owner_len == session->owner_len &&
		             memcmp(session->run_owner, session->owner, session->owner_len) == 0;
	}
	if (!same_owner) {
		memcpy(session->run_owner, session->owner, session->owner_len);
		session->run_owner_len = session->owner_len;
	}
	if (same_owner && type == session->run_type) {
		session->run++;
	} else {
		session->run = 1;
		session->run_type = type;
	}
	if (session->run > session->limits.rrset_records) {
		char what[64];

		snprintf(what, sizeof(what), "too many records of one type, more than %u",
		    session->limits.rrset_records);
		fail_at(session, type, what);
		return false;
	}
	return true;
}

// What is asked for whatever its serial is, is wanted as it is.
static void whole_open(struct session *session)
{
	session->form = FORM_WHOLE;
	if (session->ask.known != NULL && !session->ask.any_serial) {
		session->seen = session->ask.known(session->ask.ctx);
	}
}

// The first record: what the primary has.
static bool soa_first(struct session *session, uint32_t ttl, const uint8_t *rdata, size_t len)
{
	memcpy(session->soa_rdata, rdata, len); // two names and 20 bytes at most: rdata_valid
	session->soa_len = (uint16_t)len;
	session->soa_ttl = ttl;
	memcpy(session->soa_owner, session->owner, session->owner_len);
	soa_read(rdata, len, &session->soa);
	if (!session->ask.any_serial &&
	    !serial_newer(session->soa.serial, session->ask.ours.serial)) {
		session->state = SESSION_STALE;
		return false;
	}
	if (session->ask.incremental) {
		session->form = FORM_OPEN;
		return true;
	}
	whole_open(session);
	return record_keep(session, RRTYPE_SOA, ttl, rdata, len);
}

static bool soa_last(struct session *session, const uint8_t *rdata, size_t len)
{
	if (!soa_same(rdata, len, session->soa_rdata, session->soa_len)) {
		struct zone_soa last;

		soa_read(rdata, len, &last);
		session_fail(session, "last SOA (serial %u) differs from the first (serial %u)",
		    last.serial, session->soa.serial);
		return false;
	}
	if (session->seen != NULL && session->form == FORM_WHOLE &&
	    seen_end(session->seen, session->records) != 0) {
		session_fail(session, "out of memory after %zu records", session_count(session));
		return false;
	}
	session->ended = true;
	return true;
}

// The zone as a whole after all (RFC 1995 4): the first SOA is its first record.
static bool whole_begin(struct session *session)
{
	uint8_t owner[NAME_LEN_MAX];
	const uint8_t owner_len = session->owner_len;
	bool kept;

	memcpy(owner, session->owner, owner_len);
	memcpy(session->owner, session->soa_owner, session->apex_len);
	whole_open(session);
	kept = record_keep(
	    session, RRTYPE_SOA, session->soa_ttl, session->soa_rdata, session->soa_len);
	memcpy(session->owner, owner, owner_len);
	session->owner_len = owner_len;
	return kept;
}

// The second record is a SOA: the difference begins with the version we hold.
static bool delta_begin(struct session *session, uint32_t serial)
{
	if (serial != session->ask.ours.serial) {
		session_fail(session, "difference starts from serial %u, not from ours (%u)",
		    serial, session->ask.ours.serial);
		return false;
	}
	session->delta = delta_new(session->apex, serial);
	if (session->delta == NULL) {
		session_fail(session, "out of memory");
		return false;
	}
	session->delta->changes->rrset_max = session->limits.rrset_records;
	session->form = FORM_REMOVE;
	return true;
}

// From what goes to what comes: a step to a later version, not past the one promised.
static bool delta_step(struct session *session, uint32_t serial, const uint8_t *rdata, size_t len)
{
	struct delta *delta = session->delta;

	if (!serial_newer(serial, delta->to)) {
		session_fail(
		    session, "difference goes back from serial %u to %u", delta->to, serial);
	} else if (serial_newer(serial, session->soa.serial)) {
		session_fail(
		    session, "difference goes past serial %u to %u", session->soa.serial, serial);
	} else if (serial == session->soa.serial &&
	           !soa_same(rdata, len, session->soa_rdata, session->soa_len)) {
		session_fail(
		    session, "SOA of serial %u is not the one the answer began with", serial);
	} else {
		delta->to = serial;
		delta->steps++;
		session->form = FORM_ADD;
		return true;
	}
	return false;
}

// A SOA behind what came: the next step, or the end. Post: false when it is neither; `ended` is set
// at the end.
static bool delta_next(struct session *session, uint32_t serial, const uint8_t *rdata, size_t len)
{
	struct delta *delta = session->delta;

	if (serial == session->soa.serial && delta->to == serial) {
		return soa_last(session, rdata, len);
	}
	if (serial != delta->to) {
		session_fail(session, "difference goes on from serial %u, but stood at %u", serial,
		    delta->to);
		return false;
	}
	session->form = FORM_REMOVE;
	return true;
}

// Post: false when the session has ended, one way or the other.
static bool soa_take(struct session *session, uint32_t ttl, const uint8_t *rdata, size_t len)
{
	struct zone_soa soa;
	bool good = false;

	if (!name_equal(session->owner, session->apex)) {
		fail_at(session, RRTYPE_SOA, "is not at the apex");
		return false;
	}
	soa_read(rdata, len, &soa);
	session->run = 0;
	switch (session->form) {
	case FORM_NONE:
		return soa_first(session, ttl, rdata, len);
	case FORM_OPEN:
		if (soa_same(rdata, len, session->soa_rdata, session->soa_len)) {
			return whole_begin(session) && soa_last(session, rdata, len);
		}
		good = delta_begin(session, soa.serial);
		break;
	case FORM_WHOLE:
		return soa_last(session, rdata, len);
	case FORM_REMOVE:
		good = delta_step(session, soa.serial, rdata, len);
		break;
	case FORM_ADD:
		good = delta_next(session, soa.serial, rdata, len);
		break;
	}
	// The SOA itself is the first record to go, and the first to come.
	return good && (session->ended || record_keep(session, RRTYPE_SOA, ttl, rdata, len));
}

bool session_record(struct session *session, const uint8_t *msg, size_t len, size_t *offset)
{
	struct wire_record record;
	int same = owner_read(session, msg, len, offset);

	if (same < 0 || wire_record_fixed(msg, len, offset, &record) != 0) {
		session_fail(session, "malformed record %zu", session_count(session) + 1);
		return false;
	}
	if (session->ended) {
		fail_at(session, record.type, "comes after the last SOA");
		return false;
	}
	if (record.rrclass != RRCLASS_IN) {
		fail_at(session, record.type, "is not of class IN");
		return false;
	}
	if (rrtype_is_meta(record.type)) {
		fail_at(session, record.type, "cannot be zone data");
		return false;
	}
	const uint8_t *rdata = msg + record.rdata;
	int rdlen = record.rdlen;

	if (record.type == RRTYPE_A || record.type == RRTYPE_AAAA) { // most of most zones
		if (rdlen != (record.type == RRTYPE_A ? 4 : 16)) {
			rdlen = -EINVAL;
		}
	} else {
		rdlen = rdata_from_wire(record.type, msg, len, record.rdata, record.rdlen,
		    session->scratch, sizeof(session->scratch));
		rdata = session->scratch;
		if (rdlen >= 0 &&
		    (rdlen > RDATA_LEN_MAX || !rdata_valid(record.type, rdata, (size_t)rdlen))) {
			rdlen = -EINVAL;
		}
	}
	if (rdlen < 0) {
		fail_at(session, record.type, "malformed rdata");
		return false;
	}
	// RFC 2181 8: a TTL with the highest bit set is zero.
	const uint32_t ttl = record.ttl > INT32_MAX ? 0 : record.ttl;

	if (record.type == RRTYPE_SOA) {
		return soa_take(session, ttl, rdata, (size_t)rdlen);
	}
	if (session->form == FORM_NONE) {
		fail_at(session, record.type, "comes before the first SOA");
		return false;
	}
	if (session->form == FORM_OPEN && !whole_begin(session)) {
		return false;
	}
	return run_good(session, same == 1, record.type) &&
	       record_keep(session, record.type, ttl, rdata, (size_t)rdlen);
}
