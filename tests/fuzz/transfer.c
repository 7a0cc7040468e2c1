// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Whole transfer conversations. The first byte chooses: 0 bit: signed session; 1 bit: any serial; 3
// bit: incremental (then any serial is not asked for), and a difference that comes is applied to a
// small zone; 4 and 5 bit: the serial we hold; 6 bit: narrow limits.
//
// 7 bit: what follows is a program (lib/conversation.h): the primary's messages are made of whole
// records and signed by a second implementation of TSIG. The same records are then sent again, one
// a message, and all in one: what is taken does not depend on where messages end, nor on signatures
// that are right; and nothing is taken that was not signed to its end. A session that knows the
// small zone comes to the same end and to the same zone.
//
// Else what follows are messages, each with a length of two bytes before it, arbitrary but for the
// 2 bit: id and question are put right. They are read as SOA answers, too.
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "compile.h"
#include "conversation.h"
#include "must.h"
#include "name.h"
#include "rdata.h"
#include "rrtype.h"
#include "session.h"
#include "soa_query.h"
#include "wire.h"

#define NOW_S UINT64_C(1795000000)

static const uint8_t apex[] = CONVERSATION_APEX;

// What the secondary may hold. The first is what the seeds of differences know.
static const uint32_t serials[4] = {5, 0, UINT32_MAX, (uint32_t)INT32_MAX + 3};

// SOA, NS, two hosts, an alias, of serials[which].
static const struct zone_version *base(unsigned which)
{
	uint8_t soa[] = "\0\0\0\0\0\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1";
	static const uint8_t host[] = "\1a\7example\3com", alias[] = "\1b\7example\3com";
	static struct zone_version versions[4];
	static struct image_buffer buffers[4];
	struct zone_version *version = &versions[which];
	struct image_buffer *buffer = &buffers[which];
	const struct compile_options options = {.key = {{1, 2}}, .generation = 1, .id = 1};
	char error[COMPILE_ERROR_MAX];

	if (version->layer_count == 0) {
		struct records *records = records_new(apex);

		wire_put32(soa + 2, serials[which]);

		if (records_add(records, apex, RRTYPE_SOA, 60, soa, 22) != 0 ||
		    records_add(records, apex, RRTYPE_NS, 60, host, sizeof(host)) != 0 ||
		    records_add(records, host, RRTYPE_A, 60, (const uint8_t *)"\xc0\0\2\1", 4) !=
		        0 ||
		    records_add(records, host, RRTYPE_A, 60, (const uint8_t *)"\xc0\0\2\2", 4) !=
		        0 ||
		    records_add(records, alias, RRTYPE_CNAME, 60, host, sizeof(host)) != 0 ||
		    records_sort(records) != 0 || image_buffer_open(buffer, 1 << 20) != 0 ||
		    compile_image(records, &options, buffer, error) != 0 ||
		    image_open(&version->layer[0], buffer->mem, buffer->used) != 0) {
			abort();
		}
		version->layer_count = 1;
		records_free(records);
	}
	return version;
}

static void difference_check(struct delta *delta, unsigned which)
{
	struct records *records;
	char error[DELTA_ERROR_MAX];

	if (delta->from != serials[which] || delta->steps == 0) {
		abort();
	}
	if (delta_apply(delta, base(which), &records, error) == 0) {
		if (records_sort(records) == 0 && records_check(records, error) == 0 &&
		    records_serial(records) != delta->to) {
			abort(); // its SOA is the one promised
		}
		records_free(records);
	}
	delta_free(delta);
}

static void message_fix(uint8_t *msg, size_t len, uint16_t qtype)
{
	uint8_t head[WIRE_HEADER_LEN + NAME_LEN_MAX + 4];
	size_t head_len = wire_question(head, 0x1234, WIRE_QR | WIRE_AA, apex, qtype);

	if (len >= head_len) {
		memcpy(head + 6, msg + 6, 6); // the counts stay the fuzzer's
		memcpy(msg, head, head_len);
	}
}

struct asked {
	struct session *session;
	uint8_t mac[TSIG_MAC_MAX]; // the request's
	size_t mac_len;
};

static void release_nothing(void *ctx)
{
}

static struct seen *known(void *ctx)
{
	struct seen *seen = seen_new(base((uintptr_t)ctx >> 4 & 3), 0, release_nothing, NULL);

	must(seen != NULL);
	return seen;
}

