// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See load_report.h.

#include "load_report.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const struct {
	const char *word;
	double share;
} percentiles[] = {
    {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99_9", 0.999}, {"p99_99", 0.9999}, {"max", 1}};
#define PERCENTILES (sizeof percentiles / sizeof percentiles[0])

static double latency_us(const struct load_report *r, const struct load_interval *i, double share)
{
	return (double)load_histogram_at(&i->latency, share) / r->tsc_hz * 1e6;
}

static double clear_us(const struct load_report *r, const struct load_interval *i, double share)
{
	return (double)load_histogram_at(&i->clear, share) / r->tsc_hz * 1e6;
}

static uint64_t faults(const struct load_counts *c)
{
	return c->checked - c->fault[FAULT_NONE];
}

int load_report_open(struct load_report *r, const struct load_options *options, double tsc_hz)
{
	*r = (struct load_report){.options = options, .tsc_hz = tsc_hz};
	if (options->csv == NULL)
		return 0;
	r->csv = fopen(options->csv, "we");
	if (r->csv == NULL)
		return -errno;
	fprintf(r->csv, "at,seconds,sent,received,lost,refused,strangers,faults");
	for (size_t i = 0; i < PERCENTILES; i++)
		fprintf(r->csv, ",%s_us", percentiles[i].word);
	fputc('\n', r->csv);
	return 0;
}

void load_report_tick(void *ctx, const struct load_interval *i, double now)
{
	struct load_report *r = ctx;
	const struct load_counts *c = &i->counts;
	double rate = (double)c->received / i->seconds;
	struct load_rates *rates = &r->turn[i->turn];

	if (r->options->turn_ms > 0 && rates->count < LOAD_TURNS_MAX) {
		const double ran = i->seconds - (double)c->stalled_us / 1e6;

		rates->all[rates->count] = rate;
		rates->clear[rates->count++] = ran > 0 ? (double)c->received / ran : 0;
	}
	if (i->seconds > 0.4) {
		if (r->intervals == 0 || rate > r->best)
			r->best = rate;
		if (r->intervals == 0 || rate < r->worst)
			r->worst = rate;
		r->intervals++;
	}
	if (!r->options->quiet) {
		printf("%6.1f s  %8.3f M/s sent  %8.3f M/s answered  p50 %.1f us  p99 %.1f us  "
		       "lost %" PRIu64 "  wrong %" PRIu64 "\n",
		    now, (double)c->sent / i->seconds / 1e6, rate / 1e6, latency_us(r, i, 0.5),
		    latency_us(r, i, 0.99), c->lost, faults(c));
		fflush(stdout);
	}
	if (r->csv == NULL)
		return;
	fprintf(r->csv,
	    "%.3f,%.6f,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, now,
	    i->seconds, c->sent, c->received, c->lost, c->refused, c->strangers, faults(c));
	for (size_t p = 0; p < PERCENTILES; p++)
		fprintf(r->csv, ",%.2f", latency_us(r, i, percentiles[p].share));
	fputc('\n', r->csv);
}

static void summary(const struct load_report *r, const struct load_interval *t)
{
	const struct load_counts *c = &t->counts;

	printf("%s%ssent %" PRIu64 ", answered %" PRIu64
	       " (%.3f M/s; best second %.3f, worst %.3f), "
	       "lost %" PRIu64 ", strangers %" PRIu64 "\n",
	    r->options->name, r->options->name[0] != '\0' ? ": " : "", c->sent, c->received,
	    (double)c->received / t->seconds / 1e6, r->best / 1e6, r->worst / 1e6, c->lost,
	    c->strangers);
	printf("latency us:");
	for (size_t p = 0; p < PERCENTILES; p++)
		printf(" %s %.1f", percentiles[p].word, latency_us(r, t, percentiles[p].share));
	if (c->stalls > 0)
		printf("  (without the %" PRIu64
		       " stalls of this program, %.1f ms: p99 %.1f p99_9 %.1f)",
		    c->stalls, (double)c->stalled_us / 1e3, clear_us(r, t, 0.99),
		    clear_us(r, t, 0.999));
	printf("\nrcodes:");
	for (unsigned i = 0; i < 16; i++) {
		if (c->rcode[i] > 0)
			printf(" %u: %" PRIu64, i, c->rcode[i]);
	}
	printf("  truncated: %" PRIu64 "  mean frame: %.1f bytes\nchecked %" PRIu64 ":",
	    c->truncated, c->received > 0 ? (double)c->bytes / (double)c->received : 0.0,
	    c->checked);
	for (unsigned i = 0; i < LOAD_FAULT_COUNT; i++) {
		if (c->fault[i] > 0)
			printf(" %s %" PRIu64, load_fault_word((enum load_fault)i), c->fault[i]);
	}
	printf("\n");
}

// A file name or a name given by the user.
static void json_text(FILE *f, const char *text)
{
	fputc('"', f);
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			fprintf(f, "\\%c", *p);
		else if (*p < 32)
			fprintf(f, "\\u%04x", *p);
		else
			fputc(*p, f);
	}
	fputc('"', f);
}

static void json_latency(FILE *f, const struct load_report *r, const struct load_interval *t)
{
	fprintf(f, "\"latency_us\": {");
	for (size_t p = 0; p < PERCENTILES; p++)
		fprintf(f, "%s\"%s\": %.2f", p > 0 ? ", " : "", percentiles[p].word,
		    latency_us(r, t, percentiles[p].share));
	fprintf(f,
	    "},\n \"stalls\": %" PRIu64 ", \"stalled_us\": %" PRIu64 ", \"latency_clear_us\": {",
	    t->counts.stalls, t->counts.stalled_us);
	for (size_t p = 0; p < PERCENTILES; p++)
		fprintf(f, "%s\"%s\": %.2f", p > 0 ? ", " : "", percentiles[p].word,
		    clear_us(r, t, percentiles[p].share));
	fputc('}', f);
}

static void json_rates(FILE *f, const char *word, const double *rates, unsigned count)
{
	fprintf(f, "\"%s\": [", word);
	for (unsigned i = 0; i < count; i++)
		fprintf(f, "%s%.0f", i > 0 ? ", " : "", rates[i]);
	fprintf(f, "], ");
}

// Even turns and odd ones, each with the rate of every turn.
static void json_turns(FILE *f, const struct load_report *r, const struct load_interval turn[2])
{
	fprintf(f, ",\n \"turns\": [");
	for (unsigned i = 0; i < 2; i++) {
		fprintf(f, "%s{", i > 0 ? ",\n  " : "");
		json_rates(f, "answers_per_s", r->turn[i].all, r->turn[i].count);
		json_rates(f, "clear_per_s", r->turn[i].clear, r->turn[i].count);
		json_latency(f, r, &turn[i]);
		fputc('}', f);
	}
	fputc(']', f);
}

static int json(const struct load_report *r, const struct load_run *run)
{
	const struct load_options *o = r->options;
	const struct load_interval *t = &run->total;
	const struct load_counts *c = &t->counts;
	FILE *f = fopen(o->json, "we");

	if (f == NULL)
		return -errno;
	fprintf(f, "{\"name\": ");
	json_text(f, o->name);
	fprintf(f, ", \"queries\": ");
	json_text(f, o->pattern != NULL ? o->pattern : o->queries);
	fprintf(f,
	    ", \"seconds\": %.3f, \"rate\": %.0f, \"window\": %u, \"sent\": %" PRIu64
	    ", \"received\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"refused\": %" PRIu64
	    ", \"strangers\": %" PRIu64 ", \"answers_per_s\": %.0f, \"best_second\": %.0f, "
	    "\"worst_second\": %.0f, \"truncated\": %" PRIu64 ", \"bytes\": %" PRIu64
	    ", \"checked\": %" PRIu64 ", \"faults\": %" PRIu64 ",\n ",
	    t->seconds, o->rate, o->window, c->sent, c->received, c->lost, c->refused, c->strangers,
	    (double)c->received / t->seconds, r->best, r->worst, c->truncated, c->bytes, c->checked,
	    faults(c));
	json_latency(f, r, t);
	fprintf(f, ",\n \"rcodes\": {");
	for (unsigned i = 0, n = 0; i < 16; i++) {
		if (c->rcode[i] > 0)
			fprintf(f, "%s\"%u\": %" PRIu64, n++ > 0 ? ", " : "", i, c->rcode[i]);
	}
	fprintf(f, "},\n \"checks\": {");
	for (unsigned i = 0; i < LOAD_FAULT_COUNT; i++)
		fprintf(f, "%s\"%s\": %" PRIu64, i > 0 ? ", " : "",
		    load_fault_word((enum load_fault)i), c->fault[i]);
	fputc('}', f);
	if (o->turn_ms > 0)
		json_turns(f, r, run->turn);
	fprintf(f, "}\n");
	return fclose(f) == 0 ? 0 : -errno;
}

int load_report_end(struct load_report *r, const struct load_run *run)
{
	int rc = 0;

	summary(r, &run->total);
	if (r->options->json != NULL)
		rc = json(r, run);
	if (r->csv != NULL && fclose(r->csv) != 0 && rc == 0)
		rc = -errno;
	r->csv = NULL;
	return rc;
}
