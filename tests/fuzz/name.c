// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Domain names, as text and as wire. Run by libFuzzer.

#include <stdlib.h>
#include <string.h>

#include "name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t wire[NAME_LEN_MAX], again[NAME_LEN_MAX];
	char text[NAME_TEXT_MAX];
	int len = name_from_text((const char *)data, size, (const uint8_t *)"\7example", wire);

	// As text, then as wire: whatever is accepted is well formed and survives the round trip.
	if (len > 0) {
		if (name_len_checked(wire, sizeof(wire)) != (size_t)len)
			abort();
	} else {
		size_t checked = name_len_checked(data, size);

		if (checked == 0)
			return 0;
		memcpy(wire, data, checked);
		len = (int)checked;
	}

	size_t text_len = name_to_text(wire, text);

	if (name_from_text(text, text_len, NULL, again) != len ||
	    memcmp(again, wire, (size_t)len) != 0)
		abort();
	name_lower(again, wire, (size_t)len);
	if (!name_equal(wire, again) || name_compare(wire, again) != 0 ||
	    !name_is_under(wire, again))
		abort();
	return 0;
}
