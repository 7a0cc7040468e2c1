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
