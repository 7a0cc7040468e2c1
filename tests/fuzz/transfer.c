// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Whole transfer conversations, SOA answers and TSIG records out of arbitrary bytes. The first byte
// chooses: 0 bit: signed session; 1 bit: any serial; 2 bit: fix up id and question, so that the
// fuzzer reaches what lies behind them. Then messages, each with a length of two bytes before it.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rrtype.h"
#include "session.h"
#include "soa_query.h"
#include "wire.h"

static const uint8_t apex[] = "\x07"
                              "example\x03"
                              "com";

static void message_fix(uint8_t *msg, size_t len)
{
	uint8_t head[WIRE_HEADER_LEN + NAME_LEN_MAX + 4];
	size_t head_len = wire_question(head, 0x1234, WIRE_QR | WIRE_AA, apex, RRTYPE_AXFR);

	if (len >= head_len) {
		memcpy(head + 6, msg + 6, 6); // the counts stay the fuzzer's
		memcpy(msg, head, head_len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct session_limits limits = {
	    .bytes = 1 << 20, .records = 10000, .rrset_records = 100};
	static const uint8_t key_name[] = "\x01k";
	struct tsig_key *key = NULL;

	if (size < 1) {
		return 0;
	}
	uint8_t flags = *data++;

	size--;
	if ((flags & 1) != 0 &&
	    tsig_key_new(key_name, "hmac-sha256", (const uint8_t *)"s", 1, &key) != 0) {
		abort();
	}
	struct session *session = session_open(apex, key, 0x1234, (flags & 2) != 0, 5, &limits);
	uint8_t request[1024];

	if (session == NULL ||
	    session_request(session, request, sizeof(request), 1795000000) == 0) {
		abort();
	}
	while (session->state == SESSION_MORE && size >= 2) {
		size_t len = wire_get16(data);

		data += 2;
		size -= 2;
		len = len < size ? len : size;
		uint8_t *exact = malloc(len + 1);

		memcpy(exact, data, len);
		if ((flags & 4) != 0) {
			message_fix(exact, len);
		}
		struct tsig_stream stream;
		struct zone_soa soa;
		char error[SOA_ERROR_MAX];

		if (tsig_stream_open(&stream, NULL, NULL, 0) == 0) {
			(void)soa_answer_read(exact, len, apex, 0x1234, &stream, 0, &soa, error);
		}
		session_message(session, exact, len, 1795000000);
		free(exact);
		data += len;
		size -= len;
	}
	if (session->state == SESSION_DONE) {
		struct records *records = session_take(session);
		char error[RECORDS_ERROR_MAX];

		if (key != NULL) {
			abort(); // nobody guesses a MAC
		}
		if (records_sort(records) == 0) {
			(void)records_check(records, error);
		}
		records_free(records);
	}
	session_close(session);
	tsig_key_unref(key);
	return 0;
}
