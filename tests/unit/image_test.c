// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Compiler and reader together: what goes in as records is found again. (What is no image:
// verify_test.c.)

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "built.h"
#include "order_key.h"

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
	    cmocka_unit_test(a_name_of_many_types_is_no_work_for_minutes),
	    cmocka_unit_test(a_hundred_thousand_names_are_all_found_and_no_other),
	    cmocka_unit_test(the_root_zone_can_be_an_image),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