// A session that has sent its request; `knowing` the version before.
static struct asked ask_knowing(uint8_t flags, const struct tsig_key *key, bool knowing)
{
	static const struct session_limits wide = {
	    .bytes = 1 << 20, .records = 10000, .rrset_records = 1000};
	static const struct session_limits narrow = {
	    .bytes = 4000, .records = 50, .rrset_records = 20};
	const struct session_ask ask = {.incremental = (flags & 8) != 0,
	    .any_serial = (flags & 10) == 2,
	    .padded = (flags & 4) != 0,
	    .known = knowing ? known : NULL,
	    .ctx = (void *)(uintptr_t)flags,
	    .ours = {.serial = serials[flags >> 4 & 3]}};
	struct asked asked = {
	    .session = session_open(apex, key, 0x1234, &ask, (flags & 64) != 0 ? &narrow : &wide)};
	struct tsig_record record;
	uint8_t request[1024];

	must(asked.session != NULL);
	const size_t len = session_request(asked.session, request, sizeof(request), NOW_S);

	must(len > 0);
	must(tsig_find(request, len, &record) == (key != NULL));
	if (key != NULL) {
		asked.mac_len = record.mac_len;
		memcpy(asked.mac, record.mac, record.mac_len);
	}
	return asked;
}

static struct asked ask(uint8_t flags, const struct tsig_key *key)
{
	return ask_knowing(flags, key, false);
}

static bool records_same(const struct records *a, const struct records *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct record *x = &a->items[i], *y = &b->items[i];

		if (x->type != y->type || x->ttl != y->ttl || x->rdlen != y->rdlen ||
		    x->owner_len != y->owner_len || memcmp(x->owner, y->owner, x->owner_len) != 0 ||
		    memcmp(x->rdata, y->rdata, x->rdlen) != 0)
			return false;
	}
	return true;
}

// Both have taken the same, or come to the same end.
static void sessions_agree(const struct session *a, const struct session *b)
{
	must(a->state == b->state && a->soa.serial == b->soa.serial);
	must((a->delta == NULL) == (b->delta == NULL));
	if (a->state == SESSION_FAILED)
		return; // in the middle of a message or at its end
	if (a->delta != NULL) {
		must(a->delta->from == b->delta->from && a->delta->to == b->delta->to &&
		     a->delta->steps == b->delta->steps);
		must(records_same(a->delta->changes, b->delta->changes));
		must(memcmp(a->delta->added, b->delta->added, a->delta->changes->count) == 0);
	} else {
		must(records_same(a->records, b->records));
	}
}

// What a session has come to in the end is used, and the session closed.
static void session_end(struct session *session, unsigned which)
{
	if (session->state == SESSION_DONE && session->delta != NULL) {
		difference_check(session_take_delta(session), which);
	} else if (session->state == SESSION_DONE) {
		struct records *records = session_take(session);
		char error[RECORDS_ERROR_MAX];

		if (records_sort(records) == 0) {
			(void)records_check(records, error);
		}
		records_free(records);
	}
	session_close(session);
}

// As a whole zone has it: sorted, an RRset has the TTL of its first record.
static void settle(struct records *records)
{
	must(records_sort(records) == 0);
	for (size_t i = 1; i < records->count; i++) {
		struct record *r = &records->items[i];
		const struct record *before = r - 1;

		if (r->owner == before->owner && r->type == before->type &&
		    (r->type != RRTYPE_RRSIG || memcmp(r->rdata, before->rdata, 2) == 0))
			r->ttl = before->ttl;
	}
}

// Owners and data aside from case, types; in order but for that within an RRset. TTLs and spellings
// of a name that comes in several places may be those of either.
static bool zones_same(const struct records *a, const struct records *b)
{
	bool same = a->count == b->count;

	for (size_t i = 0; same && i < a->count; i++) {
		const struct record *x = &a->items[i];

		same = false;
		for (size_t k = 0; !same && k < b->count; k++) {
			const struct record *y = &b->items[k];

			same = x->type == y->type && name_equal(x->owner, y->owner) &&
			       rdata_compare(x->type, x->rdata, x->rdlen, y->rdata, y->rdlen) == 0;
		}
	}
	return same;
}

// Who knows a version comes to the same end, and to the same zone by way of the difference.
static void knowing_agrees(uint8_t flags, const struct conversation *c, const struct session *plain)
{
	struct session *session = ask_knowing(flags, NULL, true).session;
	struct records *want, *got = NULL;
	struct delta *delta = NULL;
	char error[DELTA_ERROR_MAX];
	bool sound;

	conversation_play(c, session, AS_IT_STANDS, false, NULL, 0, NOW_S, &sound);
	must(session->state == plain->state && session->soa.serial == plain->soa.serial);
	must(session_count(session) == session_count(plain));
	must(strcmp(session->error, plain->error) == 0);
	if (session->state == SESSION_DONE && session->seen != NULL) {
		want = records_new(apex);
		must(want != NULL);
		for (size_t i = 0; i < plain->records->count; i++) {
			const struct record *r = &plain->records->items[i];

			must(records_add(want, r->owner, r->type, r->ttl, r->rdata, r->rdlen) == 0);
		}
		settle(want);
		const int rc =
		    seen_delta(session->seen, session->records, session->soa.serial, &delta);

		must(rc == 0 || rc == -E2BIG);
		// What an RRset may have is not judged before that.
		if (rc == -E2BIG) {
			must(want->count > 64);
		} else if (delta_apply(delta, base(flags >> 4 & 3), &got, error) == 0) {
			must(zones_same(want, got));
			records_free(got);
		} else {
			must(strstr(error, "too many records of one type") != NULL);
		}
		must(seen_restore(session->seen, session->records) == 0);
		settle(session->records);
		must(zones_same(want, session->records));
		delta_free(delta);
		records_free(want);
	}
	session_close(session);
}

