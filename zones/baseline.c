// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The CPU must have the instructions that the programs were compiled for (`-Dmarch`); without this
// the first of them would end the process by a signal that tells nobody why. In every program,
// before anything else of it runs; this file alone is compiled for any CPU.
#include <stdio.h>
#include <unistd.h>

#ifdef NAMEPLANE_BASELINE
static void __attribute__((constructor(101))) baseline_check(void)
{
	__builtin_cpu_init();
	if (__builtin_cpu_supports(NAMEPLANE_BASELINE))
		return;
	fputs("This CPU has not all instructions of " NAMEPLANE_BASELINE
	      " (AVX2, BMI2, ...), for which Nameplane was compiled: build it with "
	      "-Dmarch=x86-64-v2.\n",
	    stderr);
	_exit(1);
}
#endif
