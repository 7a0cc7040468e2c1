// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See load_check.h.

#include "load_check.h"

#include <string.h>

#include "checksum.h"

#define ETH_LEN 14
#define IP4_LEN 20
#define UDP_LEN 8
#define DNS_LEN 12

enum { RCODE_NOERROR = 0, RCODE_NXDOMAIN = 3, RCODE_REFUSED = 5 };

static const char *const fault_words[] = {
#define X(id, word, text) word,
    LOAD_FAULTS(X)
#undef X
};

const char *load_fault_word(enum load_fault fault)
{
	return fault_words[fault];
}

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static enum load_fault check_udp(const uint8_t *frame, size_t udp_off, size_t udp_len)
{
	const uint8_t *udp = frame + udp_off;
	size_t addresses = udp_off == ETH_LEN + IP4_LEN ? 8 : 32;
	uint8_t pseudo[4] = {0, 17, udp[4], udp[5]};
	uint64_t sum = checksum_sum(udp - addresses, addresses, 0);

	if (udp[6] == 0 && udp[7] == 0)
		return FAULT_UDP_CHECKSUM;
	sum = checksum_sum(pseudo, sizeof pseudo, sum);
	sum = checksum_sum(udp, udp_len, sum);
	return checksum_fold(sum) == 0xffff ? FAULT_NONE : FAULT_UDP_CHECKSUM;
}

// Pre: at least the query's headers are in the frame. Post: the UDP length in *udp_len.
static enum load_fault check_frame(
    const uint8_t *frame, size_t len, const struct load_template *t, size_t *udp_len)
{
	const uint8_t *ip = frame + ETH_LEN;
	const uint8_t *asked = t->frame + ETH_LEN;
	const uint8_t *udp = frame + t->udp_off;

	*udp_len = get16(udp + 4);
	if (memcmp(frame + 12, t->frame + 12, 2) != 0 || *udp_len < UDP_LEN + DNS_LEN ||
	    t->udp_off + *udp_len > len)
		return FAULT_FRAME;
	if (memcmp(frame, t->frame + 6, 6) != 0)
		return FAULT_ADDRESS;
	if (t->udp_off == ETH_LEN + IP4_LEN) {
		if (ip[0] != 0x45 || ip[9] != 17 || get16(ip + 2) != IP4_LEN + *udp_len)
			return FAULT_FRAME;
		if (memcmp(ip + 12, asked + 16, 4) != 0 || memcmp(ip + 16, asked + 12, 4) != 0)
			return FAULT_ADDRESS;
		if (checksum_fold(checksum_sum(ip, IP4_LEN, 0)) != 0xffff)
			return FAULT_IP_CHECKSUM;
	} else {
		if (ip[0] >> 4 != 6 || ip[6] != 17 || get16(ip + 4) != *udp_len)
			return FAULT_FRAME;
		if (memcmp(ip + 8, asked + 24, 16) != 0 || memcmp(ip + 24, asked + 8, 16) != 0)
			return FAULT_ADDRESS;
	}
	return check_udp(frame, t->udp_off, *udp_len);
}

static enum load_fault check_shape(const uint8_t *dns, enum load_expect expect)
{
	unsigned rcode = dns[3] & 15u;
	unsigned answers = get16(dns + 6);
	unsigned authority = get16(dns + 8);
	bool aa = (dns[2] & 4) != 0;
	bool tc = (dns[2] & 2) != 0;
	unsigned want = expect == EXPECT_NXDOMAIN  ? RCODE_NXDOMAIN
	                : expect == EXPECT_REFUSED ? RCODE_REFUSED
	                                           : RCODE_NOERROR;
	bool good = true;

	if (expect == EXPECT_ANY)
		return FAULT_NONE;
	if (rcode != want)
		return FAULT_RCODE;
	if (tc) // what was left out is not counted here
		return FAULT_NONE;
	switch (expect) {
	case EXPECT_ANSWER:
		good = aa && answers > 0;
		break;
	case EXPECT_REFERRAL:
		good = !aa && answers == 0 && authority > 0;
		break;
	case EXPECT_NODATA:
		good = aa && answers == 0 && authority > 0;
		break;
	case EXPECT_NXDOMAIN:
		good = aa && authority > 0;
		break;
	case EXPECT_REFUSED:
		good = !aa && answers == 0 && authority == 0;
		break;
	default:
		break;
	}
	return good ? FAULT_NONE : FAULT_COUNTS;
}

enum load_fault load_check_reply(
    const uint8_t *frame, size_t len, const struct load_template *t, uint32_t slot)
{
	const uint8_t *udp = frame + t->udp_off;
	const uint8_t *dns = udp + UDP_LEN;
	const uint8_t *asked = t->frame + t->udp_off + UDP_LEN;
	uint16_t id = (uint16_t)slot;
	enum load_fault fault;
	size_t udp_len;

	if (len < (size_t)t->udp_off + UDP_LEN + DNS_LEN)
		return FAULT_FRAME;
	fault = check_frame(frame, len, t, &udp_len);
	if (fault != FAULT_NONE)
		return fault;
	if (memcmp(dns, &id, 2) != 0 || get16(udp + 2) != (t->port | slot >> 16) ||
	    memcmp(udp, t->frame + t->udp_off + 2, 2) != 0)
		return FAULT_ID;
	// QR set; opcode and RD as asked; Z clear (RFC 1035 4.1.1).
	if ((dns[2] & 0xf9) != (0x80 | (asked[2] & 0x79)) || (dns[3] & 0x40) != 0)
		return FAULT_HEADER;
	if (get16(dns + 4) != 1 || udp_len < UDP_LEN + DNS_LEN + (size_t)t->question_len ||
	    memcmp(dns + DNS_LEN, asked + DNS_LEN, t->question_len) != 0)
		return FAULT_QUESTION;
	if (asked[11] != 0 && get16(dns + 10) == 0)
		return FAULT_EDNS; // RFC 6891 6.1.1: an OPT is answered by an OPT
	return check_shape(dns, (enum load_expect)t->expect);
}

enum load_fault load_check_echo(
    const uint8_t *frame, size_t len, const struct load_template *t, uint32_t slot)
{
	uint8_t sent[LOAD_FRAME_MAX];

	if (len < t->len)
		return FAULT_FRAME;
	memcpy(sent, t->frame, t->len);
	load_frame_mark(sent, t, slot);
	if (memcmp(frame, t->frame + 6, 6) != 0 || memcmp(frame + 6, t->frame, 6) != 0)
		return FAULT_ADDRESS;
	return memcmp(frame + 12, sent + 12, t->len - 12u) == 0 ? FAULT_NONE : FAULT_ECHO;
}
