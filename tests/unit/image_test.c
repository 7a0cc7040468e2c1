// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Compiler, verifier and reader together: what goes in as records is found again, and no damage to
// an image is ever followed.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "checksum.h"
#include "compile.h"
#include "name.h"
#include "order_key.h"
#include "rdata.h"
#include "reader.h"
#include "records.h"

static const struct hash_key key = {{0x0123456789abcdefULL, 0xfedcba9876543210ULL}};

struct line {
	const char *owner;
	uint16_t type;
	const char *name;  // a name in the rdata, after `prefix`
	const char *bytes; // fixed bytes before the name
	size_t bytes_len;
};

#define SOA_TAIL "\0\0\0\7\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\5"

static void wire(const char *text, uint8_t out[NAME_LEN_MAX])
{
	assert_true(name_from_text(text, strlen(text), NULL, out) > 0);
}

static void add(
    struct records *records, const char *owner_text, uint16_t type, const void *rdata, size_t len)
{
	uint8_t owner[NAME_LEN_MAX];

	wire(owner_text, owner);
	assert_true(rdata_valid(type, rdata, len));
	assert_int_equal(records_add(records, owner, type, 300, rdata, len), 0);
}

static void add_name(struct records *records, const char *owner, uint16_t type, const char *target)
{
	uint8_t name[NAME_LEN_MAX];

	wire(target, name);
	add(records, owner, type, name, name_len(name));
}

static void add_soa(struct records *records, const char *apex)
{
	uint8_t rdata[2 * NAME_LEN_MAX + 20];
	uint8_t name[NAME_LEN_MAX];

	wire(apex, name);
	const size_t n = name_len(name);
	memcpy(rdata, name, n);
	memcpy(rdata + n, name, n);
	memcpy(rdata + 2 * n, SOA_TAIL, 20);
	add(records, apex, RRTYPE_SOA, rdata, 2 * n + 20);
	add_name(records, apex, RRTYPE_NS, "ns.example.com.");
}

static struct records *zone(const char *apex)
{
	uint8_t name[NAME_LEN_MAX];

	wire(apex, name);
	struct records *records = records_new(name);
	assert_non_null(records);
	return records;
}

static struct records *sample(void)
{
	struct records *r = zone("example.com.");

	add_name(
	    r, "sub.example.com.", RRTYPE_NS, "ns.sub.example.com."); // before the SOA: any order
	add_soa(r, "example.com.");
	add(r, "ns.example.com.", RRTYPE_A, "\300\0\2\1", 4);
	add(r, "NS.Sub.example.com.", RRTYPE_A, "\300\0\2\2", 4);
	add_name(r, "sub.example.com.", RRTYPE_NS, "ns.example.com.");
	add(r, "*.wild.example.com.", RRTYPE_TXT, "\1x", 2);
	add(r, "a.b.c.example.com.", RRTYPE_A, "\300\0\2\3", 4);
	add(r, "a.b.c.example.com.", RRTYPE_A, "\300\0\2\3", 4); // repeated
	add_name(r, "d.example.com.", RRTYPE_DNAME, "elsewhere.test.");
	add(r, "below.d.example.com.", RRTYPE_A, "\300\0\2\4", 4);
	add_name(r, "alias.example.com.", RRTYPE_CNAME, "ns.example.com.");
	return r;
}

struct built {
	struct image_buffer buffer;
	struct zone_version version;
};

static void build(struct built *b, struct records *records)
{
	char error[COMPILE_ERROR_MAX];
	const struct compile_options options = {.key = key, .generation = 3, .id = 99};

	assert_int_equal(records_sort(records), 0);
	assert_int_equal(image_buffer_open(&b->buffer, 1u << 30), 0);
	if (compile_image(records, &options, &b->buffer, error) != 0)
		fail_msg("%s", error);
	if (image_verify(b->buffer.mem, b->buffer.used, error) != 0)
		fail_msg("%s", error);
	b->version.layer_count = 1;
	assert_int_equal(image_open(&b->version.layer[0], b->buffer.mem, b->buffer.used), 0);
	assert_int_equal(version_check(&b->version), 0);
	records_free(records);
}

static void drop(struct built *b)
{
	image_buffer_close(&b->buffer);
}

static void look(const struct built *b, const char *text, struct lookup *out)
{
	static struct qname q;
	uint8_t name[NAME_LEN_MAX];

	wire(text, name);
	assert_int_equal(qname_parse(&q, name, sizeof(name), sizeof(name)), name_len(name));
	qname_hash(&q, &key);
	version_lookup(&b->version, &q, out);
}

