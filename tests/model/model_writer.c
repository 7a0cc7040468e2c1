// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The writer; see model_writer.h.
#include "model_writer.h"

#include <string.h>

#include "model_name.h"
#include "model_rdata.h"

// Where the label that stands at `at` really begins: pointers followed.
static size_t label_at(const uint8_t *msg, size_t at)
{
	while (msg[at] >= 0xc0)
		at = (msg[at] & 0x3fu) << 8 | msg[at + 1];
	return at;
}

static bool label_same(const uint8_t *a, const uint8_t *b, bool any_case)
{
	if (!any_case)
		return memcmp(a, b, a[0] + 1u) == 0;
	uint8_t one[65] = {0}, other[65] = {0}; // two names of one label
	if (a[0] != b[0])
		return false;
	memcpy(one, a, a[0] + 1u);
	memcpy(other, b, b[0] + 1u);
	return mname_equal(one, other);
}

// Does the name that stands at `at` equal `name`? Labels of the question in any case, all others
// byte for byte.
static bool name_stands_at(const struct mwriter *w, size_t at, const uint8_t *name)
{
	for (;; name += *name + 1) {
		at = label_at(w->msg, at);
		if (w->msg[at] == 0 || *name == 0)
			return w->msg[at] == *name;
		if (!label_same(w->msg + at, name, at < w->question_end))
			return false;
		at += w->msg[at] + 1u;
	}
}

// Makes the suffixes of the name at `at` places to point at, shortest first: those of `labels`
// labels whose length exceeds what stands behind them already. A longer suffix needs its shorter
// one, so the first that cannot be a place ends it.
static void places_add(struct mwriter *w, size_t at, unsigned literal)
{
	size_t begin[128];

	for (unsigned i = 0; i < literal; i++) {
		begin[i] = at;
		at += w->msg[at] + 1u;
	}
	for (unsigned i = literal; i-- > 0;) {
		if (begin[i] >= MWRITER_OFFSET_END || w->place_count == MWRITER_PLACES_MAX)
			return;
		w->place[w->place_count++] = (uint16_t)begin[i];
	}
}

void mwriter_start(
    struct mwriter *w, uint8_t *msg, size_t question_end, size_t cap, unsigned labels)
{
	const uint8_t *suffix = mname_suffix(msg + 12, labels);

	w->msg = msg;
	w->at = w->question_end = question_end;
	w->cap = cap;
	w->place_count = 0;
	places_add(w, (size_t)(suffix - msg), labels);
}

static bool put(struct mwriter *w, const uint8_t *bytes, size_t n)
{
	if (w->at + n > w->cap)
		return false;
	memcpy(w->msg + w->at, bytes, n);
	w->at += n;
	return true;
}

static bool put_number(struct mwriter *w, uint64_t value, unsigned bytes)
{
	uint8_t out[8];

	for (unsigned i = 0; i < bytes; i++)
		out[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
	return put(w, out, bytes);
}

static bool put_name(struct mwriter *w, const uint8_t *name)
{
	const size_t began = w->at;
	unsigned literal = 0;

	// The longest suffix first; of its places the earliest.
	for (const uint8_t *suffix = name; *suffix != 0; suffix += *suffix + 1, literal++) {
		for (unsigned i = 0; i < w->place_count; i++) {
			if (!name_stands_at(w, w->place[i], suffix))
				continue;
			if (!put(w, name, (size_t)(suffix - name)) ||
			    !put_number(w, 0xc000u | w->place[i], 2))
				return false;
			places_add(w, began, literal);
			return true;
		}
	}
	if (!put(w, name, mname_len(name)))
		return false;
	places_add(w, began, literal);
	return true;
}

static bool put_rdata(struct mwriter *w, uint16_t type, const uint8_t *rdata, size_t rdlen)
{
	struct mrdata_names names;
	size_t done = 0;

	mrdata_names(type, rdata, rdlen, &names);
	for (unsigned i = 0; names.compressed && i < names.count; i++) {
		if (!put(w, rdata + done, names.at[i] - done) || !put_name(w, rdata + names.at[i]))
			return false;
		done = names.at[i] + mname_len(rdata + names.at[i]);
	}
	return put(w, rdata + done, rdlen - done);
}

bool mwriter_record(struct mwriter *w, const uint8_t *owner, uint16_t type, uint32_t ttl,
    const uint8_t *rdata, size_t rdlen)
{
	const size_t began = w->at;
	const unsigned places = w->place_count;
	bool fits = owner == NULL ? put_number(w, 0xc00c, 2) : put_name(w, owner);

	fits = fits && put_number(w, type, 2) && put_number(w, 1, 2) && put_number(w, ttl, 4) &&
	       put_number(w, 0, 2);
	const size_t body = w->at;
	fits = fits && put_rdata(w, type, rdata, rdlen);
	if (!fits) {
		w->at = began;
		w->place_count = places;
		return false;
	}
	w->msg[body - 2] = (uint8_t)((w->at - body) >> 8);
	w->msg[body - 1] = (uint8_t)(w->at - body);
	return true;
}
