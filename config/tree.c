// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// YAML events to a tree with marks; see tree.h. The stack of open nodes is bounded, nothing
// recurses.
#include "tree.h"

#include <yaml.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct builder {
	struct pool *pool;
	struct config_error *error;
	struct node *root;
	struct {
		struct node *node;
		struct node *last; // its newest child
	} open[TREE_DEPTH_MAX];
	unsigned depth;
	unsigned documents;
};

int tree_error(struct config_error *error, const struct node *at, const char *format, ...)
{
	va_list args;

	error->line = at->line;
	error->column = at->column;
	va_start(args, format);
	vsnprintf(error->message, sizeof(error->message), format, args);
	va_end(args);
	return -EINVAL;
}

int tree_no_memory(struct config_error *error)
{
	error->line = 0;
	error->column = 0;
	snprintf(error->message, sizeof(error->message), "Out of memory.");
	return -ENOMEM;
}

const char *tree_show(const struct node *node, char out[TREE_SHOW_MAX])
{
	static const char kinds[][10] = {[NODE_LIST] = "a list", [NODE_MAP] = "a mapping"};
	size_t len = 0;

	if (node->kind != NODE_SCALAR) {
		snprintf(out, TREE_SHOW_MAX, "%s", kinds[node->kind]);
		return out;
	}
	for (; len < node->len && len < TREE_SHOW_MAX - 4; len++)
		out[len] = node->text[len];
	for (size_t i = 0; i < len; i++)
		if (out[i] < 0x20 || out[i] > 0x7e)
			out[i] = '?';
	strcpy(out + len, len < node->len ? "..." : "");
	return out;
}

// libyaml counts lines and columns from 0, in characters.
static void node_mark(struct node *node, const yaml_mark_t *mark)
{
	node->line = (uint32_t)mark->line + 1;
	node->column = (uint32_t)mark->column + 1;
}

static int builder_refuse(struct builder *b, const yaml_mark_t *mark, const char *sentence)
{
	struct node at = {0};

	node_mark(&at, mark);
	return tree_error(b->error, &at, "%s", sentence);
}

static int builder_add(
    struct builder *b, enum node_kind kind, const yaml_event_t *event, struct node **out)
{
	struct node *node = pool_alloc(b->pool, sizeof(*node));

	if (node == NULL)
		return tree_no_memory(b->error);
	node->kind = (uint8_t)kind;
	node_mark(node, &event->start_mark);
	if (b->depth == 0) {
		b->root = node;
	} else {
		struct node **last = &b->open[b->depth - 1].last;

		if (*last != NULL)
			(*last)->next = node;
		else
			b->open[b->depth - 1].node->child = node;
		*last = node;
	}
	*out = node;
	return 0;
}

static int builder_scalar(struct builder *b, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	struct node *node = NULL;
	int rc;

	if (memchr(text, '\0', len) != NULL)
		return builder_refuse(b, &event->start_mark, "A value holds a NUL byte.");
	rc = builder_add(b, NODE_SCALAR, event, &node);
	if (rc < 0)
		return rc;
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->len = (uint32_t)len;
	node->text = pool_text(b->pool, text, len);
	return node->text != NULL ? 0 : tree_no_memory(b->error);
}

static int builder_open(struct builder *b, enum node_kind kind, const yaml_event_t *event)
{
	struct node *node = NULL;
	int rc;

	if (b->depth == TREE_DEPTH_MAX)
		return builder_refuse(b, &event->start_mark, "The nesting is too deep.");
	rc = builder_add(b, kind, event, &node);
	if (rc < 0)
		return rc;
	b->open[b->depth].node = node;
	b->open[b->depth].last = NULL;
	b->depth++;
	return 0;
}

static int builder_event(struct builder *b, const yaml_event_t *event)
{
	static const char anchors[] = "Anchors and aliases are not used here; write the value out.";

	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (b->documents++ > 0)
			return builder_refuse(
			    b, &event->start_mark, "A second YAML document is not used here.");
		return 0;
	case YAML_ALIAS_EVENT:
		return builder_refuse(b, &event->start_mark, anchors);
	case YAML_SCALAR_EVENT:
		if (event->data.scalar.anchor != NULL)
			return builder_refuse(b, &event->start_mark, anchors);
		return builder_scalar(b, event);
	case YAML_SEQUENCE_START_EVENT:
		if (event->data.sequence_start.anchor != NULL)
			return builder_refuse(b, &event->start_mark, anchors);
		return builder_open(b, NODE_LIST, event);
	case YAML_MAPPING_START_EVENT:
		if (event->data.mapping_start.anchor != NULL)
			return builder_refuse(b, &event->start_mark, anchors);
		return builder_open(b, NODE_MAP, event);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		b->depth--;
		return 0;
	default:
		return 0;
	}
}

// A byte that is no UTF-8 is reported by libyaml as an offset into the text, not as a mark.
static void error_from_offset(struct config_error *error, const char *text, size_t offset)
{
	error->line = 1;
	error->column = 1;
	for (size_t i = 0; i < offset; i++) {
		error->column++;
		if (text[i] == '\n') {
			error->line++;
			error->column = 1;
		}
	}
}

// Whether the error is where a tab is.
static bool is_tab(const char *text, size_t len, const struct config_error *error)
{
	const char *at = text, *end = text + len;

	for (unsigned line = 1; line < error->line && at != NULL; line++) {
		at = memchr(at, '\n', (size_t)(end - at));
		at = at != NULL ? at + 1 : NULL;
	}
	return at != NULL && (size_t)(end - at) >= error->column && at[error->column - 1] == '\t';
}

static int parser_error(
    const yaml_parser_t *parser, const char *text, size_t len, struct config_error *error)
{
	const char *problem = parser->problem != NULL ? parser->problem : "unreadable text";

	if (parser->error == YAML_MEMORY_ERROR)
		return tree_no_memory(error);
	if (parser->error == YAML_READER_ERROR) {
		error_from_offset(
		    error, text, parser->problem_offset < len ? parser->problem_offset : len);
		snprintf(
		    error->message, sizeof(error->message), "This is not UTF-8 text: %s.", problem);
		return -EINVAL;
	}
	error->line = (unsigned)parser->problem_mark.line + 1;
	error->column = (unsigned)parser->problem_mark.column + 1;
	if (parser->error == YAML_SCANNER_ERROR && is_tab(text, len, error)) {
		snprintf(error->message, sizeof(error->message),
		    "This is not YAML, which is indented with spaces: here is a tab.");
		return -EINVAL;
	}
	snprintf(error->message, sizeof(error->message), "This is not YAML: %s%s%s.",
	    parser->context != NULL ? parser->context : "", parser->context != NULL ? ", " : "",
	    problem);
	return -EINVAL;
}

int tree_parse(
    const char *text, size_t len, struct pool *pool, struct node **root, struct config_error *error)
{
	struct builder b = {.pool = pool, .error = error};
	yaml_parser_t parser;
	bool done = false;
	int rc = 0;

	*root = NULL;
	if (yaml_parser_initialize(&parser) == 0)
		return tree_no_memory(error);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	while (!done && rc == 0) {
		yaml_event_t event;

		if (yaml_parser_parse(&parser, &event) == 0) {
			rc = parser_error(&parser, text, len, error);
			break;
		}
		done = event.type == YAML_STREAM_END_EVENT;
		rc = builder_event(&b, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	if (rc == 0)
		*root = b.root;
	return rc;
}
