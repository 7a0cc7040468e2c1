// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See load_options.h.

#include "load_options.h"

#include "hugepages.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load_run.h"

static const char help[] =
    "np-load: offers DNS queries to a server over a DPDK port and checks its replies.\n"
    "\n"
    "usage: np-load --memif SOCKET --queries FILE|--names PATTERN [OPTION...]\n"
    "\n"
    "port\n"
    "  --memif SOCKET[,ARGS]  be the client of a memif server (np-dataplane, testpmd)\n"
    "  --vdev DEVICE          any DPDK virtual device, as DPDK takes it\n"
    "  --allow PCI            a NIC bound to vfio-pci\n"
    "  --eal ARG              one more argument for DPDK; may be repeated\n"
    "  --cpu N                the CPU to run on (0)\n"
    "queries\n"
    "  --queries FILE         lines 'NAME TYPE [any|answer|referral|nodata|nxdomain|refused]'\n"
    "  --names PATTERN        'd######.example.:1000000[:TYPE[:EXPECTATION]]': so many names, "
    "counted\n"
    "                         through in the place of the #s\n"
    "  --count N              queries prepared, then sent round and round (as many as names)\n"
    "  --mix hit:N,referral:N,nxdomain:N,random:N  the name itself; below it, a delegation; a "
    "random\n"
    "                         label instead of its first; a random label in front (hit)\n"
    "  --order sequence|uniform|zipf[:S]  how names are drawn (sequence; S is 1)\n"
    "  --seed N               (1)\n"
    "  --edns SHARE --do SHARE --ipv6 SHARE  shares from 0 to 1 (1, 0, 0)\n"
    "  --cookie SHARE         of those with EDNS, how many have a client cookie (0)\n"
    "  --payload BYTES        advertised by EDNS (1232)\n"
    "  --expect WORD          for all queries, whatever the file says\n"
    "  --to ADDR --to6 ADDR   the server (192.0.2.53, 2001:db8::53)\n"
    "  --from ADDR --from6 ADDR  first client address (198.51.100.1, 2001:db8:1::1)\n"
    "  --sources N            client addresses, counting up (1)\n"
    "  --to-mac MAC --from-mac MAC\n"
    "load\n"
    "  --rate N               queries a second, whether answered or not (as many as go through)\n"
    "  --window N             queries under way at most, without --rate (1024)\n"
    "  --burst N              frames handed to the port at once, 1..64 (32)\n"
    "  --seconds N            measured time (5); --warmup N before it (1)\n"
    "  --turns MS             tell apart even and odd turns of so many ms, as np-republish does\n"
    "replies\n"
    "  --check N              look at one reply in N whole; 1: all (64)\n"
    "  --linger               when done, keep the port until standard input ends: the server goes "
    "first\n"
    "  --echo                 the peer only swaps MAC addresses (testpmd macswap)\n"
    "out\n"
    "  --name TEXT --json FILE --csv FILE --quiet\n";

enum {
	OPT_MEMIF = 256,
	OPT_VDEV,
	OPT_ALLOW,
	OPT_EAL,
	OPT_CPU,
	OPT_QUERIES,
	OPT_NAMES,
	OPT_COUNT,
	OPT_MIX,
	OPT_ORDER,
	OPT_SEED,
	OPT_EDNS,
	OPT_DO,
	OPT_IPV6,
	OPT_COOKIE,
	OPT_PAYLOAD,
	OPT_EXPECT,
	OPT_TO,
	OPT_TO6,
	OPT_FROM,
	OPT_FROM6,
	OPT_SOURCES,
	OPT_TO_MAC,
	OPT_FROM_MAC,
	OPT_RATE,
	OPT_WINDOW,
	OPT_BURST,
	OPT_SECONDS,
	OPT_WARMUP,
	OPT_TURNS,
	OPT_CHECK,
	OPT_ECHO,
	OPT_LINGER,
	OPT_NAME,
	OPT_JSON,
	OPT_CSV,
	OPT_QUIET,
	OPT_HELP,
};