static void a_walk_ends_where_rfc_1034_says(void **state)
{
	static const struct {
		const char *question;
		enum lookup_kind kind;
		const char *node;     // NULL: none
		const char *encloser; // NULL: the node
	} cases[] = {
	    {"example.com.", LOOKUP_EXACT, "example.com.", NULL},
	    {"NS.EXAMPLE.com.", LOOKUP_EXACT, "ns.example.com.", NULL},
	    {"c.example.com.", LOOKUP_EXACT, "c.example.com.", NULL},
	    {"b.c.example.com.", LOOKUP_EXACT, "b.c.example.com.", NULL},
	    {"sub.example.com.", LOOKUP_REFERRAL, "sub.example.com.", NULL},
	    {"ns.sub.example.com.", LOOKUP_REFERRAL, "sub.example.com.", NULL},
	    {"x.y.sub.example.com.", LOOKUP_REFERRAL, "sub.example.com.", NULL},
	    {"d.example.com.", LOOKUP_EXACT, "d.example.com.", NULL},
	    {"below.d.example.com.", LOOKUP_DNAME, "d.example.com.", NULL},
	    {"x.y.wild.example.com.", LOOKUP_WILDCARD, "*.wild.example.com.", "wild.example.com."},
	    {"wild.example.com.", LOOKUP_EXACT, "wild.example.com.", NULL},
	    {"*.wild.example.com.", LOOKUP_EXACT, "*.wild.example.com.", NULL},
	    {"no.example.com.", LOOKUP_NXDOMAIN, NULL, "example.com."},
	    {"no.b.c.example.com.", LOOKUP_NXDOMAIN, NULL, "b.c.example.com."},
	};
	struct built b;

	build(&b, sample());
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lookup found;
		uint8_t name[NAME_LEN_MAX];

		look(&b, cases[i].question, &found);
		assert_int_equal(found.kind, cases[i].kind);
		assert_int_equal(found.node.node != NULL, cases[i].node != NULL);
		if (cases[i].node != NULL) {
			wire(cases[i].node, name);
			assert_true(name_equal(found.node.node->name, name));
		}
		wire(cases[i].encloser != NULL ? cases[i].encloser : cases[i].node, name);
		assert_true(name_equal(found.encloser.node->name, name));
		assert_int_equal(found.encloser_labels, name_labels(name));
	}
	drop(&b);
}

static void records_keep_case_order_and_ttl_and_lose_repetitions(void **state)
{
	struct built b;
	struct version_iter iter;
	struct node_ref node;
	unsigned names = 0, rrs = 0;

	build(&b, sample());
	version_iter_start(&iter, &b.version);
	while ((node = version_iter_next(&iter)).node != NULL) {
		names++;
		for (unsigned i = 0; i < node.node->rrset_count; i++) {
			assert_int_equal(rrset_ttl(node, node_rrset_at(node, i)), 300);
			rrs += node_rrset_at(node, i)->rr_count;
		}
	}
	assert_int_equal(names, 12);
	assert_int_equal(rrs, 11);
	assert_int_equal(b.version.layer[0].header->rr_count, 11);

	struct qname q;
	uint8_t name[NAME_LEN_MAX];
	wire("ns.sub.example.com.", name);
	assert_int_not_equal(qname_parse(&q, name, sizeof(name), sizeof(name)), 0);
	qname_hash(&q, &key);
	node = version_find(&b.version, &q, q.labels);
	assert_non_null(node.node);
	assert_memory_equal(node_owner(node), "\2NS\3Sub\7example\3com", 19);
	assert_true((node.node->flags & NODE_OCCLUDED) != 0);

	wire("sub.example.com.", name);
	assert_int_not_equal(qname_parse(&q, name, sizeof(name), sizeof(name)), 0);
	qname_hash(&q, &key);
	node = version_find(&b.version, &q, q.labels);
	const struct image_rrset *ns = node_rrset(node, RRTYPE_NS);
	struct rdata_iter rdata = rrset_rdata(node, ns);
	uint16_t len;
	assert_memory_equal(rdata_next(&rdata, &len), "\2ns\3sub\7example\3com", 20);
	assert_memory_equal(rdata_next(&rdata, &len), "\2ns\7example\3com", 16);
	assert_null(rdata_next(&rdata, &len));
	assert_null(node_rrset(node, RRTYPE_AAAA));
	drop(&b);
}

// Whatever its size: small RRsets are compared pair by pair, large ones sorted.
static void records_that_differ_in_the_case_of_a_name_are_one(void **state)
{
	for (unsigned n = 2; n <= 40; n += 19) {
		struct records *r = zone("example.com.");
		char name[32];

		for (unsigned i = 0; i < n; i++) {
			snprintf(name, sizeof(name), "ns%u.example.com.", i);
			add_name(r, "sub.example.com.", RRTYPE_NS, name);
		}
		add_name(r, "sub.example.com.", RRTYPE_NS, "NS1.Example.com.");
		assert_int_equal(records_sort(r), 0);
		assert_int_equal(r->count, n);
		for (size_t i = 0; i < n; i++) // the first to come stays
			assert_int_equal(r->items[i].rdata[1], 'n');
		records_free(r);
	}
}

