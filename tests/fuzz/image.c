// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A forged image: one of ours, changed at places the fuzzer names, with its checksums mended so
// that the verifier has to look. Once image_verify() has accepted it, everything a reader may do is
// done to it: the walk over all names and records, look-ups in both denial chains, and queries. The
// memory is exactly the image's, so whatever the verifier let through and a reader believed shows.
//
// Input: two bytes of choices, edits of six bytes up to a zero byte, then questions (question.c).

#include "ask.h"
#include "checksum.h"
#include "cursor.h"
#include "moves.h"
#include "must.h"
#include "question.h"
#include "rdata.h"
#include "zoo.h"

enum {
	AS_OVERLAY = 0x01,    // on top of the image it was made of
	UNDER_OVERLAY = 0x02, // the changed one below, one with the flag set on top
	RAW_SUMS = 0x04,      // leave sums of compiled answers alone
	RAW_HEADER = 0x08,    // leave the header's checksum alone
	RAW_BYTES = 0x10,     // the rest of the input is the image
};

#define EDITS_MAX     24
#define QUESTIONS_MAX 12

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t byte_ref(const struct image *image, const void *at)
{
	return (uint32_t)((const uint8_t *)at - image->mem);
}

// A place in the image, as an offset in bytes: `kind` says what is counted by `index`.
static uint32_t place_find(const struct image *image, unsigned kind, unsigned index)
{
	const struct image_header *header = image->header;
	const struct image_node *node = zoo_node(image, index >> 3);
	const struct node_ref self = {.image = image, .node = node};
	const struct image_rrset *rrset = NULL;
	uint32_t ttl;

	if (node->rrset_count > 0)
		rrset = node_rrset_at(self, index % 8 % node->rrset_count);
	switch (kind) {
	case 0: // the header, and sections in it
		return index % (uint32_t)image_header_size(header);
	case 1:
		return (uint32_t)offsetof(struct image_header, section) + index % 48;
	case 2:
		return byte_ref(image, &image->buckets[index % image->bucket_count]);
	case 3:
		return (header->section[IMAGE_ORDER].ref << 3) +
		       4 * (index % header->section[IMAGE_ORDER].count);
	case 4:
		if (header->section[IMAGE_NSEC3_ORDER].count == 0)
			return 0;
		return (header->section[IMAGE_NSEC3_ORDER].ref << 3) +
		       24 * (index % header->section[IMAGE_NSEC3_ORDER].count);
	case 13:
		if (header->section[IMAGE_NSEC_ORDER].count == 0)
			return 0;
		return (header->section[IMAGE_NSEC_ORDER].ref << 3) +
		       16 * (index % header->section[IMAGE_NSEC_ORDER].count);
	case 14:
		return header->negative_do_ref << 3;
	case 5:
		return byte_ref(image, node);
	case 6:
		return rrset != NULL ? byte_ref(image, rrset) : 0;
	case 7:
		return rrset != NULL && rrset->rr_count > 0
		           ? byte_ref(image, rrset_rdata(self, rrset).at)
		           : 0;
	case 8:
		if (rrset == NULL || !rrset_has_sigs(image, rrset))
			return 0;
		return byte_ref(image, rrset_sigs(self, rrset, &ttl).at);
	case 9:
		if (rrset != NULL && type_is_proof(rrset->type))
			return byte_ref(image, node_at(node, rrset_answer_do_at(image, rrset)));
		return rrset != NULL ? byte_ref(image, node_at(node, rrset->answer_at)) : 0;
	case 10:
		if ((node->flags & (NODE_CUT | NODE_CNAME)) == 0)
			return byte_ref(image, node->name);
		return byte_ref(
		    image, node_at(node, (index & 1) == 0 ? node_leads(node)->answer_at
		                                          : node_leads(node)->answer_do_at));
	case 11:
		return header->negative_ref << 3;
	default: // anywhere
		return (uint32_t)((uint64_t)index * image->header->size >> 16);
	}
}

