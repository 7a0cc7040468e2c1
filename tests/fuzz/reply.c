// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The whole way of a packet as the worker goes it: frame, classification, DNS, reply frame, in one
// buffer as large as an mbuf's; and the reply frame taken apart again by code that shares nothing
// with the one under test. The first three bytes choose; then comes a frame as it is, or (bit 0)
// what question.c makes a query of, or (bit 1) a message, around which a right frame is put; or
// (bit 7 of the third) several questions, which the worker has in one burst. Where an OPT ends a
// message a cookie may be put into it.

#include <arpa/inet.h>

#include "ask.h"
#include "checksum.h"
#include "cursor.h"
#include "dns_cookie.h"
#include "frame_answer.h"
#include "must.h"
#include "question.h"
#include "reply.h"
#include "zoo.h"

#define BUFFER_LEN 2048 // of an mbuf, headroom left aside

enum {
	MAKE_QUESTION = 0x01,
	MAKE_FRAME = 0x02,
	USE_IPV6 = 0x04,
	USE_VLAN = 0x08,
	NO_CHECKSUM = 0x10, // IPv4: none; IPv6: as it is
	USE_PARTIAL = 0x20, // the sum of the pseudo-header
	MEND = 0x40,        // of a frame as it is: mend the IPv4 header's checksum, clear UDP's
	SAY_LESS = 0x80,    // of one that was made: UDP and IP say that they are shorter
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t served4[4] = {198, 51, 100, 53}, client4[4] = {192, 0, 2, 200};
static const uint8_t served6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x53};
static const uint8_t client6[16] = {0x20, 0x01, 0x0d, 0xb8, [14] = 1, [15] = 1};

static const struct frame_rules *rules_of(unsigned choice)
{
	static struct frame_rules rules[4]; // bit 0: tagged, bit 1: partial checksums accepted

	if (rules[0].served.count == 0) {
		struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(53)};
		struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(53)};

		memcpy(&in.sin_addr, served4, 4);
		memcpy(&in6.sin6_addr, served6, 16);
		for (unsigned i = 0; i < 4; i++) {
			must(frame_served_add(&rules[i].served, (void *)&in) == 0);
			must(frame_served_add(&rules[i].served, (void *)&in6) == 0);
			rules[i].vlan = (i & 1) != 0 ? 100 : 0;
			rules[i].accept_partial = (i & 2) != 0;
		}
	}
	return &rules[((choice & USE_VLAN) != 0 ? 1 : 0) | ((choice & USE_PARTIAL) != 0 ? 2 : 0)];
}

static void put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static unsigned u16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

// The sum of pseudo-header and UDP packet (RFC 768, RFC 8200 8.1), the checksum field included.
static unsigned udp_sum(const uint8_t *ip, const uint8_t *udp, size_t len)
{
	const bool v4 = ip[0] >> 4 == 4;
	uint64_t sum = v4 ? reply_sum(ip + 12, 8) : reply_sum(ip + 8, 32);

	sum += 17 + len + reply_sum(udp, len);
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (unsigned)sum;
}

// A right frame around a message. Post: its length.
static size_t frame_make(
    uint8_t *out, unsigned choice, unsigned port, const uint8_t *msg, size_t msg_len)
{
	const bool v6 = (choice & USE_IPV6) != 0;
	uint8_t *at = out;

	memcpy(at, "\2\0\0\0\0\1\2\0\0\0\0\2", 12);
	at += 12;
	if ((choice & USE_VLAN) != 0) {
		memcpy(at, "\x81\0\0\x64", 4);
		at += 4;
	}
	put16(at, v6 ? 0x86dd : 0x0800);
	at += 2;
	uint8_t *ip = at, *udp = at + (v6 ? 40 : 20);
	memset(ip, 0, (size_t)(udp - ip) + 8);
	if (v6) {
		ip[0] = 0x60;
		put16(ip + 4, (unsigned)msg_len + 8);
		ip[6] = 17;
		ip[7] = 64;
		memcpy(ip + 8, client6, 16);
		memcpy(ip + 24, served6, 16);
	} else {
		ip[0] = 0x45;
		put16(ip + 2, (unsigned)msg_len + 28);
		ip[8] = 64;
		ip[9] = 17;
		memcpy(ip + 12, client4, 4);
		memcpy(ip + 16, served4, 4);
		put16(ip + 10, 0xffffu - reply_sum(ip, 20));
	}
	put16(udp, port);
	put16(udp + 2, 53);
	put16(udp + 4, (unsigned)msg_len + 8);
	memcpy(udp + 8, msg, msg_len);
	if ((choice & USE_PARTIAL) != 0) {
		uint64_t sum =
		    (v6 ? reply_sum(ip + 8, 32) : reply_sum(ip + 12, 8)) + 17 + msg_len + 8;
		put16(udp + 6, (unsigned)(sum % 0xffff != 0 ? sum % 0xffff : 0xffff));
	} else if ((choice & NO_CHECKSUM) == 0) {
		const unsigned sum = 0xffffu - udp_sum(ip, udp, msg_len + 8);
		put16(udp + 6, sum != 0 ? sum : 0xffff);
	}
	return (size_t)(udp - out) + 8 + msg_len;
}