static void a_referral_is_compiled_with_the_glue_below_its_cut_first(void **state)
{
	struct built b;
	struct lookup found;

	build(&b, sample());
	look(&b, "www.sub.example.com.", &found);
	const struct image_node_leads *leads = node_leads(found.node.node);
	assert_int_not_equal(leads->answer_at, 0);
	const struct image_answer *answer = node_at(found.node.node, leads->answer_at);
	assert_int_equal(answer->ancount, 0);
	assert_int_equal(answer->nscount, 2);
	assert_int_equal(answer->arcount, 2);
	// Written by hand after RFC 1035 4.1.4: the question is sub.example.com. at 12, so
	// example.com. is at 16; the first NS's rdata is at 33 + 12 = 45 and holds "ns" + pointer,
	// the second one's at 62. An address is owned by its name as the NS record wrote it,
	// whatever the case of the address record's own owner, so that a pointer is enough.
	static const uint8_t expected[] = "\300\14\0\2\0\1\0\0\1\54\0\5\2ns\300\14"
	                                  "\300\14\0\2\0\1\0\0\1\54\0\5\2ns\300\20"
	                                  "\300\55\0\1\0\1\0\0\1\54\0\4\300\0\2\2"
	                                  "\300\76\0\1\0\1\0\0\1\54\0\4\300\0\2\1";
	assert_int_equal(answer->size, sizeof(expected) - 1);
	assert_memory_equal(answer_bytes(answer), expected, sizeof(expected) - 1);
	drop(&b);
}

static void a_zone_that_may_not_be_served_is_refused_with_the_reason(void **state)
{
	static const struct {
		const char *expect;
		int which;
	} cases[] = {{"has no SOA", 0}, {"has no NS", 1}, {"CNAME and other", 2},
	    {"more than one CNAME", 3}, {"SOA below", 4}, {"cannot be zone data", 5}, {"empty", 6},
	    {"51 iterations", 7}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct records *r = zone("example.com.");
		struct image_buffer buffer;
		char error[COMPILE_ERROR_MAX];
		const struct compile_options options = {.key = key};

		if (cases[i].which >= 2 && cases[i].which != 6)
			add_soa(r, "example.com.");
		switch (cases[i].which) {
		case 0:
			add_name(r, "example.com.", RRTYPE_NS, "ns.example.com.");
			break;
		case 1:
			add_soa(r, "example.com.");
			r->count--; // the NS
			break;
		case 2:
			add_name(r, "x.example.com.", RRTYPE_CNAME, "y.test.");
			add(r, "x.example.com.", RRTYPE_A, "abcd", 4);
			break;
		case 3:
			add_name(r, "x.example.com.", RRTYPE_CNAME, "y.test.");
			add_name(r, "x.example.com.", RRTYPE_CNAME, "z.test.");
			break;
		case 4:
			add_soa(r, "x.example.com.");
			break;
		case 5:
			add(r, "x.example.com.", RRTYPE_ANY, "abcd", 4);
			break;
		case 7:
			add(r, "example.com.", RRTYPE_NSEC3PARAM, "\1\0\0\63\0", 5);
			break;
		default:
			break;
		}
		assert_int_equal(records_sort(r), 0);
		assert_int_equal(image_buffer_open(&buffer, 1u << 24), 0);
		assert_int_equal(compile_image(r, &options, &buffer, error), -22);
		if (strstr(error, cases[i].expect) == NULL)
			fail_msg("expected '%s' in '%s'", cases[i].expect, error);
		image_buffer_close(&buffer);
		records_free(r);
	}
}

// Reads all that a reader can reach. The sanitizers judge.
static void read_all(const struct zone_version *version)
{
	static const char *questions[] = {"example.com.", "www.sub.example.com.",
	    "a.wild.example.com.", "no.example.com.", "a.b.c.example.com.", "below.d.example.com."};
	struct version_iter iter;
	struct node_ref node;
	volatile unsigned sum = 0;
	unsigned steps = 0;

	version_iter_start(&iter, version);
	while ((node = version_iter_next(&iter)).node != NULL && steps++ < 100) {
		for (unsigned i = 0; i < node.node->rrset_count; i++) {
			struct rdata_iter rdata = rrset_rdata(node, node_rrset_at(node, i));
			uint16_t len;
			for (const uint8_t *at; (at = rdata_next(&rdata, &len)) != NULL;)
				sum += len > 0 ? at[len - 1] : 0;
		}
		sum += node_owner(node)[0];
	}
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
		static struct qname q;
		uint8_t name[NAME_LEN_MAX];
		struct lookup found;
		const struct hash_key k = {
		    {version->layer[0].header->hash_key[0], version->layer[0].header->hash_key[1]}};
		wire(questions[i], name);
		if (qname_parse(&q, name, sizeof(name), sizeof(name)) == 0 ||
		    !name_is_under(name, image_apex(version->layer[0].header)))
			continue;
		qname_hash(&q, &k);
		version_lookup(version, &q, &found);
		sum += found.kind;
	}
}

