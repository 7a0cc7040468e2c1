// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The heap in huge pages: small images, versions and entries of zones by the hundred thousand lie
// in it, and in small pages each line of theirs that a worker looks at costs a walk through the
// page tables. Where the system has no huge pages it is as it was.
#pragma once

#include <stddef.h>

// Once, before there are threads: one heap for all of them, which grows by large steps.
void heap_open(void);

// After an allocation, before what it gave is touched: asks for huge pages where the heap has
// grown. Any thread that allocates; costs two loads where it has not.
void heap_advise(void);

// `size` zeroed bytes for what is large and mostly never used: memory only once it is touched, as
// calloc() would clear it within the heap's step. NULL when out of memory.
void *heap_table(size_t size) __attribute__((warn_unused_result));
void heap_table_free(void *table, size_t size); // NULL is accepted