static void frame_mend(uint8_t *frame, size_t len)
{
	const size_t ip = u16(frame + 12) == 0x8100 ? 18 : 14;

	if (len < ip + 28 || u16(frame + ip - 2) != 0x0800)
		return;
	put16(frame + ip + 10, 0);
	put16(frame + ip + 10, 0xffffu - reply_sum(frame + ip, 20));
	put16(frame + ip + 26, 0);
}

// Pre: the frame was made so. What is behind the packet's end stays.
static void frame_say(uint8_t *frame, unsigned choice, unsigned udp_len)
{
	uint8_t *ip = frame + ((choice & USE_VLAN) != 0 ? 18 : 14);
	const bool v6 = (choice & USE_IPV6) != 0;

	put16(ip + (v6 ? 4 : 2), v6 ? udp_len : 20 + udp_len);
	put16(ip + (v6 ? 40 : 20) + 4, udp_len);
	if (!v6) {
		put16(ip + 10, 0);
		put16(ip + 10, 0xffffu - reply_sum(ip, 20));
		put16(ip + 26, 0);
	}
}

// Everything around the reply's message.
static void frame_judge(const uint8_t *query, const uint8_t *reply, size_t len,
    const struct frame *frame, size_t dns_len)
{
	const bool v4 = frame->version == 4;
	const uint8_t *q = query + frame->ip_off, *r = reply + frame->ip_off;
	const size_t address = v4 ? 4 : 16, from = v4 ? 12 : 8;
	const uint8_t *udp = reply + frame->udp_off, *udp_query = query + frame->udp_off;
	const size_t end = frame->dns_off + dns_len;

	must(len == (end < 60 ? 60 : end));
	for (size_t i = end; i < len; i++)
		must(reply[i] == 0);
	must(memcmp(reply, query + 6, 6) == 0 && memcmp(reply + 6, query, 6) == 0);
	must(memcmp(reply + 12, query + 12, frame->ip_off - 12u) == 0); // the tag, the ethertype
	must(memcmp(r + from, q + from + address, address) == 0);
	must(memcmp(r + from + address, q + from, address) == 0);
	if (v4) {
		must(r[0] == 0x45 && u16(r + 2) == 28 + dns_len && r[9] == 17);
		must((u16(r + 6) & 0x3fff) == 0); // no fragment
		must(r[8] >= 32);
		must(reply_sum(r, 20) == 0xffff);
	} else {
		must(r[0] >> 4 == 6 && u16(r + 4) == 8 + dns_len && r[6] == 17);
		must(r[7] >= 32);
	}
	must(memcmp(udp, udp_query + 2, 2) == 0 && memcmp(udp + 2, udp_query, 2) == 0);
	must(u16(udp + 4) == 8 + dns_len);
	must(u16(udp + 6) != 0);
	must(udp_sum(r, udp, 8 + dns_len) == 0xffff);
}

