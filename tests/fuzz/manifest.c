// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A manifest out of any bytes. Bit 0 of the first byte: the frame of it (magic, version, size,
// checksum) is mended first, so that the fuzzer reaches the zones. What is accepted must be the
// same bytes when written again. manifest.c is included: from memory it is a thousand times faster
// than from files.

#include "../../zones/manifest.c"
#include "../../zones/manifest_changes.c"

#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void frame_mend(uint8_t *bytes, size_t size)
{
	struct disk_header header;

	memcpy(&header, bytes, sizeof(header));
	header.magic = MANIFEST_MAGIC;
	header.version = MANIFEST_VERSION;
	header.byte_order = MANIFEST_BYTE_ORDER;
	header.size = size;
	header.zone_count %= 64;
	memcpy(bytes, &header, sizeof(header));
	header.checksum = manifest_checksum(bytes, size);
	memcpy(bytes, &header, sizeof(header));
}

// The bytes between names and the next zone are nobody's: taken from the original.
static void written_judge(const struct manifest *manifest, const uint8_t *bytes, size_t size)
{
	const uint8_t *at = bytes + sizeof(struct disk_header);
	uint8_t *again = malloc(size);

	must(again != NULL);
	for (size_t i = 0; i < manifest->zone_count; i++) {
		const struct manifest_zone *zone = &manifest->zones[i];
		uint8_t *end;

		must(zone->layer_count >= 1 && zone->layer_count <= IMAGE_LAYERS_MAX);
		must(name_len_checked(zone->apex, zone->apex_len) == zone->apex_len);
		must(zone->generation <= manifest->generation_max);
		must(zone->older <= manifest->older_count);
		end = zone_write(
		    again, zone, zone->older != 0 ? &manifest->older[zone->older - 1] : NULL);
		must(memcmp(again, at,
		         (size_t)(end - again) - apex_space(zone->apex_len) + zone->apex_len) == 0);
		at += end - again;
	}
	must(at == bytes + size);
	free(again);
}

// The bytes as changes that follow an empty manifest, each record's frame mended: whatever they
// are, what they leave is a manifest that can be written and is the same when read.
static void changes_judge(uint8_t *bytes, size_t size)
{
	struct manifest manifest = {.mark = 1};
	struct disk_header header;

	for (size_t at = 0; size - at >= sizeof(header); at += header.size) {
		memcpy(&header, bytes + at, sizeof(header));
		header.magic = CHANGES_MAGIC;
		header.version = MANIFEST_VERSION;
		header.byte_order = MANIFEST_BYTE_ORDER;
		header.hash_key[0] = 1;
		header.hash_key[1] = at;
		header.size = sizeof(header) + header.size % (size - at - sizeof(header) + 1);
		header.size &= ~UINT64_C(7);
		header.zone_count %= 64;
		memcpy(bytes + at, &header, sizeof(header));
		header.checksum = manifest_checksum(bytes + at, header.size);
		memcpy(bytes + at, &header, sizeof(header));
	}
	must(manifest_changes_take(&manifest, 1, bytes, size) == 0);
	for (size_t i = 0; i < manifest.zone_count; i++) {
		const struct manifest_zone *zone = &manifest.zones[i];

		must(zone->layer_count >= 1 && zone->layer_count <= IMAGE_LAYERS_MAX);
		must(name_len_checked(zone->apex, zone->apex_len) == zone->apex_len);
		must(zone->generation <= manifest.generation_max);
		for (size_t k = 0; k < i; k++)
			must(zone->apex_len != manifest.zones[k].apex_len ||
			     memcmp(zone->apex, manifest.zones[k].apex, zone->apex_len) != 0);
	}
	manifest_free(&manifest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct manifest manifest = {0};
	char error[MANIFEST_ERROR_MAX];

	if (size < 1 || size > 65536)
		return 0;
	const bool mend = (*data & 1) != 0, as_changes = (*data & 2) != 0;
	data++;
	size--;
	uint8_t *bytes = malloc(size > 0 ? size : 1);
	must(bytes != NULL);
	memcpy(bytes, data, size);
	if (mend) {
		size &= ~(size_t)7;
		if (size >= sizeof(struct disk_header))
			frame_mend(bytes, size);
	}
	error[0] = '\0';
	if (as_changes) {
		changes_judge(bytes, size);
		free(bytes);
		return 0;
	}
	if (manifest_read(bytes, size, &manifest, error) == 0)
		written_judge(&manifest, bytes, size);
	else
		must(error[0] != '\0');
	manifest_free(&manifest);
	free(bytes);
	return 0;
}