// One slot of a bucket becomes the same as another.
static void slot_copy(
    const struct image *from, uint8_t *mem, unsigned bucket_index, unsigned to, unsigned with)
{
	const struct image_bucket *old = &from->buckets[bucket_index % from->bucket_count];
	struct image_bucket *bucket = (struct image_bucket *)(void *)(mem + byte_ref(from, old));

	bucket->tag[to % IMAGE_SLOTS] = old->tag[with % IMAGE_SLOTS];
	bucket->ref[to % IMAGE_SLOTS] = old->ref[with % IMAGE_SLOTS];
}

// One edit: kind and width, index, offset from the place, operand. Post: false at the end.
static bool edit(struct cursor *c, const struct image *from, uint8_t *mem)
{
	const unsigned how = cursor_u8(c), index = cursor_u16(c);
	const unsigned offset = cursor_u8(c), operand = cursor_u16(c);
	static const size_t widths[4] = {1, 2, 4, 8};
	const size_t width = widths[how >> 4 & 3];
	const uint64_t at = (uint64_t)place_find(from, how & 15, index) + offset;
	uint64_t value = 0;

	if (how == 0 || at + width > from->header->size)
		return how != 0;
	if ((how & 15) == 15) {
		slot_copy(from, mem, index, offset, operand);
		return true;
	}
	memcpy(&value, mem + at, width);
	switch (how >> 6) {
	case 0:
		value = operand;
		break;
	case 1:
		value += (uint64_t)(int64_t)(int16_t)operand;
		break;
	case 2:
		value ^= UINT64_C(1) << operand % 64;
		break;
	default: // what another place holds
		if (from->header->size - width > operand)
			memcpy(&value,
			    from->mem + place_find(from, operand >> 12, operand & 0xfff) %
			                    (from->header->size - width),
			    width);
		break;
	}
	memcpy(mem + at, &value, width);
	return true;
}

// What the verifier computes of the answer at byte `at`, as the verifier will see them; what moves,
// where that is no longer than it was.
static void answer_mend(uint8_t *mem, size_t size, uint64_t at, const uint8_t *name,
    unsigned name_len, enum moves_for what)
{
	struct image_answer *answer = (struct image_answer *)(void *)(mem + at);
	struct moves moves;

	if (at + sizeof(*answer) > size || answer->head == 0)
		return;
	const uint64_t bytes = at + 8ull * answer->head;
	if (bytes + answer->size + MOVES_SLACK > size || answer->size > IMAGE_ANSWER_MAX)
		return;
	answer->sum = checksum_fold(checksum_sum(mem + bytes, answer->size, 0));
	if (!moves_find(answer, mem + bytes, answer->size, name, name_len, what, &moves) ||
	    moves.head != answer->head)
		return;
	memset(answer + 1, 0, 8 * (answer->head - 1u));
	moves_put(&moves, answer + 1);
}

// One of a node of the original image.
static void place_mend(const struct image *from, uint8_t *mem, const struct image_node *node,
    unsigned at, enum moves_for what)
{
	if (at != 0)
		answer_mend(mem, from->header->size, byte_ref(from, node_at(node, at)), node->name,
		    node->name_len, what);
}

static void leads_mend(const struct image *from, uint8_t *mem, const struct image_node *node)
{
	const enum moves_for what = moves_for_owner(node->name);

	if ((node->flags & (NODE_CUT | NODE_CNAME)) == 0)
		return;
	const struct image_node_leads *leads = node_leads(node);
	if ((node->flags & NODE_CUT) != 0) {
		place_mend(from, mem, node, leads->answer_at, MOVES_BELOW);
		place_mend(from, mem, node, leads->answer_do_at, MOVES_BELOW);
	} else if (leads->answer_at != 0) {
		const struct image_chain *chain = node_at(node, leads->answer_at);

		for (unsigned i = 0; i < CHAIN_ANSWERS; i++) {
			place_mend(from, mem, node, chain->at[i], what);
			place_mend(from, mem, node, chain->do_at[i], what);
		}
	}
}