// The question for the name above goes before it in the burst, which remembers its zone; where it
// goes there twice, that is the zone which all ask for.
static void answer_above(struct frame_answering *at_hand, const struct ask *ask)
{
	static uint8_t msg[BUFFER_LEN], buffer[BUFFER_LEN + QUESTION_MAX];
	struct frame_slot slot = {.bytes = buffer};
	const unsigned label = ask->len > 12 ? ask->msg[12] : 0;

	if (label == 0 || label > 63 || ask->len < 13 + label)
		return;
	memset(buffer, 0xa5, sizeof(buffer));
	memcpy(msg, ask->msg, 12);
	memcpy(msg + 12, ask->msg + 13 + label, ask->len - 13 - label);
	slot.len = frame_make(
	    buffer, (ask->msg[1] & 1) != 0 ? USE_IPV6 : 0, 40000, msg, ask->len - 1 - label);
	struct frame own;

	if (frame_answer(at_hand, &slot, 1) == 0)
		(void)frame_answer_leave(at_hand, buffer, slot.len, &own);
}

// How the worker meets a frame. SECOND: near, and not as the first of its burst; of a burst: each
// waits, and memory is near.
enum meeting { NEAR, SECOND, FAR };

// Answers the frame of `len` bytes in `buffer` as the worker does. `frame`: what frame_classify()
// has found it to be.
static void answer(uint8_t *buffer, size_t len, const struct frame_rules *rules,
    const struct frame *frame, const struct ask *ask, enum meeting how, const uint8_t *original)
{
	static uint8_t expected[DNS_TCP_MAX];
	uint16_t expected_len = 0;
	struct dns_counters counters = {0};
	const struct dns_context context = {
	    .server = ask->server, .table = ask->table, .now = ASK_NOW, .counters = &counters};
	const enum dns_verdict verdict = ask_all(ask, expected, &expected_len);
	static struct frame_answering at_hand;
	enum frame_verdict found;
	struct dns_query query;
	struct frame own;
	uint8_t live;

	memset(&query, 0xa5, sizeof(query));
	query.render_only = false;
	frame_answer_begin(&at_hand, rules, &context, &query,
	    ask->cap + (frame->version == 6 ? FRAME_CAP_LESS6 : 0u));

	at_hand.dns.far = how == FAR;
	at_hand.dns.at_once = how != FAR;
	for (unsigned i = 0; how == SECOND && i <= ask->len % 2; i++)
		answer_above(&at_hand, ask);

	struct frame_slot slot = {buffer, len};
	size_t n = frame_answer(&at_hand, &slot, 1) != 0 ? slot.len : 0;

	must(n == 0 || how != FAR);
	if (frame_answer_burst(&at_hand) != 0) {
		must(n == 0);
		n = frame_answer_waited(&at_hand, 0) != 0 ? slot.len : 0;
	}
	frame_answer_end(&at_hand);
	if (n == 0) {
		found = frame_answer_leave(&at_hand, buffer, len, &own);
		must(found == FRAME_DNS && own.dns_off == frame->dns_off &&
		     own.dns_len == frame->dns_len && own.version == frame->version);
		if (dns_parse_burst(&context, &query, 1, &live) == 1)
			dns_match(&context, &query);
		if (query.verdict == DNS_REPLY)
			dns_emit(&context, &query);
		must(query.verdict == verdict);
		if (verdict != DNS_REPLY)
			return;
		must(query.len == expected_len);
		len = frame_reply(buffer, &own, query.len, query.sum);
		must(counters.outcome[query.outcome] == 1 || how == SECOND);
	} else {
		len = n;
		must(counters.compiled >= 1 && counters.compiled <= (how == SECOND ? 3 : 1));
	}
	must(verdict == DNS_REPLY);
	must(memcmp(buffer + frame->dns_off, expected, expected_len) == 0);
	frame_judge(original, buffer, len, frame, expected_len);
}

// The plain way leaves it, and finds it to be the same. It may read a little more than there is.
static void leave(const uint8_t *original, size_t len, const struct frame_rules *rules,
    enum frame_verdict verdict, const struct ask *ask)
{
	const size_t room = (len > PLAIN_READ ? len : PLAIN_READ) + WIDE;
	struct dns_counters counters = {0};
	const struct dns_context context = {
	    .server = ask->server, .table = ask->table, .now = ASK_NOW, .counters = &counters};
	static struct frame_answering at_hand;
	struct dns_query query;
	struct frame own;
	uint8_t *buffer = malloc(room);

