// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The other end of compiler.c: a process without keys, network and files that turns records into an
// image. The control plane starts itself again with COMPILER_ARGUMENT; this runs instead of main.
#pragma once

#include <stdint.h>

#include "compile.h"
#include "compiler.h"

#define COMPILER_ARGUMENT "--compiler-child"
#define COMPILER_SOCKET   3 // the child's end of a SOCK_SEQPACKET pair

// With two descriptors: the batch of records (read only) and the memfd for the image.
struct compiler_request {
	uint64_t batch_size;
	uint64_t image_cap; // address space for the image
	struct compile_options options;
	uint32_t count; // as in compiler_job
	uint64_t images_at;
};

struct compiler_reply {
	int32_t rc;    // 0 or -errno of compile_image()
	uint64_t used; // bytes of the image
	union {
		char error[COMPILE_ERROR_MAX]; // rc is not 0
		uint32_t sizes[COMPILER_MANY];
	};
};

// Post: the exit code of the process. Ends when the socket does.
int compiler_child_main(void);
