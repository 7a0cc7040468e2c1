// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The YAML text as a tree in which each node knows its line and column. Small nodes, because a zone
// list may have a million entries. Anchors, aliases and a second document are refused.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "pool.h"

#define TREE_DEPTH_MAX 12 // our deepest word lies at 6

enum node_kind {
	NODE_SCALAR,
	NODE_LIST,
	NODE_MAP, // children alternate: key, value
};

struct node {
	const char *text;   // of a scalar, NUL-terminated, no NUL inside
	struct node *child; // first of a list or map
	struct node *next;  // sibling
	uint32_t len;
	uint32_t line, column; // from 1
	uint8_t kind;
	bool plain; // a scalar without quotes
};

// Post: 0 and *root (owned by the pool; NULL when the text holds nothing); or -EINVAL, -ENOMEM and
// *error filled.
int tree_parse(const char *text, size_t len, struct pool *pool, struct node **root,
    struct config_error *error) __attribute__((warn_unused_result));

// One sentence at the node's place; returns -EINVAL.
int tree_error(struct config_error *error, const struct node *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

int tree_no_memory(struct config_error *error); // returns -ENOMEM

// The start of a scalar's text, safe to print: anything but printable ASCII becomes '?'.
#define TREE_SHOW_MAX 72
const char *tree_show(const struct node *node, char out[TREE_SHOW_MAX]);