	must(buffer != NULL);
	memset(buffer, 0xa5, room);
	memcpy(buffer, original, len);
	for (unsigned near = 0; near < 2; near++) {
		struct frame_slot slot = {buffer, len};

		frame_answer_begin(&at_hand, rules, &context, &query, 1500 - 28);
		at_hand.dns.far = near == 0;
		at_hand.dns.at_once = near != 0;
		must(frame_answer(&at_hand, &slot, 1) == 0 && at_hand.queue.count == 0);
		must(frame_answer_leave(&at_hand, buffer, len, &own) == verdict);
	}
	free(buffer);
}

// --- cookies
// -----------------------------------------------------------------------------------------

// Of the third byte.
enum {
	MORE_SETS = 0x01, // four further
	COOKIE_KIND = 0x0e,
	FILL_BURST = 0x40, // to the last place
	MAKE_BURST = 0x80,
};
// Lengths are those of the option.
enum {
	COOKIE_NONE,
	COOKIE_CLIENT,
	COOKIE_GOOD,
	COOKIE_BAD,
	COOKIE_RENEW,
	COOKIE_OLD,
	COOKIE_LENGTH
};

// Puts a cookie of that kind into an OPT without options that ends the message, as the client would
// have it from `server`. Pre: room for EDNS_OPTION_LEN + COOKIE_LEN_MAX more. Post: the length.
static size_t cookie_put(uint8_t *msg, size_t len, unsigned kind, const struct dns_server *server,
    const uint8_t *client, unsigned client_len)
{
	static const uint32_t age[] = {
	    [COOKIE_GOOD] = 0, [COOKIE_BAD] = 0, [COOKIE_RENEW] = 2000, [COOKIE_OLD] = 4000};
	const uint8_t client_cookie[COOKIE_CLIENT_LEN] = {1, 2, 3, 4, 5, 6, 7, (uint8_t)len};
	const struct dns_context context = {
	    .server = server, .now = ASK_NOW - (kind <= COOKIE_OLD ? age[kind] : 0)};
	uint8_t cookie[COOKIE_LEN_MAX] = {0};
	size_t n = COOKIE_CLIENT_LEN;

	if (kind == COOKIE_NONE || kind > COOKIE_LENGTH || server->cookie_secret_count == 0 ||
	    len < 12 + 5 + 11 || u16(msg + 10) != 1 || memcmp(msg + len - 11, "\0\0\x29", 3) != 0 ||
	    u16(msg + len - 2) != 0)
		return len;
	memcpy(cookie, client_cookie, COOKIE_CLIENT_LEN);
	if (kind >= COOKIE_GOOD && kind <= COOKIE_OLD) {
		must(dns_cookie_make(&context, client, client_len, client_cookie, COOKIE_CLIENT_LEN,
		         cookie) == DNS_COOKIE_client);
		n = DNS_COOKIE_LEN;
		cookie[n - 1] ^= kind == COOKIE_BAD;
	} else if (kind == COOKIE_LENGTH) {
		n = len % (COOKIE_LEN_MAX + 1);
	}
	put16(msg + len - 2, 4 + (unsigned)n);
	put16(msg + len, 10);
	put16(msg + len + 2, (unsigned)n);
	memcpy(msg + len + 4, cookie, n);
	return len + 4 + n;
}

// --- bursts
// ------------------------------------------------------------------------------------------

#define BURST_MADE 8             // of different packets; the rest repeats them
#define BURST_MAX  DNS_BURST_MAX // as the worker's

struct packet {
	uint8_t original[BUFFER_LEN + QUESTION_MAX], buffer[BUFFER_LEN];
	size_t len;
	struct frame frame;
	uint8_t expected[BUFFER_LEN];
	uint16_t expected_len;
	enum dns_verdict verdict;
	int job; // its query among those left to the stages; -1: none
};

static struct packet packets[BURST_MAX];