static const struct option words[] = {{"memif", 1, 0, OPT_MEMIF}, {"vdev", 1, 0, OPT_VDEV},
    {"allow", 1, 0, OPT_ALLOW}, {"eal", 1, 0, OPT_EAL}, {"cpu", 1, 0, OPT_CPU},
    {"queries", 1, 0, OPT_QUERIES}, {"names", 1, 0, OPT_NAMES}, {"count", 1, 0, OPT_COUNT},
    {"mix", 1, 0, OPT_MIX}, {"order", 1, 0, OPT_ORDER}, {"seed", 1, 0, OPT_SEED},
    {"edns", 1, 0, OPT_EDNS}, {"do", 1, 0, OPT_DO}, {"ipv6", 1, 0, OPT_IPV6},
    {"cookie", 1, 0, OPT_COOKIE}, {"payload", 1, 0, OPT_PAYLOAD}, {"expect", 1, 0, OPT_EXPECT},
    {"to", 1, 0, OPT_TO}, {"to6", 1, 0, OPT_TO6}, {"from", 1, 0, OPT_FROM},
    {"from6", 1, 0, OPT_FROM6}, {"sources", 1, 0, OPT_SOURCES}, {"to-mac", 1, 0, OPT_TO_MAC},
    {"from-mac", 1, 0, OPT_FROM_MAC}, {"rate", 1, 0, OPT_RATE}, {"window", 1, 0, OPT_WINDOW},
    {"turns", 1, 0, OPT_TURNS}, {"burst", 1, 0, OPT_BURST}, {"seconds", 1, 0, OPT_SECONDS},
    {"warmup", 1, 0, OPT_WARMUP}, {"check", 1, 0, OPT_CHECK}, {"echo", 0, 0, OPT_ECHO},
    {"linger", 0, 0, OPT_LINGER}, {"name", 1, 0, OPT_NAME}, {"json", 1, 0, OPT_JSON},
    {"csv", 1, 0, OPT_CSV}, {"quiet", 0, 0, OPT_QUIET}, {"help", 0, 0, OPT_HELP}, {0}};

static bool number(const char *text, double low, double high, double *out)
{
	char *end;

	*out = strtod(text, &end);
	return end != text && *end == '\0' && *out >= low && *out <= high;
}

static bool whole(const char *text, double high, double *out)
{
	return number(text, 0, high, out) && *out == (double)(uint64_t)*out;
}

static bool mac(const char *text, uint8_t out[6])
{
	int used = 0;

	return sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &out[0], &out[1], &out[2],
	           &out[3], &out[4], &out[5], &used) == 6 &&
	       text[used] == '\0';
}

static bool order(const char *text, struct load_stream_options *stream)
{
	stream->zipf_exponent = 1;
	if (strcmp(text, "sequence") == 0)
		stream->order = ORDER_SEQUENCE;
	else if (strcmp(text, "uniform") == 0)
		stream->order = ORDER_UNIFORM;
	else if (strncmp(text, "zipf", 4) == 0 && (text[4] == '\0' || text[4] == ':'))
		stream->order = ORDER_ZIPF;
	else
		return false;
	return strncmp(text, "zipf:", 5) != 0 || number(text + 5, 0, 10, &stream->zipf_exponent);
}

static bool memif(const char *text, struct load_options *o)
{
	size_t len = strcspn(text, ",");
	int n = snprintf(o->vdev, sizeof o->vdev,
	    "net_memif0,role=client,zero-copy=%s,socket-abstract=no,socket=%.*s%s",
	    o->hugepages ? "yes" : "no", (int)len, text, text + len);

	return len > 0 && n > 0 && (size_t)n < sizeof o->vdev;
}

static bool port_option(struct load_options *o, int word, const char *text)
{
	double v = 0;

	switch (word) {
	case OPT_MEMIF:
		return memif(text, o);
	case OPT_VDEV:
		return snprintf(o->vdev, sizeof o->vdev, "%s", text) < (int)sizeof o->vdev;
	case OPT_ALLOW:
		o->allow = text;
		return true;
	case OPT_EAL:
		if (o->eal_count == LOAD_EAL_MAX)
			return false;
		o->eal[o->eal_count++] = text;
		return true;
	case OPT_CPU:
		if (!whole(text, 1023, &v))
			return false;
		o->cpu = (unsigned)v;
		return true;
	default:
		return false;
	}
}

static bool query_option(struct load_options *o, int word, const char *text)
{
	double v = 0;

	switch (word) {
	case OPT_QUERIES:
		o->queries = text;
		return true;
	case OPT_NAMES:
		o->pattern = text;
		return true;
	case OPT_COUNT:
		if (!whole(text, 1 << LOAD_UNIT_BITS, &v) || v == 0)
			return false;
		o->count = (size_t)v;
		return true;
	case OPT_MIX:
		return load_mix_parse(text, o->stream.weight) == 0;
	case OPT_ORDER:
		return order(text, &o->stream);
	case OPT_SEED:
		if (!whole(text, 1e15, &v))
			return false;
		o->stream.seed = o->packet.seed = (uint64_t)v;
		return true;
	case OPT_EDNS:
		return number(text, 0, 1, &o->packet.share_edns);
	case OPT_DO:
		return number(text, 0, 1, &o->packet.share_do);
	case OPT_IPV6:
		return number(text, 0, 1, &o->packet.share_ip6);
	case OPT_COOKIE:
		return number(text, 0, 1, &o->packet.share_cookie);
	case OPT_PAYLOAD:
		if (!whole(text, 65535, &v))
			return false;
		o->packet.udp_payload = (uint16_t)v;
		return true;
	case OPT_EXPECT:
		o->packet.expect = load_expect_from_text(text, strlen(text));
		return o->packet.expect >= 0;
	case OPT_TO:
		return inet_pton(AF_INET, text, o->packet.to4) == 1;
	case OPT_TO6:
		return inet_pton(AF_INET6, text, o->packet.to6) == 1;
	case OPT_FROM:
		return inet_pton(AF_INET, text, o->packet.from4) == 1;
	case OPT_FROM6:
		return inet_pton(AF_INET6, text, o->packet.from6) == 1;
	case OPT_SOURCES:
		if (!whole(text, 1 << 24, &v) || v == 0)
			return false;
		o->packet.sources = (uint32_t)v;
		return true;
	case OPT_TO_MAC:
		return mac(text, o->packet.mac_to);
	case OPT_FROM_MAC:
		return mac(text, o->packet.mac_from);
	default:
		return false;
	}
}

