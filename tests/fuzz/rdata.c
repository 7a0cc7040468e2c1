// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Rdata out of a message, to text and back. Run by libFuzzer.

#include <stdlib.h>
#include <string.h>

#include "rdata.h"
#include "zonefile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[RDATA_LEN_MAX], again[RDATA_LEN_MAX];
	static char text[RDATA_TEXT_MAX];

	if (size < 3)
		return 0;

	// The first two bytes choose the type (all that have a layout are below 264), the third
	// says how many bytes of message stand before the rdata.
	uint16_t type = (uint16_t)((data[0] << 8 | data[1]) % 264);
	size_t before = data[2];

	data += 3;
	size -= 3;
	if (before > size)
		before = size;

	int len = rdata_from_wire(type, data, size, before, size - before, out, sizeof(out));

	if (len < 0)
		return 0;
	if (!rdata_valid(type, out, (size_t)len))
		abort();

	int text_len = rdata_to_text(type, out, (size_t)len, text, sizeof(text));

	if (text_len < 0)
		abort();

	int again_len = rdata_from_text(type, text, (size_t)text_len, NULL, again);

	// Text cannot show the prefix bits of an A6 and zeros that end a WKS.
	if (again_len < 0)
		abort();
	if (type != RRTYPE_A6 && type != RRTYPE_WKS &&
	    (again_len != len || memcmp(again, out, (size_t)len) != 0))
		abort();
	rdata_canonical(type, out, (size_t)len);
	if (!rdata_valid(type, out, (size_t)len))
		abort();
	return 0;
}