static void every_flipped_byte_is_refused_or_harmless(void **state)
{
	struct built b;
	char error[IMAGE_ERROR_MAX];
	unsigned accepted = 0;

	build(&b, sample());
	uint8_t *copy = aligned_alloc(IMAGE_ALIGN, b.buffer.used);
	assert_non_null(copy);
	for (size_t i = 0; i < b.buffer.used; i++) {
		for (unsigned bit = 0; bit < 8; bit += i % 3 + 1) {
			memcpy(copy, b.buffer.mem, b.buffer.used);
			copy[i] ^= (uint8_t)(1u << bit);
			assert_int_equal(image_verify(copy, b.buffer.used, error), -22);
			assert_true(error[0] != '\0');
			// With the checksum made right, the structure itself must hold or be
			// refused.
			((struct image_header *)copy)->checksum =
			    image_checksum(copy, b.buffer.used);
			if (image_verify(copy, b.buffer.used, error) != 0)
				continue;
			struct zone_version version = {.layer_count = 1};
			accepted++;
			if (image_open(&version.layer[0], copy, b.buffer.used) == 0 &&
			    version_check(&version) == 0)
				read_all(&version);
		}
	}
	// TTLs, addresses, serial, ids: changes that a structure check cannot and need not see.
	assert_true(accepted > 0);
	free(copy);
	drop(&b);
}

// A copy of the sample to be forged. Owned by the caller.
static uint8_t *forge(struct built *b)
{
	uint8_t *copy = aligned_alloc(IMAGE_ALIGN, b->buffer.used);

	assert_non_null(copy);
	memcpy(copy, b->buffer.mem, b->buffer.used);
	return copy;
}

static void forged_is_refused(struct built *b, uint8_t *copy, const char *why)
{
	struct image_header *header = (struct image_header *)copy;
	char error[IMAGE_ERROR_MAX];

	header->checksum = 0;
	header->checksum = image_checksum(copy, b->buffer.used);
	assert_int_equal(image_verify(copy, b->buffer.used, error), -22);
	if (strstr(error, why) == NULL)
		fail_msg("expected '%s' in '%s'", why, error);
	free(copy);
}

// A slot that repeats the one before it keeps the number of names right while one of them, here
// perhaps the apex, cannot be found any more.
static void a_name_that_is_indexed_twice_is_refused(void **state)
{
	struct built b;
	unsigned tried = 0;

	build(&b, sample());
	const struct image *image = &b.version.layer[0];
	for (uint32_t i = 0; i < image->bucket_count; i++) {
		for (unsigned slot = 1; slot < image->buckets[i].used; slot++, tried++) {
			uint8_t *copy = forge(&b);
			struct image_bucket *bucket =
			    (struct image_bucket *)(copy + ((const uint8_t *)&image->buckets[i] -
			                                       image->mem));
			bucket->tag[slot] = bucket->tag[slot - 1];
			bucket->ref[slot] = bucket->ref[slot - 1];
			forged_is_refused(&b, copy, "is not where the index");
		}
	}
	assert_true(tried > 0);
	drop(&b);
}

// Its count says which slots hold something, and which do not: readers go by either.
static void a_bucket_whose_count_is_wrong_is_refused(void **state)
{
	struct built b;
	unsigned tried = 0;

	build(&b, sample());
	const struct image *image = &b.version.layer[0];
	for (uint32_t i = 0; i < image->bucket_count; i++) {
		const unsigned used = image->buckets[i].used;

		for (unsigned wrong = 0; wrong < 4; wrong++) {
			if (wrong <= 1 ? used == IMAGE_SLOTS : used == 0)
				continue;
			uint8_t *copy = forge(&b);
			struct image_bucket *bucket =
			    (struct image_bucket *)(copy + ((const uint8_t *)&image->buckets[i] -
			                                       image->mem));
			if (wrong == 0)
				bucket->ref[used] = image->header->section[IMAGE_NODES].ref;
			else if (wrong == 1)
				bucket->used++;
			else if (wrong == 2)
				bucket->used--;
			else
				bucket->used = IMAGE_SLOTS + 1;
			forged_is_refused(&b, copy, "slots of a bucket");
			tried++;
		}
	}
	assert_true(tried > 0);
	drop(&b);
}

// A lookup looks at so many buckets for a name that is not there.
static void an_index_with_no_bound_of_its_own_is_refused(void **state)
{
	struct records *r = zone("example.com.");
	struct built b;
	char text[64];

	add_soa(r, "example.com.");
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "n%u.example.com.", i);
		add(r, text, RRTYPE_A, "abcd", 4);
	}
	build(&b, r);
	assert_true(b.version.layer[0].bucket_count > IMAGE_PROBES_MAX + 1);
	uint8_t *copy = forge(&b);

	((struct image_header *)copy)->probe_max = IMAGE_PROBES_MAX + 1;
	forged_is_refused(&b, copy, "probe limit");
	drop(&b);
}

