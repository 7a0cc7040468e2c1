// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Whole transfer conversations, SOA answers and TSIG records out of arbitrary bytes. The first byte
// chooses: 0 bit: signed session; 1 bit: any serial; 2 bit: fix up id and question, so that the
// fuzzer reaches what lies behind them; 3 bit: incremental (then any serial is not asked for), and
// a difference that comes is applied to a small zone. Then messages, each with a length of two
// bytes before it.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "compile.h"
#include "rrtype.h"
#include "session.h"
#include "soa_query.h"
#include "wire.h"

static const uint8_t apex[] = "\x07"
                              "example\x03"
                              "com";

// Serial 5: SOA, NS, two hosts, an alias; as seeds of differences know it.
static const struct zone_version *base(void)
{
	static const uint8_t soa[] = "\0\0\0\0\0\5\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1";
	static const uint8_t host[] = "\1a\7example\3com", alias[] = "\1b\7example\3com";
	static struct zone_version version;
	static struct image_buffer buffer;
	const struct compile_options options = {.key = {{1, 2}}, .generation = 1, .id = 1};
	char error[COMPILE_ERROR_MAX];

	if (version.layer_count == 0) {
		struct records *records = records_new(apex);

		if (records_add(records, apex, RRTYPE_SOA, 60, soa, 22) != 0 ||
		    records_add(records, apex, RRTYPE_NS, 60, host, sizeof(host)) != 0 ||
		    records_add(records, host, RRTYPE_A, 60, (const uint8_t *)"\xc0\0\2\1", 4) !=
		        0 ||
		    records_add(records, host, RRTYPE_A, 60, (const uint8_t *)"\xc0\0\2\2", 4) !=
		        0 ||
		    records_add(records, alias, RRTYPE_CNAME, 60, host, sizeof(host)) != 0 ||
		    records_sort(records) != 0 || image_buffer_open(&buffer, -1, 1 << 20) != 0 ||
		    compile_image(records, &options, &buffer, error) != 0 ||
		    image_open(&version.layer[0], buffer.mem, buffer.used) != 0) {
			abort();
		}
		version.layer_count = 1;
		records_free(records);
	}
	return &version;
}

static void difference_check(struct delta *delta)
{
	struct records *records;
	char error[DELTA_ERROR_MAX];

	if (delta->from != 5 || delta->steps == 0) {
		abort();
	}
	if (delta_apply(delta, base(), &records, error) == 0) {
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
	const struct session_ask ask = {.incremental = (flags & 8) != 0,
	    .any_serial = (flags & 10) == 2,
	    .ours = {.serial = 5}};
	struct session *session = session_open(apex, key, 0x1234, &ask, &limits);
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
			message_fix(exact, len, ask.incremental ? RRTYPE_IXFR : RRTYPE_AXFR);
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
	if (session->state == SESSION_DONE && key != NULL) {
		abort(); // nobody guesses a MAC
	}
	if (session->state == SESSION_DONE && session->delta != NULL) {
		difference_check(session_take_delta(session));
	} else if (session->state == SESSION_DONE) {
		struct records *records = session_take(session);
		char error[RECORDS_ERROR_MAX];

		if (records_sort(records) == 0) {
			(void)records_check(records, error);
		}
		records_free(records);
	}
	session_close(session);
	tsig_key_unref(key);
	return 0;
}
