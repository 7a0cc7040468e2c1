// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Which compiled proofs a plain question's answer takes (dns_plain.h), where the image has prepared
// all but what covers the name that does not exist: of a zone version that is a base alone, for
// names that end directly below the apex, and for those that exist. The rest is dns_denial.h's.
#pragma once

#include "dns_compiled.h"
#include "dns_plain.h"

// Post: false: dns_denial.h must find them, or one is to be rendered. Pre: the choice was made by
// lookup_direct() of what asked->probed and asked->node say.
bool plain_proofs(
    const struct plain_asked *asked, const struct choice *choice, struct proofs *proofs);

// For those of a burst that wait, in an image that is large: what plain_proofs() would look for, as
// steps that fetch what the next one looks at.

// Of a name, directly below the apex, that does not exist: its hash, and where that may be in the
// order. Pre: the image has NSEC3.
void plain_deny_hash(
    const struct image *image, const uint8_t *name, unsigned len, struct plain_denied *denied);
// Where it most likely is.
void plain_deny_guess(const struct image *image, struct plain_denied *denied);
// What covers that.
const struct image_nsec3 *plain_deny_find(
    const struct image *image, const struct plain_denied *denied);
// What proves that a name has no such type; NULL: that is not prepared.
const struct image_nsec3 *plain_deny_prepared(
    const struct image *image, const struct image_node *node);
// The record, as long as most are, once its place in the order is there.
void plain_deny_fetch(const struct image *image, const struct image_nsec3 *item);
// Post: as plain_proofs(), where `cover` covers the name.
bool plain_deny_covered(
    const struct image *image, const struct image_nsec3 *cover, struct proofs *proofs);
