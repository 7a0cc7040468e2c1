// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Lines for the operator; see log.h. The journal understands the "<n>" prefix (sd-daemon(3)), which
// is written only when stderr goes there.

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
	va_list ap;
	int n;

	n = snprintf(line, sizeof line, "%snp-dataplane: %s",
	    getenv("JOURNAL_STREAM") != NULL ? priorities[level] : "", words[level]);
	va_start(ap, format);
	int more = vsnprintf(line + n, sizeof line - (size_t)n - 1, format, ap);
	va_end(ap);
	if (more < 0)
		return;
	n += more;
	if ((size_t)n > sizeof line - 2)
		n = (int)sizeof line - 2;
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return; // nobody listens; there is nothing to be done about it
}