// The SOA and the negative answers of a version are those of its top layer.
// The sample's CNAME, in a copy of it.
static struct image_node *alias_in(const struct built *b, uint8_t *copy)
{
	struct lookup found;

	look(b, "alias.example.com.", &found);
	assert_int_equal(found.kind, LOOKUP_EXACT);
	assert_int_not_equal(node_leads(found.node.node)->answer_at, 0);
	return (struct image_node *)(copy + ((const uint8_t *)found.node.node - b->buffer.mem));
}

static struct image_node_leads *leads_in(const struct built *b, uint8_t *copy)
{
	return (struct image_node_leads *)node_leads(alias_in(b, copy));
}

static struct image_chain *chain_in(const struct built *b, uint8_t *copy)
{
	return (struct image_chain *)node_at(alias_in(b, copy), leads_in(b, copy)->answer_at);
}

// A reader copies what a chain leads to as it copies any answer; and what it depends on is held by
// the layers above it, which nothing does for an overlay's own.
static void a_chain_out_of_range_or_in_an_overlay_is_refused(void **state)
{
	struct built b;

	build(&b, sample());
	uint8_t *copy = forge(&b);
	leads_in(&b, copy)->answer_at = UINT16_MAX;
	forged_is_refused(&b, copy, "chain");
	for (unsigned i = 0; i < CHAIN_ANSWERS; i++) {
		copy = forge(&b);
		chain_in(&b, copy)->at[i] = UINT16_MAX;
		forged_is_refused(&b, copy, "answer");
		copy = forge(&b);
		chain_in(&b, copy)->do_at[i] = UINT16_MAX;
		forged_is_refused(&b, copy, "answer");
	}
	copy = forge(&b);
	chain_in(&b, copy)->no_name = 2;
	forged_is_refused(&b, copy, "chain");
	copy = forge(&b);
	((struct image_header *)copy)->flags |= IMAGE_OVERLAY;
	forged_is_refused(&b, copy, "chain in an overlay");
	drop(&b);
}

// In a copy of the sample, the answer of its delegation.
static struct image_answer *referral_in(const struct built *b, uint8_t *copy)
{
	struct lookup found;

	look(b, "sub.example.com.", &found);
	assert_int_equal(found.kind, LOOKUP_REFERRAL);
	const struct image_answer *answer =
	    node_at(found.node.node, node_leads(found.node.node)->answer_at);
	return (struct image_answer *)(copy + ((const uint8_t *)answer - b->buffer.mem));
}

// What is copied goes by a list of what only looks like a pointer: each byte of it must be what the
// answer says, and none may be left out.
static void what_moves_must_be_what_the_bytes_say(void **state)
{
	struct built b;

	build(&b, sample());
	uint8_t *copy = forge(&b);
	const struct image_answer *ours = referral_in(&b, copy);
	const size_t head = 8ull * ours->head;
	free(copy);
	// Both addresses begin with a c0.
	assert_int_equal(head, 24);
	for (size_t i = sizeof(struct image_answer); i < head; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			copy = forge(&b);
			((uint8_t *)referral_in(&b, copy))[i] ^= (uint8_t)(1u << bit);
			forged_is_refused(&b, copy, "what moves");
		}
	}
	// An address that has none any more; and one more byte that is one.
	for (unsigned which = 0; which < 2; which++) {
		copy = forge(&b);
		struct image_answer *answer = referral_in(&b, copy);
		uint8_t *at = (uint8_t *)answer + head + 46 + which;

		assert_int_equal(*at, which == 0 ? 192 : 0);
		*at = which == 0 ? 10 : 192;
		answer->sum =
		    checksum_fold(checksum_sum((uint8_t *)answer + head, answer->size, 0));
		forged_is_refused(&b, copy, "what moves");
	}
	// A pointer that leads to what comes behind it.
	copy = forge(&b);
	struct image_answer *answer = referral_in(&b, copy);
	((uint8_t *)answer)[head + 1] = 0x7f;
	answer->sum = checksum_fold(checksum_sum((uint8_t *)answer + head, answer->size, 0));
	forged_is_refused(&b, copy, "records");
	// An answer that nothing moves in, where there are pointers.
	copy = forge(&b);
	referral_in(&b, copy)->head = 1;
	forged_is_refused(&b, copy, "answer");
	drop(&b);
}

static void an_overlay_without_apex_or_with_a_wild_negative_answer_is_refused(void **state)
{
	struct built b;

	build(&b, sample());
	for (unsigned i = 0; i < 3; i++) {
		uint8_t *copy = forge(&b);
		struct image_header *header = (struct image_header *)copy;

		header->flags |= IMAGE_OVERLAY;
		header->apex_ref = 0;
		leads_in(&b, copy)->answer_at = 0; // no overlay has a chain
		if (i < 2)
			*(i == 0 ? &header->negative_ref : &header->negative_do_ref) = 0xfffffff0;
		forged_is_refused(&b, copy, i < 2 ? "answer" : "apex");
	}
	drop(&b);
}