// The i-th packet: the question in the next few bytes, in a frame; and what the stages say to it.
// Post: false: it is none that has a reply frame.
static bool packet_make(struct packet *p, unsigned choice, unsigned kind, struct cursor *c,
    const struct frame_rules *rules, struct ask ask)
{
	static uint8_t made[QUESTION_MAX], reply[DNS_TCP_MAX];
	const unsigned how = cursor_u8(c);
	uint8_t some[12];
	struct cursor one = {some, cursor_bytes(c, some, sizeof(some))};
	const bool ip6 = (how & 1) != 0;
	size_t n = question_make(&one, NULL, made);

	n = cookie_put(made, n, (how & 2) != 0 ? kind : COOKIE_NONE, ask.server,
	    ip6 ? client6 : client4, ip6 ? 16 : 4);
	if (n > BUFFER_LEN - FRAME_HEADERS_MAX)
		return false;
	p->len =
	    frame_make(p->original, (choice & ~USE_IPV6) | (ip6 ? USE_IPV6 : 0u), 40000, made, n);
	if (frame_classify(p->original, p->len, rules, &p->frame) != FRAME_DNS)
		return false;
	ask.msg = p->original + p->frame.dns_off;
	ask.len = p->frame.dns_len;
	ask.cap = 1500 - (p->frame.version == 4 ? 28 : 48);
	ask.client = p->original + p->frame.ip_off + (p->frame.version == 4 ? 12 : 8);
	ask.client_len = p->frame.version == 4 ? 4 : 16;
	ask.no_error_reply = p->frame.no_error;
	p->expected_len = 0;
	p->verdict = ask_all(&ask, reply, &p->expected_len);
	must(p->expected_len <= ask.cap);
	memcpy(p->expected, reply, p->expected_len);
	return true;
}

static void packet_leave(
    struct frame_answering *at_hand, struct packet *p, struct dns_query *queries, int *jobs)
{
	struct frame own;

	must(frame_answer_leave(at_hand, p->buffer, p->len, &own) == FRAME_DNS);
	must(own.dns_off == p->frame.dns_off && own.dns_len == p->frame.dns_len);
	p->job = (*jobs)++;
	at_hand->dns.query = &queries[*jobs];
}

// As a worker has them: `far` and `at_once` as they come, or as the case wants them.
static void burst_answer(const struct frame_rules *rules, const struct ask *ask, unsigned count,
    bool forced, enum meeting how)
{
	static struct frame_answering at_hand;
	static struct dns_query queries[BURST_MAX + 1];
	struct dns_counters counters = {0};
	const struct dns_context context = {
	    .server = ask->server, .table = ask->table, .now = ASK_NOW, .counters = &counters};
	struct frame_slot frames[BURST_MAX];
	uint8_t live[BURST_MAX];
	int jobs = 0;

	memset(queries, 0xa5, sizeof(queries));
	for (unsigned i = 0; i < count; i++) {
		queries[i].render_only = false;
		memset(packets[i].buffer, 0xa5, BUFFER_LEN);
		memcpy(packets[i].buffer, packets[i].original, packets[i].len);
		packets[i].job = -1;
		frames[i] = (struct frame_slot){packets[i].buffer, packets[i].len};
	}
	frame_answer_begin(&at_hand, rules, &context, queries, 1500 - 28);
	if (forced) {
		at_hand.dns.far = how == FAR;
		at_hand.dns.at_once = how == NEAR;
	}
	for (unsigned i = 0;; i++) {
		i += frame_answer(&at_hand, frames + i, count - i);
		if (i == count)
			break;
		frames[i].len = 0;
		packet_leave(&at_hand, &packets[i], queries, &jobs);
	}
	const unsigned waiting = frame_answer_burst(&at_hand);

	for (unsigned k = 0; (k = frame_answer_waited(&at_hand, k)) < waiting; k++)
		packet_leave(&at_hand, &packets[at_hand.slots[k] - frames], queries, &jobs);
	frame_answer_end(&at_hand);

	const unsigned live_count = dns_parse_burst(&context, queries, (unsigned)jobs, live);

	dns_match_burst(&context, queries, live, live_count);
	for (unsigned i = 0; i < live_count; i++)
		if (queries[live[i]].verdict == DNS_REPLY)
			dns_emit(&context, &queries[live[i]]);
	for (unsigned i = 0; i < count; i++) {
		struct packet *p = &packets[i];
		size_t len = frames[i].len;

		if (p->job >= 0) {
			const struct dns_query *query = &queries[p->job];

			must(query->verdict == p->verdict);
			if (p->verdict != DNS_REPLY)
				continue;
			must(query->len == p->expected_len);
			len = frame_reply(p->buffer, &p->frame, query->len, query->sum);
		}
		must(p->verdict == DNS_REPLY);
		must(memcmp(p->buffer + p->frame.dns_off, p->expected, p->expected_len) == 0);
		frame_judge(p->original, p->buffer, len, &p->frame, p->expected_len);
	}
}