// The same records in other messages. Pre: no header lies, and every record is one: otherwise the
// same bytes may mean another thing elsewhere. Wide limits, since those on bytes depend on the
// messages.
static void splits_agree(uint8_t flags, const struct conversation *c, const struct session *plain)
{
	struct asked each = ask(flags, NULL), together = ask(flags, NULL);
	bool sound;

	conversation_play(c, each.session, ONE_EACH, false, NULL, 0, NOW_S, &sound);
	conversation_play(c, together.session, ALL_TOGETHER, false, NULL, 0, NOW_S, &sound);
	// Records behind the last SOA are seen only where they share its message.
	if (plain->state != SESSION_FAILED) {
		sessions_agree(plain, each.session);
	} else {
		must(each.session->state != SESSION_MORE);
	}
	if (together.session->state == SESSION_DONE || together.session->state == SESSION_STALE) {
		sessions_agree(together.session, each.session);
	}
	session_close(each.session);
	session_close(together.session);
}

static void program_run(uint8_t flags, struct tsig_key *key, struct cursor *cursor)
{
	static struct conversation c;
	const unsigned which = flags >> 4 & 3;
	const bool wide = (flags & 64) == 0;
	struct asked said = ask(flags, key);
	bool sound;

	conversation_read(&c, cursor, serials[which]);
	conversation_play(
	    &c, said.session, AS_IT_STANDS, key != NULL, said.mac, said.mac_len, NOW_S, &sound);
	if (key == NULL) {
		if (wide && !c.edited) {
			splits_agree(flags, &c, said.session);
		}
		knowing_agrees(flags, &c, said.session);
	} else if (sound && wide) {
		struct asked plain = ask(flags, NULL);

		conversation_play(&c, plain.session, AS_IT_STANDS, false, NULL, 0, NOW_S, &sound);
		// Right signatures change nothing, but that one is due with the end.
		if (said.session->state != SESSION_FAILED || plain.session->state == SESSION_MORE ||
		    plain.session->state == SESSION_FAILED) {
			sessions_agree(said.session, plain.session);
		}
		session_close(plain.session);
	}
	session_end(said.session, which);
}

static void messages_run(uint8_t flags, struct tsig_key *key, const uint8_t *data, size_t size)
{
	struct asked asked = ask((uint8_t)(flags & ~4), key);
	struct session *session = asked.session;

	while (session->state == SESSION_MORE && size >= 2) {
		size_t len = wire_get16(data);

		data += 2;
		size -= 2;
		len = len < size ? len : size;
		uint8_t *exact = malloc(len + 1);

		memcpy(exact, data, len);
		if ((flags & 4) != 0) {
			message_fix(
			    exact, len, session->ask.incremental ? RRTYPE_IXFR : RRTYPE_AXFR);
		}
		struct tsig_stream stream;
		struct zone_soa soa;
		char error[SOA_ERROR_MAX];

		if (tsig_stream_open(&stream, NULL, NULL, 0) == 0) {
			(void)soa_answer_read(exact, len, apex, 0x1234, &stream, 0, &soa, error);
		}
		session_message(session, exact, len, NOW_S);
		free(exact);
		data += len;
		size -= len;
	}
	if (session->state == SESSION_DONE && key != NULL) {
		abort(); // nobody guesses a MAC
	}
	session_end(session, flags >> 4 & 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tsig_key *key = NULL;

	if (size < 1) {
		return 0;
	}
	const uint8_t flags = data[0];

	if ((flags & 1) != 0 &&
	    tsig_key_new((const uint8_t *)CONVERSATION_KEY, "hmac-sha256",
	        (const uint8_t *)CONVERSATION_SECRET, strlen(CONVERSATION_SECRET), &key) != 0) {
		abort();
	}
	if ((flags & 128) != 0) {
		struct cursor cursor = {data + 1, size - 1};

		program_run(flags, key, &cursor);
	} else {
		messages_run(flags, key, data + 1, size - 1);
	}
	tsig_key_unref(key);
	return 0;
}