// No walk would find the apex, nor know how many labels of the question exist.
static void an_apex_that_is_a_tombstone_is_refused(void **state)
{
	struct built b;

	build(&b, sample());
	uint8_t *copy = forge(&b);
	struct image_header *header = (struct image_header *)copy;
	struct image_node *apex = (struct image_node *)(copy + ((uint64_t)header->apex_ref << 3));
	header->flags |= IMAGE_OVERLAY;
	apex->flags |= NODE_TOMBSTONE;
	forged_is_refused(&b, copy, "tombstone");
	drop(&b);
}

static void add_signed_nsec(struct records *r, const char *owner, const char *next)
{
	uint8_t sig[18 + NAME_LEN_MAX + 64] = {0, RRTYPE_NSEC, 13, 2}, nsec[NAME_LEN_MAX + 3];
	uint8_t apex[NAME_LEN_MAX];

	wire("example.com.", apex);
	wire(next, nsec);
	memcpy(nsec + name_len(nsec), "\0\1\100", 3);
	add(r, owner, RRTYPE_NSEC, nsec, name_len(nsec) + 3);
	memcpy(sig + 18, apex, name_len(apex));
	add(r, owner, RRTYPE_RRSIG, sig, 18 + name_len(apex) + 64);
	sig[1] = RRTYPE_SOA;
	if (strcmp(owner, "example.com.") == 0)
		add(r, owner, RRTYPE_RRSIG, sig, 18 + name_len(apex) + 64);
}

// A proof goes into answers as it stands in the image: each byte of it must be that of its records.
static void a_proof_that_is_not_its_records_is_refused(void **state)
{
	static const char *const owners[] = {"example.com.", "NS.example.com."};
	struct records *r = sample();
	struct built b;

	for (unsigned i = 0; i < 2; i++)
		add_signed_nsec(r, owners[i], owners[1 - i]);
	build(&b, r);
	for (unsigned i = 0; i < 2; i++) {
		struct lookup found;

		look(&b, owners[i], &found);
		const struct image_rrset *rrset = node_rrset(found.node, RRTYPE_NSEC);
		const struct image_proof *proof =
		    node_at(found.node.node, rrset_signed(rrset)->answer_do_at);
		const size_t at = (size_t)((const uint8_t *)proof - found.node.image->mem);
		const size_t end =
		    (size_t)(proof_bytes(proof) + proof->size - found.node.image->mem);

		assert_int_not_equal(rrset_signed(rrset)->answer_do_at, 0);
		assert_int_equal(proof->rr_count, 2);
		for (size_t k = at; k < end; k++) {
			uint8_t *copy = forge(&b);

			copy[k] ^= 1;
			forged_is_refused(&b, copy, "proof");
		}
		uint8_t *copy = forge(&b);
		const size_t rrset_at = (size_t)((const uint8_t *)rrset - found.node.image->mem);

		((struct image_rrset_signed *)(copy + rrset_at))->answer_do_at++;
		forged_is_refused(&b, copy, "proof");
	}
	drop(&b);
}

// What a reader relies on to find the RRsets behind a name.
// What stands in an answer's place at an NSEC is no answer: it may be anywhere.
static void records_of_an_nsec_are_not_looked_for_in_an_answer(void **state)
{
	struct records *r = sample();
	struct lookup found;
	struct built b;

	add_signed_nsec(r, "example.com.", "example.com.");
	build(&b, r);
	look(&b, "example.com.", &found);
	const struct image_rrset *rrset = node_rrset(found.node, RRTYPE_NSEC);
	uint8_t *copy = forge(&b);
	struct image_rrset *forged =
	    (struct image_rrset *)(copy + ((const uint8_t *)rrset - found.node.image->mem));
	forged->answer_at = UINT16_MAX;
	forged->rdata_at = 0;
	forged_is_refused(&b, copy, "without its records");
	drop(&b);
}

// Whoever renders a referral looks for a proof where the cut says that its referral lacks one, and
// otherwise takes DS or the NSEC at the cut, which then must be there.
static void a_cut_that_says_wrongly_where_its_proof_is_is_refused(void **state)
{
	static const char *const cuts[] = {"bare.example.com.", "sub.example.com."};
	struct records *r = sample();
	struct built b;

	add_name(r, cuts[0], RRTYPE_NS, "ns.example.com.");
	add_signed_nsec(r, "example.com.", cuts[1]);
	add_signed_nsec(r, cuts[1], "example.com.");
	build(&b, r);
	for (unsigned i = 0; i < 2; i++) {
		struct lookup found;

		look(&b, cuts[i], &found);
		assert_int_equal(found.kind, LOOKUP_REFERRAL);
		assert_int_equal(
		    found.node.node->flags & NODE_TAKES_PROOF, i == 0 ? NODE_TAKES_PROOF : 0);
		uint8_t *copy = forge(&b);
		struct image_node *cut =
		    (struct image_node *)(copy + ((const uint8_t *)found.node.node - b.buffer.mem));
		cut->flags ^= NODE_TAKES_PROOF;
		forged_is_refused(&b, copy, "who proves");
	}
	drop(&b);
}

