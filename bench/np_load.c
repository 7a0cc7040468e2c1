// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// np-load: a DNS load generator and checker on a DPDK port, all on one CPU. README.md beside this
// says how figures are taken with it.

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "load_options.h"
#include "load_port.h"
#include "load_report.h"
#include "load_run.h"

static volatile int stop;

static void on_signal(int number)
{
	(void)number;
	stop++;
}

// Post: 0; or -1 and what is wrong has been said.
static int names(const struct load_options *o, struct load_list *list)
{
	unsigned line = 0;
	int rc = o->pattern != NULL ? load_list_generate(list, o->pattern)
	                            : load_list_read(list, o->queries, &line);

	if (rc != 0 && line > 0)
		fprintf(stderr, "np-load: %s:%u: not a query.\n", o->queries, line);
	else if (rc == -EINVAL && o->pattern != NULL)
		fprintf(stderr, "np-load: --names does not take '%s'; see --help.\n", o->pattern);
	else if (rc != 0)
		fprintf(stderr, "np-load: %s: %s.\n", o->pattern != NULL ? o->pattern : o->queries,
		    strerror(-rc));
	else if (list->count == 0)
		fprintf(stderr, "np-load: %s: no queries.\n", o->queries);
	return rc == 0 && list->count > 0 ? 0 : -1;
}

static int prepare(const struct load_options *o, struct load_templates *templates)
{
	struct load_list list = {0};
	struct load_stream stream;
	int rc = names(o, &list);

	if (rc != 0) {
		load_list_free(&list);
		return rc;
	}
	rc = load_stream_open(&stream, &list, &o->stream);
	if (rc == 0) {
		rc = load_templates_build(
		    templates, &stream, &o->packet, o->count > 0 ? o->count : list.count);
		load_stream_close(&stream);
	}
	if (rc == -EFBIG)
		fprintf(stderr, "np-load: that many queries do not fit; give a smaller --count.\n");
	else if (rc != 0)
		fprintf(stderr, "np-load: no memory for the queries.\n");
	load_list_free(&list);
	return rc;
}

// A server whose peer goes away while it looks at the port may look at memory that is gone (DPDK's
// memif does): so that it can be ended first, this waits until whoever started it closes the pipe.
static void linger(void)
{
	char byte;

	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
}

static int measure(const struct load_options *o, const struct load_templates *templates,
    const struct load_port *port)
{
	static struct load_run run;       // histograms are large
	static struct load_report report; // and so are the rates of turns
	uint64_t wrong;
	int rc = load_report_open(&report, o, (double)rte_get_tsc_hz());

	if (rc != 0) {
		fprintf(stderr, "np-load: %s: %s.\n", o->csv, strerror(-rc));
		return 1;
	}
	run.options = o;
	run.templates = templates;
	run.port = port;
	run.tsc_hz = report.tsc_hz;
	run.tick = load_report_tick;
	run.tick_ctx = &report;
	if (load_run(&run, &stop) != 0) {
		fprintf(stderr, "np-load: no memory.\n");
		return 1;
	}
	rc = load_report_end(&report, &run);
	if (rc != 0) {
		fprintf(stderr, "np-load: the report could not be written: %s.\n", strerror(-rc));
		return 1;
	}
	wrong = run.total.counts.checked - run.total.counts.fault[FAULT_NONE];
	return run.total.counts.received == 0 || wrong > 0 ? 3 : 0;
}

int main(int argc, char **argv)
{
	struct load_options options;
	struct load_templates templates = {0};
	struct load_port port;
	int rc = load_options_parse(&options, argc, argv);

	if (rc != 0)
		return rc < 0 ? 0 : rc;
	if (prepare(&options, &templates) != 0)
		return 2;
	rc = 1;
	if (load_port_open(&port, &options) == 0) {
		signal(SIGINT, on_signal);
		signal(SIGTERM, on_signal);
		rc = measure(&options, &templates, &port);
		if (options.linger && stop == 0)
			linger();
		load_port_close(&port);
	}
	load_templates_free(&templates);
	return rc;
}