static bool load_option(struct load_options *o, int word, const char *text)
{
	double v = 0;

	switch (word) {
	case OPT_RATE:
		return number(text, 1, 1e9, &o->rate);
	case OPT_WINDOW:
		if (!whole(text, LOAD_SLOT_COUNT / 2, &v) || v == 0)
			return false;
		o->window = (unsigned)v;
		return true;
	case OPT_BURST:
		if (!whole(text, LOAD_BURST_MAX, &v) || v == 0)
			return false;
		o->burst = (unsigned)v;
		return true;
	case OPT_SECONDS:
		return number(text, 0.1, 86400, &o->seconds);
	case OPT_WARMUP:
		return number(text, 0, 3600, &o->warmup);
	case OPT_TURNS:
		if (!whole(text, 60000, &v) || v < 10)
			return false;
		o->turn_ms = (unsigned)v;
		return true;
	case OPT_CHECK:
		if (!whole(text, 1 << 30, &v) || v == 0)
			return false;
		o->check_every = (unsigned)v;
		return true;
	case OPT_ECHO:
		o->echo = true;
		return true;
	case OPT_LINGER:
		o->linger = true;
		return true;
	case OPT_NAME:
		o->name = text;
		return true;
	case OPT_JSON:
		o->json = text;
		return true;
	case OPT_CSV:
		o->csv = text;
		return true;
	case OPT_QUIET:
		o->quiet = true;
		return true;
	default:
		return false;
	}
}

static void defaults(struct load_options *o)
{
	*o = (struct load_options){
	    .hugepages = hugepages_free_mb() >= LOAD_MEMORY_MB,
	    .stream = {.seed = 1, .weight = {1}, .zipf_exponent = 1},
	    .packet = {.mac_from = {2, 0, 0, 0, 0, 1},
	        .mac_to = {2, 0, 0, 0, 0, 2},
	        .sources = 1,
	        .share_edns = 1,
	        .udp_payload = 1232,
	        .seed = 1,
	        .expect = -1},
	    .window = 1024,
	    .burst = 32,
	    .seconds = 5,
	    .warmup = 1,
	    .check_every = 64,
	    .name = "",
	};
	inet_pton(AF_INET, "192.0.2.53", o->packet.to4);
	inet_pton(AF_INET6, "2001:db8::53", o->packet.to6);
	inet_pton(AF_INET, "198.51.100.1", o->packet.from4);
	inet_pton(AF_INET6, "2001:db8:1::1", o->packet.from6);
}

int load_options_parse(struct load_options *o, int argc, char **argv)
{
	int word, index = 0;

	defaults(o);
	while ((word = getopt_long(argc, argv, "h", words, &index)) != -1) {
		bool good;
		if (word == OPT_HELP || word == 'h') {
			fputs(help, stdout);
			return -1;
		}
		if (word == '?')
			return 2;
		good = word <= OPT_CPU        ? port_option(o, word, optarg)
		       : word <= OPT_FROM_MAC ? query_option(o, word, optarg)
		                              : load_option(o, word, optarg);
		if (!good) {
			fprintf(stderr, "np-load: --%s does not take '%s'; see --help.\n",
			    words[index].name, optarg == NULL ? "" : optarg);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "np-load: '%s' belongs to no option; see --help.\n", argv[optind]);
		return 2;
	}
	if ((o->vdev[0] == '\0') == (o->allow == NULL) ||
	    (o->queries == NULL) == (o->pattern == NULL)) {
		fprintf(stderr, "np-load: one of --memif, --vdev and --allow, and one of --queries "
		                "and --names, "
		                "must be given; see --help.\n");
		return 2;
	}
	return 0;
}
