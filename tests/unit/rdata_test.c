// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Rdata of every type against what BIND makes of it (rdata_cases.h), names inside it, expansion out
// of messages, canonical form, and a seeded run of mutations that must neither crash nor let
// anything malformed through.

#include "rdata.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "name.h"
#include "zonefile.h"

#include "rdata_cases.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char text[RDATA_TEXT_MAX];
static uint8_t wire[RDATA_LEN_MAX], wire_again[RDATA_LEN_MAX];

static size_t hex_to_bytes(const char *hex, uint8_t *out)
{
	size_t len = strlen(hex) / 2;

	for (size_t i = 0; i < len; i++) {
		unsigned byte;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		out[i] = (uint8_t)byte;
	}
	return len;
}

static uint16_t type_of(const char *mnemonic)
{
	int type = rrtype_from_text(mnemonic, strlen(mnemonic));

	assert_true(type >= 0);
	return (uint16_t)type;
}

static int scan(uint16_t type, const char *from, uint8_t *out)
{
	return rdata_from_text(type, from, strlen(from), (const uint8_t *)"", out);
}

static char *without_blanks(const char *from, char *to)
{
	char *start = to;

	for (; *from != '\0'; from++)
		if (*from != ' ')
			*to++ = *from;
	*to = '\0';
	return start;
}

static void text_becomes_the_bytes_bind_makes(void **state)
{
	static uint8_t want[RDATA_LEN_MAX];

	for (size_t i = 0; i < COUNT(rdata_cases); i++) {
		const struct rdata_case *c = &rdata_cases[i];
		size_t want_len = hex_to_bytes(c->wire, want);
		int len = scan(type_of(c->type), c->text, wire);

		if (len != (int)want_len || memcmp(wire, want, want_len) != 0)
			fail_msg("%s %s: %d bytes", c->type, c->text, len);
		assert_true(rdata_valid(type_of(c->type), want, want_len));
	}
}

static void bytes_become_the_text_bind_prints(void **state)
{
	static char got[RDATA_TEXT_MAX], want[RDATA_TEXT_MAX];

	for (size_t i = 0; i < COUNT(rdata_cases); i++) {
		const struct rdata_case *c = &rdata_cases[i];
		size_t len = hex_to_bytes(c->wire, wire);

		assert_true(rdata_to_text(type_of(c->type), wire, len, text, sizeof(text)) >= 0);
		assert_string_equal(without_blanks(text, got), without_blanks(c->print, want));
		assert_int_equal(scan(type_of(c->type), text, wire_again), len);
		assert_memory_equal(wire, wire_again, len);
	}
}

static void what_bind_refuses_is_refused(void **state)
{
	for (size_t i = 0; i < COUNT(rdata_refused); i++)
		if (scan(type_of(rdata_refused[i].type), rdata_refused[i].text, wire) != -EINVAL)
			fail_msg("accepted: %s %s", rdata_refused[i].type, rdata_refused[i].text);
}

// Types that named-rrchecker does not know: the examples of their RFCs.
static const struct rdata_case newer[] = {
    // RFC 9859 2.1
    {"DSYNC", "CDS 1 5359 cds-scanner.example.net.",
        "003b0114ef0b6364732d7363616e6e6572076578616d706c65036e657400",
        "CDS 1 5359 cds-scanner.example.net."},
    // RFC 9540 6: an empty value
    {"HTTPS", "1 . ohttp", "00010000080000", "1 . key8"},
    // RFC 9461 5.1
    {"SVCB", "1 . alpn=h2 dohpath=/q{?dns}",
        "0001000001000302683200070008"
        "2f717b3f646e737d",
        "1 . alpn=\"h2\" key7=\"/q{?dns}\""},
    // RFC 3597 5, RFC 9460 D.1: key order of the wire, not of the text
    {"SVCB", "1 . port=53 mandatory=port",
        "0001000000000200030003000200"
        "35",
        "1 . mandatory=port port=53"},
};

