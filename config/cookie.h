// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The words of DNS Cookies in the section server. Internal to config/.
#pragma once

#include "mapping.h"

// A list of one or two secrets in hexadecimal.
int field_cookie_secrets(struct reader *, const struct node *, const struct field *, void *);
