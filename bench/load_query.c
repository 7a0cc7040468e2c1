// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See load_query.h.

#include "load_query.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rrtype.h"

#define RANDOM_LABEL_LEN 10
#define ENTRY_HEAD       4
#define GENERATED_MAX    100000000ul // names after a pattern: they are kept in memory

static const char *const expect_words[] = {
#define X(id, word) word,
    LOAD_EXPECTS(X)
#undef X
};

int load_expect_from_text(const char *text, size_t len)
{
	for (int i = 0; i < LOAD_EXPECT_COUNT; i++) {
		if (strlen(expect_words[i]) == len && strncasecmp(expect_words[i], text, len) == 0)
			return i;
	}
	return -EINVAL;
}

static size_t word_take(const char **at, const char *end, const char **word)
{
	while (*at < end && strchr(" \t\r\n", **at) != NULL)
		(*at)++;
	*word = *at;
	while (*at < end && strchr(" \t\r\n", **at) == NULL)
		(*at)++;
	return (size_t)(*at - *word);
}

int load_query_parse(const char *line, size_t len, struct load_query *query)
{
	const char *at = line;
	const char *end = line + len;
	const char *word;
	size_t n = word_take(&at, end, &word);
	int rc;

	if (n == 0 || word[0] == '#' || word[0] == ';')
		return 0;
	rc = name_from_text(word, n, NULL, query->name);
	if (rc < 0)
		return -EINVAL;
	query->name_len = (uint8_t)rc;
	query->type = RRTYPE_A;
	query->expect = EXPECT_ANY;
	n = word_take(&at, end, &word);
	if (n == 0)
		return 1;
	rc = n == 3 && strncasecmp(word, "ANY", 3) == 0 ? RRTYPE_ANY : rrtype_from_text(word, n);
	if (rc < 0)
		return -EINVAL;
	query->type = (uint16_t)rc;
	n = word_take(&at, end, &word);
	if (n == 0)
		return 1;
	rc = load_expect_from_text(word, n);
	if (rc < 0)
		return -EINVAL;
	query->expect = (enum load_expect)rc;
	return word_take(&at, end, &word) == 0 ? 1 : -EINVAL;
}

static int grow(void **mem, size_t *cap, size_t need, size_t size)
{
	size_t want = *cap == 0 ? 4096 : *cap;
	void *p;

	if (need <= *cap)
		return 0;
	while (want < need)
		want *= 2;
	p = realloc(*mem, want * size);
	if (p == NULL)
		return -ENOMEM;
	*mem = p;
	*cap = want;
	return 0;
}

int load_list_add(struct load_list *list, const struct load_query *query)
{
	size_t size = ENTRY_HEAD + query->name_len;
	uint8_t *p;

	if (grow((void **)&list->bytes, &list->cap, list->used + size, 1) != 0 ||
	    grow((void **)&list->at, &list->at_cap, list->count + 1, sizeof *list->at) != 0)
		return -ENOMEM;
	p = list->bytes + list->used;
	p[0] = (uint8_t)query->expect;
	p[1] = query->name_len;
	memcpy(p + 2, &query->type, 2);
	memcpy(p + ENTRY_HEAD, query->name, query->name_len);
	list->at[list->count++] = list->used;
	list->used += size;
	return 0;
}

void load_list_get(const struct load_list *list, size_t index, struct load_query *query)
{
	const uint8_t *p = list->bytes + list->at[index];

	query->expect = (enum load_expect)p[0];
	query->name_len = p[1];
	memcpy(&query->type, p + 2, 2);
	memcpy(query->name, p + ENTRY_HEAD, p[1]);
}

int load_list_read(struct load_list *list, const char *path, unsigned *line)
{
	FILE *file = fopen(path, "re");
	struct load_query query;
	char *text = NULL;
	size_t cap = 0;
	ssize_t len;
	int rc = 0;

	*line = 0;
	if (file == NULL)
		return -errno;
	while (rc >= 0 && (len = getline(&text, &cap, file)) >= 0) {
		(*line)++;
		rc = load_query_parse(text, (size_t)len, &query);
		if (rc == 1)
			rc = load_list_add(list, &query);
	}
	if (rc >= 0 && ferror(file)) {
		rc = -EIO;
		*line = 0;
	}
	free(text);
	fclose(file);
	return rc < 0 ? rc : 0;
}

int load_list_generate(struct load_list *list, const char *pattern)
{
	const size_t before = strcspn(pattern, "#:");
	const size_t digits = strspn(pattern + before, "#");
	const char *after = pattern + before + digits;
	const size_t after_len = strcspn(after, "#:");
	char line[2 * NAME_LEN_MAX + 64], rest[64];
	unsigned long count;
	char *end;
	size_t n;

	if (digits == 0 || digits > 9 || after[after_len] != ':' ||
	    before + after_len > NAME_LEN_MAX)
		return -EINVAL;
	count = strtoul(after + after_len + 1, &end, 10);
	if (count == 0 || count > GENERATED_MAX || (*end != '\0' && *end != ':'))
		return -EINVAL;
	n = strlen(end);
	if (n >= sizeof rest)
		return -EINVAL;
	memcpy(rest, end, n + 1);
	for (char *p = rest; *p != '\0'; p++)
		*p = *p == ':' ? ' ' : *p;
	for (unsigned long i = 0; i < count; i++) {
		struct load_query query;
		const int len = snprintf(line, sizeof line, "%.*s%0*lu%.*s%s", (int)before, pattern,
		    (int)digits, i, (int)after_len, after, rest);

		if (load_query_parse(line, (size_t)len, &query) != 1)
			return -EINVAL;
		if (load_list_add(list, &query) != 0)
			return -ENOMEM;
	}
	return 0;
}

