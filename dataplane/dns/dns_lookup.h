// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Where a question ends in its zone, starting from the node that stage 2 found.
#pragma once

#include "dns.h"

// Pre: dns_match() was called. Post: as version_lookup(); but `encloser` of an NXDOMAIN is set only
// when `need_encloser`.
void dns_lookup(struct dns_query *query, bool need_encloser, struct lookup *out);