static void a_node_whose_parts_do_not_fit_is_refused(void **state)
{
	struct built b;

	build(&b, sample());
	const uint32_t ref = b.version.layer[0].header->apex_ref;
	struct image_node *apex;
	uint8_t *copy = forge(&b);
	((struct image_header *)copy)->flags |= IMAGE_SIGNED;
	forged_is_refused(&b, copy, "no room for signatures");
	copy = forge(&b);
	apex = (struct image_node *)(copy + ((uint64_t)ref << 3));
	assert_int_equal(apex->more, 0); // unsigned, and in lower case
	apex->more = sizeof(struct image_node_denial) / NODE_UNIT;
	forged_is_refused(&b, copy, "behind a name");
	copy = forge(&b);
	apex = (struct image_node *)(copy + ((uint64_t)ref << 3));
	apex->rrset_count = UINT16_MAX;
	forged_is_refused(&b, copy, "out of range");
	copy = forge(&b);
	((struct image_header *)copy)->flags |= IMAGE_RRSIGS; // longer entries than there are
	forged_is_refused(&b, copy, "");
	drop(&b);
}

// A primary may put any number of types, each with a signature, at one name.
static void a_name_of_many_types_is_no_work_for_minutes(void **state)
{
	enum { FIRST = 1000, TYPES = 30000 };
	struct records *r = zone("example.com.");
	uint8_t sig[20] = {[19] = 1}; // the root signed it
	struct built b;

	add_soa(r, "example.com.");
	for (unsigned i = 0; i < TYPES; i++) { // the signatures come in another order
		const unsigned type = FIRST + (i * 7) % TYPES;
		sig[0] = (uint8_t)(type >> 8);
		sig[1] = (uint8_t)type;
		add(r, "many.example.com.", (uint16_t)(FIRST + i), "x", 1);
		add(r, "many.example.com.", RRTYPE_RRSIG, sig, sizeof(sig));
	}
	const clock_t begin = clock();
	build(&b, r);
	assert_true(
	    clock() - begin < 2 * CLOCKS_PER_SEC); // of this process, however busy the machine
	struct lookup found;
	look(&b, "many.example.com.", &found);
	const struct node_ref node = found.node;
	assert_non_null(node.node);
	assert_int_equal(node.node->rrset_count, TYPES);
	for (unsigned type = FIRST; type < FIRST + TYPES; type += 997) {
		const struct image_rrset *rrset = node_rrset(node, (uint16_t)type);
		assert_non_null(rrset);
		assert_int_equal(rrset->rr_count, 1);
		uint32_t ttl;
		uint16_t len;
		struct rdata_iter sigs = rrset_sigs(node, rrset, &ttl);
		assert_int_equal(sigs.left, 1);
		const uint8_t *rdata = rdata_next(&sigs, &len);
		assert_int_equal(rdata[0] << 8 | rdata[1], type);
	}
	drop(&b);
}

static void more_nsec3_iterations_than_are_compiled_are_refused(void **state)
{
	struct built b;

	build(&b, sample());
	uint8_t *copy = forge(&b);
	((struct image_header *)copy)->nsec3_iterations = IMAGE_ITERATIONS_MAX + 1;
	forged_is_refused(&b, copy, "iterations");
	drop(&b);
}

static void every_truncation_is_refused(void **state)
{
	struct built b;
	char error[IMAGE_ERROR_MAX];

	build(&b, sample());
	for (size_t size = 0; size < b.buffer.used; size += size % 64 == 0 ? 8 : 56)
		assert_int_equal(image_verify(b.buffer.mem, size, error), -22);
	drop(&b);
}

static void a_hundred_thousand_names_are_all_found_and_no_other(void **state)
{
	struct records *r = zone("example.com.");
	struct built b;
	char text[64];
	struct lookup found;

	add_soa(r, "example.com.");
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(text, sizeof(text), "n%u.z%u.example.com.", i * 2654435761u, i % 100);
		add(r, text, RRTYPE_A, "abcd", 4);
	}
	build(&b, r);
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(text, sizeof(text), "n%u.z%u.example.com.", i * 2654435761u, i % 100);
		look(&b, text, &found);
		assert_int_equal(found.kind, LOOKUP_EXACT);
		assert_int_not_equal(found.node.node->rrset_count, 0);
		snprintf(text, sizeof(text), "m%u.z%u.example.com.", i * 2654435761u, i % 100);
		look(&b, text, &found);
		assert_int_equal(found.kind, LOOKUP_NXDOMAIN);
	}
	assert_true(b.version.layer[0].header->probe_max < 8);
	drop(&b);
}