static void newer_types_follow_their_rfcs(void **state)
{
	static uint8_t want[RDATA_LEN_MAX];

	for (size_t i = 0; i < COUNT(newer); i++) {
		size_t len = hex_to_bytes(newer[i].wire, want);

		assert_int_equal(scan(type_of(newer[i].type), newer[i].text, wire), len);
		assert_memory_equal(wire, want, len);
		assert_int_equal(
		    rdata_to_text(type_of(newer[i].type), want, len, text, sizeof(text)),
		    strlen(newer[i].print));
		assert_string_equal(text, newer[i].print);
	}
}

static const struct {
	uint16_t type;
	const char *wire; // hex
} lies[] = {
    {RRTYPE_A, "010203"},
    {RRTYPE_A, "0102030405"},
    {RRTYPE_NS, "c000"},
    {RRTYPE_NS, "0161"},
    {RRTYPE_NS, "00ff"},
    {RRTYPE_TXT, ""},
    {RRTYPE_TXT, "0261"},
    {RRTYPE_TXT, "016102"},
    {RRTYPE_SVCB, "0001000001"},
    {RRTYPE_SVCB, "000100000300020035"
                  "0003000200"
                  "35"}, // a key twice
    {RRTYPE_SVCB, "0001000003000200350001000302"
                  "6832"}, // keys descending
    {RRTYPE_SVCB, "00010000"
                  "0003ffff0035"}, // a length past the end
    {RRTYPE_SVCB, "00010000"
                  "fffefffcffff"
                  "0000"}, // lengths that wrap in 16 bits
    {RRTYPE_SVCB, "00010000"
                  "000000020003"}, // mandatory key absent
    {RRTYPE_SVCB, "00010000"
                  "000000040003000300030002"
                  "0035"}, // mandatory key twice
    {RRTYPE_SVCB, "00010000"
                  "00020000"}, // no-default-alpn without alpn
    {RRTYPE_SVCB, "00010000"
                  "00010003030000"}, // alpn length lie
    {RRTYPE_SVCB, "00010000"
                  "00040003010203"}, // ipv4hint of 3 bytes
    {RRTYPE_APL, "000120050102030405"},
    {RRTYPE_APL, "0001210401020304"},
    {RRTYPE_APL, "000120ff01"},
    {RRTYPE_NSEC, "00"
                  "000100"},
    {RRTYPE_NSEC, "00"
                  "00014000014"
                  "0"},
    {RRTYPE_NSEC, "00"
                  "002101010101010101010101010101010101010101010101010101010101010101010101"},
    {RRTYPE_NSEC, "00"
                  "010140000140"},
    {RRTYPE_NSEC3, "0100000001"},
    {RRTYPE_HIP, "ff02ffff00"},
    {RRTYPE_IPSECKEY, "0a0102c00002"},
    {RRTYPE_CAA, "00ff61"},
    {RRTYPE_SOA, "000000000001000000020000000300000004000000"},
    {RRTYPE_LOC, "00"},
    {RRTYPE_EUI48, "0102030405"},
    {RRTYPE_RRSIG, "000108020000000100000001000000010001"},
};

static void lengths_that_lie_are_refused(void **state)
{
	for (size_t i = 0; i < COUNT(lies); i++) {
		size_t len = hex_to_bytes(lies[i].wire, wire);
		uint8_t *exact = malloc(len > 0 ? len : 1); // the sanitizer sees a byte too many

		assert_non_null(exact);
		memcpy(exact, wire, len);
		if (rdata_valid(lies[i].type, exact, len))
			fail_msg("valid: type %u %s", lies[i].type, lies[i].wire);
		free(exact);
	}
	assert_true(rdata_valid(65280, NULL, 0));
}

