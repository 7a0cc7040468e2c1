// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// In each unit test: a line of what it says is out when it ends, so that a program which dies, or
// takes too long, has told which case that was.
#include <stdio.h>

static void __attribute__((constructor)) lines_at_once(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
}