static void the_root_zone_can_be_an_image(void **state)
{
	struct records *r = zone(".");
	struct built b;
	struct lookup found;

	add_soa(r, ".");
	add_name(r, "com.", RRTYPE_NS, "a.gtld-servers.net.");
	add(r, "a.gtld-servers.net.", RRTYPE_A, "abcd", 4);
	build(&b, r);
	look(&b, "www.example.com.", &found);
	assert_int_equal(found.kind, LOOKUP_REFERRAL);
	look(&b, ".", &found);
	assert_int_equal(found.kind, LOOKUP_EXACT);
	look(&b, "nosuch.", &found);
	assert_int_equal(found.kind, LOOKUP_NXDOMAIN);
	drop(&b);
}

// Labels of few bytes, those that the key has to escape among them.
static unsigned random_name(unsigned *seed, uint8_t out[NAME_LEN_MAX])
{
	static const uint8_t bytes[] = {0, 1, 2, '*', 'a', 'A', 'b', 0xff};
	unsigned labels = (unsigned)rand_r(seed) % 4, at = 0;

	for (unsigned i = 0; i < labels; i++) {
		unsigned len = 1 + (unsigned)rand_r(seed) % 5;
		out[at++] = (uint8_t)len;
		while (len-- > 0)
			out[at++] = bytes[(unsigned)rand_r(seed) % sizeof(bytes)];
	}
	memcpy(out + at, "\4apex", 6);
	return labels;
}

static void keys_sort_as_the_names_do(void **state)
{
	uint8_t a[NAME_LEN_MAX], b[NAME_LEN_MAX];
	unsigned seed = 1, decided = 0;

	for (unsigned i = 0; i < 200000; i++) {
		random_name(&seed, a);
		random_name(&seed, b);
		const uint64_t key_a = name_order_key(a, 1), key_b = name_order_key(b, 1);
		const int order = name_compare(a, b);
		if (order == 0)
			assert_true(key_a == key_b);
		else if (order < 0)
			assert_true(key_a <= key_b);
		else
			assert_true(key_a >= key_b);
		decided += key_a != key_b;
		name_lower(a, a, name_len(a));
		assert_true(name_order_key_lower(a, 1) == key_a);
	}
	assert_true(decided > 150000); // a key that never decides would pass the above
	// After RFC 4034 6.1, by hand: "z", 0, "A" as 'a', 0 and nothing more; the apex is all
	// zero.
	assert_true(name_order_key((const uint8_t *)"\1A\1z\4apex", 1) == 0x7a00610000000000ULL);
	assert_true(name_order_key((const uint8_t *)"\4apex", 1) == 0);
	assert_true(name_order_key((const uint8_t *)"\3\0\1\2\4apex", 1) == 0x0101010202000000ULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keys_sort_as_the_names_do),
	    cmocka_unit_test(a_walk_ends_where_rfc_1034_says),
	    cmocka_unit_test(records_keep_case_order_and_ttl_and_lose_repetitions),
	    cmocka_unit_test(records_that_differ_in_the_case_of_a_name_are_one),
	    cmocka_unit_test(a_referral_is_compiled_with_the_glue_below_its_cut_first),
	    cmocka_unit_test(a_zone_that_may_not_be_served_is_refused_with_the_reason),
	    cmocka_unit_test(every_flipped_byte_is_refused_or_harmless),
	    cmocka_unit_test(a_name_that_is_indexed_twice_is_refused),
	    cmocka_unit_test(a_bucket_whose_count_is_wrong_is_refused),
	    cmocka_unit_test(an_index_with_no_bound_of_its_own_is_refused),
	    cmocka_unit_test(what_moves_must_be_what_the_bytes_say),
	    cmocka_unit_test(an_overlay_without_apex_or_with_a_wild_negative_answer_is_refused),
	    cmocka_unit_test(a_chain_out_of_range_or_in_an_overlay_is_refused),
	    cmocka_unit_test(a_node_whose_parts_do_not_fit_is_refused),
	    cmocka_unit_test(a_name_of_many_types_is_no_work_for_minutes),
	    cmocka_unit_test(an_apex_that_is_a_tombstone_is_refused),
	    cmocka_unit_test(a_proof_that_is_not_its_records_is_refused),
	    cmocka_unit_test(a_cut_that_says_wrongly_where_its_proof_is_is_refused),
	    cmocka_unit_test(records_of_an_nsec_are_not_looked_for_in_an_answer),
	    cmocka_unit_test(more_nsec3_iterations_than_are_compiled_are_refused),
	    cmocka_unit_test(every_truncation_is_refused),
	    cmocka_unit_test(a_hundred_thousand_names_are_all_found_and_no_other),
	    cmocka_unit_test(the_root_zone_can_be_an_image),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
