// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The commands status and zone-status. Of zones there may be a million, each half a kilobyte of
// text and several of JSON in memory: they are told in pages, in the order of the configuration, so
// that nobody who only looks holds up the loop for long or takes much memory. A page says after
// which zone the next one begins; the client asks for it.
#include "control_commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon.h"
#include "name.h"
#include "publish.h"
#include "status.h"

#define ZONES_A_PAGE 500 // some 10 ms

void command_status(struct daemon *daemon, struct control_request *request)
{
	control_respond(request, status_node(daemon));
}

// A zone of a page, and what the workers answer.
struct page_zone {
	struct page *page;
	bool answered;
	struct publisher_answer answer;
	uint8_t apex_len;
	uint8_t apex[NAME_LEN_MAX];
};

struct page {
	struct daemon *daemon;
	struct control_request *request;
	size_t begin;  // place of the first in the configuration, as it was then
	size_t asking; // zones whose answer has not ended, and one until all were asked about
	int rc;        // not 0: there are some that nothing is known of
	bool more;     // others follow
	size_t count;
	struct page_zone zones[];
};

static bool is_zone(const struct config_zone *zone, const uint8_t *apex, size_t len)
{
	return zone->domain_len == len && memcmp(zone->domain, apex, len) == 0;
}

// Its place, looked for from `near` on; zone_count when it is gone.
static size_t place_of(const struct config *config, size_t near, const uint8_t *apex, size_t len)
{
	for (size_t i = 0; i < config->zone_count; i++) {
		const size_t at = (near + i) % config->zone_count;

		if (is_zone(&config->zones[at], apex, len))
			return at;
	}
	return config->zone_count;
}

// A zone that went while the workers were asked is left out.
static void page_end(struct page *page)
{
	const struct config *config = page->daemon->config;
	json_t *zones = json_array(), *next = json_null();
	size_t at = page->begin;

	for (size_t i = 0; i < page->count; i++) {
		const struct page_zone *zone = &page->zones[i];

		at = place_of(config, at, zone->apex, zone->apex_len);
		if (at == config->zone_count)
			at = 0;
		else
			json_array_append_new(zones, status_zone(page->daemon, &config->zones[at],
			                                 zone->answered ? &zone->answer : NULL));
	}
	if (page->more) {
		char where[NAME_TEXT_MAX + 24];
		const int len = snprintf(where, 24, "%zu ", at);

		name_to_text(page->zones[page->count - 1].apex, where + len);
		next = json_string(where);
	}
	control_respond(page->request, json_pack("{s:b, s:b, s:o, s:o}", "ok", 1, "answered",
	                                   page->rc == 0, "zones", zones, "next", next));
	free(page);
}

static void zone_answer(void *ctx, const struct publisher_answer *answer, int rc)
{
	struct page_zone *zone = ctx;
	struct page *page = zone->page;

	if (answer->apex_len != 0) {
		zone->answered = true;
		zone->answer = *answer;
		return;
	}
	if (rc != 0)
		page->rc = rc;
	if (--page->asking == 0)
		page_end(page);
}

static void page_begin(
    struct daemon *daemon, struct control_request *request, size_t begin, size_t count, bool more)
{
	struct page *page = calloc(1, sizeof(*page) + count * sizeof(page->zones[0]));

	if (page == NULL) {
		control_error(request, "Out of memory.");
		return;
	}
	page->daemon = daemon;
	page->request = request;
	page->begin = begin;
	page->count = count;
	page->more = more;
	page->asking = count + 1;
	for (size_t i = 0; i < count; i++) {
		const struct config_zone *from = &daemon->config->zones[begin + i];
		struct page_zone *zone = &page->zones[i];

		zone->page = page;
		zone->apex_len = from->domain_len;
		memcpy(zone->apex, from->domain, from->domain_len);
		publisher_ask(daemon->publisher, zone->apex, zone_answer, zone);
	}
	if (--page->asking == 0)
		page_end(page);
}

// Where a page ended, as the client gives it back: its last zone's place, a blank, its name. Post:
// the place behind it; past the end when there is none.
static size_t place_behind(const struct config *config, const char *where)
{
	uint8_t name[NAME_LEN_MAX], lower[NAME_LEN_MAX];
	char *text;
	const size_t near = strtoull(where, &text, 10);
	const int len = *text == ' ' ? name_from_text(text + 1, strlen(text + 1), NULL, name) : 0;

	if (len <= 0)
		return config->zone_count + 1;
	name_lower(lower, name, (size_t)len);
	return place_of(config, near, lower, (size_t)len) + 1;
}

static void page_after(struct daemon *daemon, struct control_request *request, const char *where)
{
	const struct config *config = daemon->config;
	const size_t begin = where != NULL ? place_behind(config, where) : 0;

	if (begin > config->zone_count) {
		control_error(request, "The zones have changed; ask again.");
		return;
	}
	const size_t count = config->zone_count - begin;

	page_begin(daemon, request, begin, count > ZONES_A_PAGE ? ZONES_A_PAGE : count,
	    count > ZONES_A_PAGE);
}

void command_zone_status(struct daemon *daemon, struct control_request *request, const json_t *root)
{
	const struct config_zone *zone;

	if (json_object_get(root, "zone") == NULL) {
		page_after(daemon, request, json_string_value(json_object_get(root, "after")));
		return;
	}
	zone = control_zone(daemon, request, root);
	if (zone != NULL)
		page_begin(daemon, request, (size_t)(zone - daemon->config->zones), 1, false);
}
