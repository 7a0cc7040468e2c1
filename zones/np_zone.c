// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// np-zone, the offline tool: checks, compiles, shows, compares and queries zones without any
// network.

#include "np_zone.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
    {"check", zone_check},
    {"compile", zone_compile},
    {"diff", zone_diff},
    {"dump", zone_dump},
    {"query", zone_query},
};

static const char usage[] =
    "usage: np-zone check [-q] [-z ORIGIN] FILE\n"
    "       np-zone compile [-z ORIGIN] [-g GENERATION] -o IMAGE FILE\n"
    "       np-zone dump [-z ORIGIN] FILE\n"
    "       np-zone diff [-q] [-z ORIGIN] FILE FILE\n"
    "       np-zone query [-dt] [-b BYTES] [-z ORIGIN] FILE NAME [TYPE]\n"
    "FILE is a zone file or an image; ORIGIN is taken from the image or the file's name when not "
    "given.\n"
    "Exit code: 0 for good, 1 for a wrong zone or a difference, 2 for trouble.\n";

void complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("np-zone: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

int main(int argc, char **argv)
{
	if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(usage, stdout);
		return EXIT_OK;
	}
	if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
		puts("np-zone " NAMEPLANE_VERSION);
		return EXIT_OK;
	}
	for (size_t i = 0; argc >= 2 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;

		int code = commands[i].run(argc - 1, argv + 1);

		// A full disk or a closed pipe is trouble, not success.
		if (fflush(stdout) != 0 || ferror(stdout)) {
			complain("the output could not be written");
			return EXIT_TROUBLE;
		}
		return code;
	}
	fputs(usage, stderr);
	return EXIT_TROUBLE;
}
