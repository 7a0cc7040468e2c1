// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Lines for the operator; see log.h.
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void log_line(enum log_level level, const char *format, ...)
{
	static const char *const words[] = {"error: ", "warning: ", ""};
	static const char *const priorities[] = {"<3>", "<4>", "<6>"};
	char line[1024];
	size_t len;
	va_list args;

	len = (size_t)snprintf(line, sizeof(line), "%snp-controlplane: %s",
	    getenv("JOURNAL_STREAM") != NULL ? priorities[level] : "", words[level]);
	va_start(args, format);
	vsnprintf(line + len, sizeof(line) - len - 1, format, args);
	va_end(args);
	// Names and peers' words were escaped where they came in; this is the second line.
	for (len = 0; line[len] != '\0'; len++)
		if ((unsigned char)line[len] < ' ')
			line[len] = ' ';
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; // nobody reads: no reason to stop serving
}