// All answers that the original image has, where it has them.
static void sums_mend(const struct image *from, uint8_t *mem)
{
	const struct zone_version version = {.layer_count = 1, .layer = {*from}};
	struct version_iter iter;
	struct node_ref ref;

	const struct image_header *header = from->header;

	answer_mend(mem, from->header->size, (uint64_t)header->negative_ref << 3,
	    image_apex(header), header->apex_len, MOVES_BELOW);
	if (header->negative_do_ref != 0)
		answer_mend(mem, from->header->size, (uint64_t)header->negative_do_ref << 3,
		    image_apex(header), header->apex_len, MOVES_BELOW);
	version_iter_start(&iter, &version);
	while ((ref = version_iter_next(&iter)).node != NULL) {
		leads_mend(from, mem, ref.node);
		for (unsigned i = 0; i < ref.node->rrset_count; i++) {
			const struct image_rrset *rrset = node_rrset_at(ref, i);

			if (type_is_proof(rrset->type))
				continue;
			const enum moves_for what = moves_for_owner(ref.node->name);

			place_mend(from, mem, ref.node, rrset->answer_at, what);
			place_mend(from, mem, ref.node, rrset_answer_do_at(from, rrset), what);
		}
	}
}

static void header_mend(uint8_t *mem, size_t size)
{
	struct image_header *header = (struct image_header *)(void *)mem;

	header->magic = IMAGE_MAGIC;
	header->version = IMAGE_VERSION;
	header->byte_order = IMAGE_BYTE_ORDER;
	header->size = size;
	header->checksum = image_checksum(mem, size);
}

// What the verifier has promised of each.
static void list_walk(uint16_t type, struct rdata_iter iter)
{
	const uint8_t *rdata;
	uint16_t len;

	while ((rdata = rdata_next(&iter, &len)) != NULL)
		must(rdata_valid(type, rdata, len));
}

// Every name but an NSEC3's own is in the index.
static void index_judge(const struct zone_version *version, struct node_ref ref)
{
	static struct qname q;
	const struct image_header *header = version_header(version);
	const struct hash_key key = {{header->hash_key[0], header->hash_key[1]}};

	if (ref.node->types == type_bit(RRTYPE_NSEC3))
		return;
	must(qname_parse(&q, ref.node->name, ref.node->name_len, ref.node->name_len) != 0);
	qname_hash(&q, &key);
	must(version_find(version, &q, q.labels).node == ref.node);
}

// Everything a transfer or a dump reads.
static void version_walk(const struct zone_version *version)
{
	static char text[NAME_TEXT_MAX];
	struct version_iter iter;
	struct node_ref ref;
	uint64_t left = 0;
	uint8_t hash[20] = {0};
	uint32_t ttl = 0;
	bool match;

	for (unsigned i = 0; i < version->layer_count; i++)
		left += image_names(&version->layer[i]);
	version_iter_start(&iter, version);
	while ((ref = version_iter_next(&iter)).node != NULL) {
		must(left-- > 0);
		must(name_to_text(node_owner(ref), text) < sizeof(text));
		index_judge(version, ref);
		for (unsigned i = 0; i < ref.node->rrset_count; i++) {
			const struct image_rrset *rrset = node_rrset_at(ref, i);

			list_walk(rrset->type, rrset_rdata(ref, rrset));
			(void)rrset_ttl(ref, rrset);
			list_walk(RRTYPE_RRSIG, rrset_sigs(ref, rrset, &ttl));
			must(node_rrset(ref, rrset->type) == rrset);
		}
		(void)node_denial(version, ref, false, &match);
		(void)node_denial(version, ref, true, &match);
		(void)version_nsec_find(version, ref.node->name, &match);
		memcpy(hash, ref.node->name, ref.node->name_len < 20 ? ref.node->name_len : 20);
		(void)version_nsec3_find(version, hash, &match);
	}
}