void load_list_free(struct load_list *list)
{
	free(list->bytes);
	free(list->at);
	*list = (struct load_list){0};
}

int load_mix_parse(const char *text, unsigned weight[LOAD_SHAPE_COUNT])
{
	static const char *const words[] = {"hit", "referral", "nxdomain", "random"};
	unsigned sum = 0;

	memset(weight, 0, LOAD_SHAPE_COUNT * sizeof *weight);
	while (*text != '\0') {
		size_t len = strcspn(text, ":,");
		unsigned long value = 1;
		unsigned i;

		for (i = 0; i < LOAD_SHAPE_COUNT; i++) {
			if (strlen(words[i]) == len && strncmp(words[i], text, len) == 0)
				break;
		}
		if (i == LOAD_SHAPE_COUNT)
			return -EINVAL;
		text += len;
		if (*text == ':') {
			char *end;
			value = strtoul(text + 1, &end, 10);
			if (end == text + 1 || value > 1000000)
				return -EINVAL;
			text = end;
		}
		if (*text == ',')
			text++;
		else if (*text != '\0')
			return -EINVAL;
		weight[i] += (unsigned)value;
		sum += (unsigned)value;
	}
	return sum > 0 ? 0 : -EINVAL;
}

int load_stream_open(struct load_stream *stream, const struct load_list *list,
    const struct load_stream_options *options)
{
	double sum = 0;

	*stream = (struct load_stream){.list = list, .options = *options};
	load_random_seed(&stream->random, options->seed);
	for (unsigned i = 0; i < LOAD_SHAPE_COUNT; i++)
		stream->weight_sum += options->weight[i];
	if (options->order != ORDER_ZIPF)
		return 0;
	stream->cumulative = malloc(list->count * sizeof *stream->cumulative);
	if (stream->cumulative == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < list->count; i++) {
		sum += pow((double)(i + 1), -options->zipf_exponent);
		stream->cumulative[i] = sum;
	}
	return 0;
}

void load_stream_close(struct load_stream *stream)
{
	free(stream->cumulative);
	stream->cumulative = NULL;
}

static size_t pick(struct load_stream *s)
{
	size_t low = 0;
	size_t high = s->list->count - 1;
	double at;

	switch (s->options.order) {
	case ORDER_SEQUENCE:
		low = s->next;
		s->next = s->next + 1 == s->list->count ? 0 : s->next + 1;
		break;
	case ORDER_UNIFORM:
		low = load_random_below(&s->random, s->list->count);
		break;
	case ORDER_ZIPF:
		at = load_random_unit(&s->random) * s->cumulative[high];
		while (low < high) {
			size_t middle = low + (high - low) / 2;
			if (s->cumulative[middle] > at)
				high = middle;
			else
				low = middle + 1;
		}
		break;
	}
	return low;
}

// Random labels begin with a digit and a 'q', which no generated zone's names do.
static void random_label(struct load_random *r, uint8_t *out)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";

	out[0] = RANDOM_LABEL_LEN;
	out[1] = '9';
	out[2] = 'q';
	for (unsigned i = 3; i <= RANDOM_LABEL_LEN; i++)
		out[i] = (uint8_t)letters[load_random_next(r) >> 59];
}

static void label_front(struct load_query *q, size_t drop, struct load_random *r)
{
	size_t rest = q->name_len - drop;

	if (rest + 1 + RANDOM_LABEL_LEN > NAME_LEN_MAX)
		return;
	memmove(q->name + 1 + RANDOM_LABEL_LEN, q->name + drop, rest);
	random_label(r, q->name);
	q->name_len = (uint8_t)(rest + 1 + RANDOM_LABEL_LEN);
}

void load_stream_next(struct load_stream *s, struct load_query *query)
{
	uint64_t draw = load_random_below(&s->random, s->weight_sum);
	unsigned shape = 0;

	while (draw >= s->options.weight[shape])
		draw -= s->options.weight[shape++];
	load_list_get(s->list, pick(s), query);
	switch (shape) {
	case SHAPE_REFERRAL:
		label_front(query, 0, &s->random);
		query->expect = EXPECT_REFERRAL;
		break;
	case SHAPE_RANDOM:
		label_front(query, 0, &s->random);
		query->expect = EXPECT_ANY;
		break;
	case SHAPE_NXDOMAIN:
		label_front(query, query->name[0] == 0 ? 0 : 1u + query->name[0], &s->random);
		query->expect = EXPECT_NXDOMAIN;
		break;
	default:
		break;
	}
}
