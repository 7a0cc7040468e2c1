// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What image_verify() refuses: no damage to an image is ever followed, nor what was forged with its
// checksum made right.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "built.h"
#include "checksum.h"

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

// A reply's OPT is counted with an answer's additional records, in the same byte.
static void an_answer_with_no_room_for_an_opt_is_refused(void **state)
{
	struct records *r = zone("example.com.");
	struct built b;
	struct lookup found;

	add_soa(r, "example.com.");
	add_name(r, "example.com.", RRTYPE_NS, "example.com.");
	for (unsigned i = 0; i < IMAGE_ADDITIONAL_MAX; i++)
		add(r, "example.com.", RRTYPE_A, (const uint8_t[4]){'a', 'b', 'c', (uint8_t)i}, 4);
	build(&b, r);
	look(&b, "example.com.", &found);

	const struct image_answer *answer =
	    node_at(found.node.node, node_rrset(found.node, RRTYPE_NS)->answer_at);
	uint8_t *copy = forge(&b);
	struct image_answer *forged =
	    (struct image_answer *)(copy + ((const uint8_t *)answer - b.buffer.mem));

	assert_int_equal(forged->arcount, IMAGE_ADDITIONAL_MAX);
	forged->arcount++;
	forged_is_refused(&b, copy, "no room for an OPT");
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

// The SOA and the negative answers of a version are those of its top layer.
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

// What a reader relies on to find the RRsets behind a name.
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_flipped_byte_is_refused_or_harmless),
	    cmocka_unit_test(a_name_that_is_indexed_twice_is_refused),
	    cmocka_unit_test(a_bucket_whose_count_is_wrong_is_refused),
	    cmocka_unit_test(an_answer_with_no_room_for_an_opt_is_refused),
	    cmocka_unit_test(an_index_with_no_bound_of_its_own_is_refused),
	    cmocka_unit_test(what_moves_must_be_what_the_bytes_say),
	    cmocka_unit_test(an_overlay_without_apex_or_with_a_wild_negative_answer_is_refused),
	    cmocka_unit_test(a_chain_out_of_range_or_in_an_overlay_is_refused),
	    cmocka_unit_test(a_node_whose_parts_do_not_fit_is_refused),
	    cmocka_unit_test(an_apex_that_is_a_tombstone_is_refused),
	    cmocka_unit_test(a_proof_that_is_not_its_records_is_refused),
	    cmocka_unit_test(a_cut_that_says_wrongly_where_its_proof_is_is_refused),
	    cmocka_unit_test(records_of_an_nsec_are_not_looked_for_in_an_answer),
	    cmocka_unit_test(more_nsec3_iterations_than_are_compiled_are_refused),
	    cmocka_unit_test(every_truncation_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