static void burst(
    unsigned choice, unsigned kind, bool fill, struct cursor *c, const struct ask *ask)
{
	const struct frame_rules *rules = rules_of(choice);
	unsigned count = 0;

	while (count < BURST_MADE && c->left > 0)
		count += packet_make(&packets[count], choice, kind, c, rules, *ask);
	if (count == 0)
		return;
	for (unsigned made = count; fill && count < BURST_MAX; count++)
		packets[count] = packets[count % made];
	burst_answer(rules, ask, count, false, NEAR);
	for (enum meeting how = NEAR; how <= FAR; how++)
		burst_answer(rules, ask, count, true, how);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t made[QUESTION_MAX], original[BUFFER_LEN + QUESTION_MAX];
	struct cursor c = {data, size};
	const unsigned choice = cursor_u8(&c), more = cursor_u8(&c), third = cursor_u8(&c);
	const unsigned kind = (third & COOKIE_KIND) >> 1;
	const struct ask common = {.transport = DNS_UDP,
	    .table = zoo_table(
	        (enum zoo_set)(((more & 3) + ((third & MORE_SETS) != 0 ? 4 : 0)) % ZOO_SETS)),
	    .server = &ask_servers[more >> 2 & 3]};
	const struct frame_rules *rules = rules_of(choice);
	struct frame frame;
	size_t len;

	if (size < 3 || c.left > BUFFER_LEN)
		return 0;
	if ((third & MAKE_BURST) != 0) {
		burst(choice, kind, (third & FILL_BURST) != 0, &c, &common);
		return 0;
	}
	if ((choice & (MAKE_QUESTION | MAKE_FRAME)) != 0) {
		static const uint16_t ports[] = {40000, 53, 1023, 1024, 19, 0, 65535, 5353};
		const bool question = (choice & MAKE_QUESTION) != 0;
		const bool v6 = (choice & USE_IPV6) != 0;
		size_t n = question ? question_make(&c, NULL, made) : c.left;

		if (question && n <= BUFFER_LEN)
			n = cookie_put(
			    made, n, kind, common.server, v6 ? client6 : client4, v6 ? 16 : 4);
		if (n > BUFFER_LEN - FRAME_HEADERS_MAX)
			return 0;
		len = frame_make(original, choice, ports[more >> 4 & 7], question ? made : c.at, n);
		if ((choice & SAY_LESS) != 0)
			frame_say(original, choice, original[len - 1] % (unsigned)(n + 9));
	} else {
		len = cursor_bytes(&c, original, BUFFER_LEN);
		if ((choice & MEND) != 0)
			frame_mend(original, len);
	}

	uint8_t *exact = malloc(len > 0 ? len : 1), *buffer = malloc(BUFFER_LEN);
	must(exact != NULL && buffer != NULL);
	memcpy(exact, original, len);
	const enum frame_verdict verdict = frame_classify(exact, len, rules, &frame);
	must(memcmp(exact, original, len) == 0);
	if (verdict == FRAME_DNS) {
		must(
		    frame.dns_off + (size_t)frame.dns_len <= len && frame.dns_len >= FRAME_DNS_MIN);
		const unsigned room = BUFFER_LEN - frame.dns_off - DNS_WRITE_SLACK;
		const unsigned max = frame.version == 4 ? 1500 - 28 : 1500 - 48;
		struct ask ask = common;

		ask.msg = original + frame.dns_off;
		ask.len = frame.dns_len;
		ask.cap = (uint16_t)(max < room ? max : room);
		ask.client = original + frame.ip_off + (frame.version == 4 ? 12 : 8);
		ask.client_len = frame.version == 4 ? 4 : 16;
		ask.no_error_reply = frame.no_error;
		memset(buffer, 0xa5, BUFFER_LEN);
		memcpy(buffer, original, len);
		answer(buffer, len, rules, &frame, &ask, more >> 7 != 0 ? FAR : NEAR, original);
		memset(buffer, 0xa5, BUFFER_LEN);
		memcpy(buffer, original, len);
		answer(buffer, len, rules, &frame, &ask, SECOND, original);
	} else {
		leave(original, len, rules, verdict, &common);
	}
	free(buffer);
	free(exact);
	return 0;
}