// Questions about names that the original has.
static void version_ask(struct zone_version *version, const struct image *from, struct cursor *c)
{
	static uint8_t reply[DNS_TCP_MAX], msg[QUESTION_MAX];
	const struct image_header *header = version_header(version);
	const struct hash_key key = {{header->hash_key[0], header->hash_key[1]}};
	struct zone_table *table = zone_table_new(&key);
	struct zone_retired retired;
	uint16_t reply_len;

	must(table != NULL && zone_table_set(table, image_apex(header), version, &retired) == 0);
	for (unsigned i = 0; i < QUESTIONS_MAX && (i == 0 || c->left > 0); i++) {
		uint8_t some[12];
		struct cursor one = {some, cursor_bytes(c, some, sizeof(some))};
		struct ask ask = {.msg = msg,
		    .len = (uint16_t)question_make(&one, from, msg),
		    .cap = (i & 1) != 0 ? 16384 : 1232,
		    .transport = (i & 1) != 0 ? DNS_TCP : DNS_UDP,
		    .client = ask_client,
		    .client_len = 16,
		    .loose = true,
		    .table = table,
		    .server = &ask_servers[1]};

		(void)ask_once(&ask, false, 0xa5, reply, &reply_len);
		(void)ask_once(&ask, true, 0x5a, reply, &reply_len);
		ask_waiting(&ask);
	}
	must(zone_table_remove(table, image_apex(header), &retired));
	free(retired.entry);
	free(retired.slots);
	zone_table_free(table);
}

// The original as an overlay of an image with this id. Owned by the caller.
static uint8_t *overlay_make(const struct image *from, uint64_t below_id)
{
	uint8_t *mem = aligned_alloc(64, from->header->size);
	struct image_header *header = (struct image_header *)(void *)mem;

	must(mem != NULL);
	memcpy(mem, from->mem, from->header->size);
	header->flags |= IMAGE_OVERLAY;
	header->below_id = below_id;
	header->id = ~below_id;
	header_mend(mem, from->header->size);
	return mem;
}

// Pre: verified.
static void image_use(
    const uint8_t *mem, size_t size, const struct image *from, unsigned choice, struct cursor *c)
{
	char error[IMAGE_ERROR_MAX];
	struct zone_version version = {.layer_count = 1};
	struct image image;
	uint8_t *over = NULL;

	must(image_open(&image, mem, size) == 0);
	version.layer[0] = image;
	if ((image.flags & IMAGE_OVERLAY) != 0) {
		version.layer[version.layer_count++] = *from;
	} else if ((choice & UNDER_OVERLAY) != 0) {
		over = overlay_make(from, image.header->id);
		if (image_verify(over, from->header->size, error) == 0) {
			must(image_open(&version.layer[0], over, from->header->size) == 0);
			version.layer[version.layer_count++] = image;
		} else {
			must(strstr(error, "chain in an overlay") != NULL);
		}
	}
	if (version_check(&version) == 0) {
		version_walk(&version);
		version_ask(&version, from, c);
	}
	free(over);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = {data, size};
	const unsigned choice = cursor_u8(&c);
	static const enum zoo_zone zones[] = {ZOO_SMALL_NSEC, ZOO_SMALL_NSEC3, ZOO_SMALL, ZOO_TOP,
	    ZOO_SMALL_NSEC, ZOO_SMALL_NSEC3, ZOO_ROOT, ZOO_PLAIN};
	const struct image *from = zoo_image(zones[cursor_u8(&c) % 8]);
	size_t len = from->header->size;
	char error[IMAGE_ERROR_MAX];

	if ((choice & RAW_BYTES) != 0)
		len = c.left;
	uint8_t *mem = NULL;
	must(posix_memalign((void **)&mem, 64, len > 0 ? len : 1) == 0);
	if ((choice & RAW_BYTES) != 0) {
		cursor_bytes(&c, mem, len);
		if (len >= sizeof(struct image_header) && (choice & RAW_HEADER) == 0)
			header_mend(mem, len);
	} else {
		struct image_header *header = (struct image_header *)(void *)mem;

		memcpy(mem, from->mem, len);
		if ((choice & AS_OVERLAY) != 0) {
			header->flags |= IMAGE_OVERLAY;
			header->below_id = header->id;
			header->id ^= 1;
		}
		for (unsigned i = 0; i < EDITS_MAX && edit(&c, from, mem); i++)
			;
		if ((choice & RAW_SUMS) == 0)
			sums_mend(from, mem);
		if ((choice & RAW_HEADER) == 0)
			header_mend(mem, len);
	}
	error[0] = '\0';
	if (image_verify(mem, len, error) == 0)
		image_use(mem, len, from, choice, &c);
	else
		must(error[0] != '\0');
	free(mem);
	return 0;
}