static void compressed_names_are_expanded(void **state)
{
	// At 12: example.com. (13 bytes); at 25: rdata.
	static const uint8_t start[] = "\0\0\0\0\0\0\0\0\0\0\0\0\7example\3com";
	static const struct {
		uint16_t type;
		const char *rdata;
		int ret;
		const char *out;
	} cases[] = {
	    {RRTYPE_NS, "c00c", 13, "076578616d706c6503636f6d00"},
	    {RRTYPE_MX, "000a046d61696cc00c", 20, "000a046d61696c076578616d706c6503636f6d00"},
	    {RRTYPE_SRV, "000100020003c014", 11, "00010002000303636f6d00"},
	    {RRTYPE_SOA,
	        "c00cc01400000001000000020000000300000004"
	        "00000005",
	        38,
	        "076578616d706c6503636f6d0003636f6d00"
	        "0000000100000002000000030000000400000005"},
	    {RRTYPE_NS, "c019", -EINVAL, ""},     // itself
	    {RRTYPE_NS, "c01a", -EINVAL, ""},     // forward
	    {RRTYPE_NS, "0161c019", -EINVAL, ""}, // a loop
	    {RRTYPE_NS, "c000", -EINVAL, ""},     // the id, which might pass for a name
	    {RRTYPE_NS, "c00b", -EINVAL, ""},     // the header's last byte
	    {RRTYPE_NS, "c0", -EINVAL, ""},
	    {RRTYPE_NS, "c00c00", -EINVAL, ""}, // bytes left over
	    {RRTYPE_NS, "8001", -EINVAL, ""},
	    {RRTYPE_NSEC, "c00c000140", -EINVAL, ""}, // types since RFC 3597 are not compressed
	    {RRTYPE_SVCB, "0001c00c", -EINVAL, ""},
	    {RRTYPE_RRSIG,
	        "00010802000000010000000100000001"
	        "0001c00c01",
	        -EINVAL, ""},
	    {65280, "c00c", 2, "c00c"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		uint8_t msg[512], want[512];
		size_t offset = sizeof(start);

		memcpy(msg, start, sizeof(start));

		size_t rdlen = hex_to_bytes(cases[i].rdata, msg + offset);
		int ret = rdata_from_wire(
		    cases[i].type, msg, offset + rdlen, offset, rdlen, wire, sizeof(wire));

		assert_int_equal(ret, cases[i].ret);
		if (ret < 0)
			continue;
		assert_int_equal(hex_to_bytes(cases[i].out, want), ret);
		assert_memory_equal(wire, want, (size_t)ret);
		assert_int_equal(rdata_from_wire(cases[i].type, msg, offset + rdlen, offset, rdlen,
		                     wire, (size_t)ret - 1),
		    -EINVAL);
	}
}

static void names_inside_are_found(void **state)
{
	struct rdata_name names[RDATA_NAMES_MAX];

	assert_int_equal(rdata_names(RRTYPE_MX, (const uint8_t *)"\0\1\1a", 5, names), 1);
	assert_int_equal(names[0].offset, 2);
	assert_int_equal(names[0].len, 3);
	assert_true(names[0].compressible && names[0].additional);

	int len = scan(RRTYPE_SOA, "a. bc. 1 2 3 4 5", wire);

	assert_int_equal(rdata_names(RRTYPE_SOA, wire, (size_t)len, names), 2);
	assert_int_equal(names[1].offset, 3);
	assert_int_equal(names[1].len, 4);
	assert_true(names[1].compressible && !names[1].additional);
	len = scan(RRTYPE_SRV, "1 2 3 a.", wire);
	assert_int_equal(rdata_names(RRTYPE_SRV, wire, (size_t)len, names), 1);
	assert_true(!names[0].compressible && names[0].additional);
	len = scan(RRTYPE_HTTPS, "1 a. port=1", wire);
	assert_int_equal(rdata_names(RRTYPE_HTTPS, wire, (size_t)len, names), 1);
	assert_true(!names[0].compressible && names[0].additional);
	len = scan(RRTYPE_NAPTR, "1 2 \"a\" \"b\" \"c\" d.", wire);
	assert_int_equal(rdata_names(RRTYPE_NAPTR, wire, (size_t)len, names), 1);
	assert_int_equal(names[0].offset, 10);
	assert_int_equal(rdata_names(RRTYPE_TXT, (const uint8_t *)"\1a", 2, names), 0);
	assert_int_equal(rdata_names(RRTYPE_HIP, wire, 0, names), 0);
}

// RFC 4034 6.2 as RFC 6840 5.1 corrects it.
static const struct {
	const char *type, *from, *to;
} canonical[] = {
    {"NS", "A.Example.", "a.example."},
    {"MX", "1 Mail.EXAMPLE.", "1 mail.example."},
    {"SRV", "1 2 3 A.", "1 2 3 a."},
    {"RRSIG", "A 8 2 3600 20300101000000 20300101000000 1 Signer. AQID",
        "A 8 2 3600 20300101000000 20300101000000 1 signer. AQID"},
    {"NSEC", "Next.Example. A NS", "Next.Example. A NS"},
    {"TXT", "\"ABC\"", "\"ABC\""},
    {"HINFO", "\"ABC\" \"DEF\"", "\"ABC\" \"DEF\""},
    {"SVCB", "1 Target.", "1 Target."},
    {"A6", "64 ::1 Foo.", "64 ::1 foo."},
    {"NAPTR", "1 2 \"S\" \"X\" \"\" Foo.", "1 2 \"S\" \"X\" \"\" foo."},
};

static void canonical_form_lowers_the_old_types(void **state)
{
	for (size_t i = 0; i < COUNT(canonical); i++) {
		uint16_t type = type_of(canonical[i].type);
		int len = scan(type, canonical[i].from, wire);

		assert_true(len > 0);
		rdata_canonical(type, wire, (size_t)len);
		assert_int_equal(scan(type, canonical[i].to, wire_again), len);
		assert_memory_equal(wire, wire_again, (size_t)len);
	}
}

static void the_longest_texts_fit(void **state)
{
	// An NSEC that names all types, and the root before it.
	size_t len = 1;

	wire[0] = 0;
	for (unsigned window = 0; window < 256; window++) {
		wire[len++] = (uint8_t)window;
		wire[len++] = 32;
		memset(wire + len, 0xff, 32);
		len += 32;
	}
	assert_true(rdata_valid(RRTYPE_NSEC, wire, len));

	int text_len = rdata_to_text(RRTYPE_NSEC, wire, len, text, sizeof(text));

	assert_true(text_len > 600000);
	assert_int_equal(rdata_to_text(RRTYPE_NSEC, wire, len, text, (size_t)text_len), -ENOSPC);
	assert_int_equal(
	    rdata_to_text(RRTYPE_NSEC, wire, len, text, (size_t)text_len + 1), text_len);
	memset(wire, 255, sizeof(wire)); // 255 strings of 255 unprintable bytes, and what is left
	wire[65280] = 254;
	assert_true(rdata_valid(RRTYPE_TXT, wire, 65535));
	text_len = rdata_to_text(RRTYPE_TXT, wire, 65535, text, sizeof(text));
	assert_true(text_len > 0);
	assert_int_equal(
	    rdata_from_text(RRTYPE_TXT, text, (size_t)text_len, NULL, wire_again), 65535);
	assert_memory_equal(wire, wire_again, 65535);
}

static uint64_t seed = 0x2545f4914f6cdd1d;

static unsigned random_below(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

// One small change: a byte, a bit, a cut, a repeated piece. Returns the new length.
static size_t mutate(uint8_t *bytes, size_t len, size_t cap)
{
	size_t at = len > 0 ? random_below((unsigned)len) : 0;

	switch (random_below(6)) {
	case 0:
		if (len > 0)
			bytes[at] ^= (uint8_t)(1u << random_below(8));
		return len;
	case 1:
		if (len > 0)
			bytes[at] = (uint8_t)random_below(256);
		return len;
	case 2:
		if (len > 0)
			bytes[at] = random_below(2) ? 0 : 255;
		return len;
	case 3:
		return at;
	case 4:
		if (len < cap) {
			memmove(bytes + at + 1, bytes + at, len - at);
			bytes[at] = (uint8_t)random_below(64);
			len++;
		}
		return len;
	default:
		if (len > 0) {
			memmove(bytes + at, bytes + at + 1, len - at - 1);
			len--;
		}
		return len;
	}
}

// Bits that text cannot show: those of an A6 prefix, zeros that end a WKS.
static bool text_loses_bits(uint16_t type)
{
	return type == RRTYPE_A6 || type == RRTYPE_WKS;
}

static void mutated_check(uint16_t type, const uint8_t *bytes, size_t len)
{
	static char text_again[RDATA_TEXT_MAX];
	struct rdata_name names[RDATA_NAMES_MAX];
	static uint8_t msg[RDATA_LEN_MAX + 12];

	memset(msg, 0, 12);
	memcpy(msg + 12, bytes, len);

	int expanded = rdata_from_wire(type, msg, len + 12, 12, len, wire, sizeof(wire));

	if (expanded >= 0)
		assert_true(rdata_valid(type, wire, (size_t)expanded));
	if (!rdata_valid(type, bytes, len))
		return;
	assert_int_equal(expanded, len);
	for (unsigned i = rdata_names(type, bytes, len, names); i-- > 0;)
		assert_int_equal(
		    name_len_checked(bytes + names[i].offset, names[i].len), names[i].len);
	memcpy(wire, bytes, len);
	rdata_canonical(type, wire, len);
	assert_true(rdata_valid(type, wire, len));

	int text_len = rdata_to_text(type, bytes, len, text, sizeof(text));

	assert_true(text_len >= 0);

	int again = rdata_from_text(type, text, (size_t)text_len, NULL, wire_again);

	if (again < 0)
		fail_msg("type %u does not read its own text: %s", type, text);
	if (!text_loses_bits(type)) {
		assert_int_equal(again, len);
		assert_memory_equal(wire_again, bytes, len);
	}
	assert_int_equal(
	    rdata_to_text(type, wire_again, (size_t)again, text_again, sizeof(text_again)),
	    text_len);
	assert_string_equal(text_again, text);
}

static void mutations_are_refused_or_survive_the_round_trip(void **state)
{
	static uint8_t scratch[RDATA_LEN_MAX];

	for (unsigned round = 0; round < 200; round++) {
		for (size_t i = 0; i < COUNT(rdata_cases); i++) {
			size_t len = hex_to_bytes(rdata_cases[i].wire, scratch);

			for (unsigned n = 1 + random_below(3); n > 0; n--)
				len = mutate(scratch, len, 2000);

			uint8_t *exact = malloc(len > 0 ? len : 1);

			assert_non_null(exact);
			memcpy(exact, scratch, len);
			mutated_check(type_of(rdata_cases[i].type), exact, len);
			free(exact);
		}
	}
}

static void mutated_text_never_makes_malformed_data(void **state)
{
	for (unsigned round = 0; round < 100; round++) {
		for (size_t i = 0; i < COUNT(rdata_cases); i++) {
			uint16_t type = type_of(rdata_cases[i].type);
			size_t len = strlen(rdata_cases[i].text);

			memcpy(text, rdata_cases[i].text, len);
			for (unsigned n = 1 + random_below(3); n > 0; n--)
				len = mutate((uint8_t *)text, len, 2000);

			int got = rdata_from_text(type, text, len, (const uint8_t *)"\1o", wire);

			if (got >= 0)
				assert_true(rdata_valid(type, wire, (size_t)got));
			else
				assert_int_equal(got, -EINVAL);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_becomes_the_bytes_bind_makes),
	    cmocka_unit_test(bytes_become_the_text_bind_prints),
	    cmocka_unit_test(what_bind_refuses_is_refused),
	    cmocka_unit_test(newer_types_follow_their_rfcs),
	    cmocka_unit_test(lengths_that_lie_are_refused),
	    cmocka_unit_test(compressed_names_are_expanded),
	    cmocka_unit_test(names_inside_are_found),
	    cmocka_unit_test(canonical_form_lowers_the_old_types),
	    cmocka_unit_test(the_longest_texts_fit),
	    cmocka_unit_test(mutations_are_refused_or_survive_the_round_trip),
	    cmocka_unit_test(mutated_text_never_makes_malformed_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
