// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What the kernel has of hugepages: DPDK does not start with less than it asks for.
#pragma once

// Free ones of all sizes, in MB; 0 when there are none or nothing says so.
unsigned long hugepages_free_mb(void);
