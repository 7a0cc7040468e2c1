// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The XDP program of af_xdp ports: UDP to a served address and port goes to the workers' AF_XDP
// sockets, everything else stays with the kernel. It asks only whose a frame is, as
// classify_owner() in frame.c does; what is wrong with a frame that is ours (options, fragments,
// lengths) is for the worker to see and count. Runs in the driver, for each received frame. xdp.c
// fills the maps.

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "np_xdp.h"

enum {
	TYPE_IP4 = 0x0800,
	TYPE_VLAN = 0x8100,
	TYPE_IP6 = 0x86dd,
	PROTO_HOP = 0,
	PROTO_UDP = 17,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_AH = 51,
	PROTO_OPTIONS = 60,
	IP6_HEADERS_MAX = 8, // as in frame.c
};

// DPDK's driver looks for this name and puts its sockets in.
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, NP_XDP_QUEUES_MAX);
	__type(key, __u32);
	__type(value, __u32);
} xsks_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NP_XDP_SERVED_MAX);
	__type(key, struct np_xdp_served4);
	__type(value, __u8);
} np_served4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NP_XDP_SERVED_MAX);
	__type(key, struct np_xdp_served6);
	__type(value, __u8);
} np_served6 SEC(".maps");

// One word: the 802.1Q identifier that queries carry, 0 for untagged.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} np_vlan SEC(".maps");

struct udp {
	__be16 source, dest, len, check;
};

struct ip4 {
	__u8 version_ihl, tos;
	__be16 len, id, fragment;
	__u8 ttl, protocol;
	__be16 check;
	__be32 source, dest;
};

struct ip6 {
	__u8 version, traffic[3];
	__be16 payload;
	__u8 next, hops;
	__u8 source[16], dest[16];
};

static __always_inline int to_worker(struct xdp_md *ctx)
{
	// A queue without a socket passes to the kernel rather than losing the frame.
	return bpf_redirect_map(&xsks_map, ctx->rx_queue_index, XDP_PASS);
}

static __always_inline int ip4_frame(struct xdp_md *ctx, void *at, void *end)
{
	struct ip4 *ip = at;
	struct np_xdp_served4 key = {};
	struct udp *udp;

	if ((void *)(ip + 1) > end || ip->protocol != PROTO_UDP)
		return XDP_PASS;
	if (ip->version_ihl >> 4 != 4 || (ip->version_ihl & 15) < 5)
		return XDP_PASS;
	if ((ip->fragment & bpf_htons(0x1fff)) != 0)
		return XDP_PASS;
	udp = at + (ip->version_ihl & 15) * 4;
	if ((void *)(udp + 1) > end)
		return XDP_PASS;
	key.addr = ip->dest;
	key.port = udp->dest;
	return bpf_map_lookup_elem(&np_served4, &key) != NULL ? to_worker(ctx) : XDP_PASS;
}

static __always_inline int ip6_frame(struct xdp_md *ctx, void *at, void *end)
{
	struct ip6 *ip = at;
	struct np_xdp_served6 key = {};
	struct udp *udp;
	__u8 next;

	if ((void *)(ip + 1) > end || ip->version >> 4 != 6)
		return XDP_PASS;
	next = ip->next;
	at = ip + 1;
	if (next != PROTO_UDP) {
		for (int i = 0; i < IP6_HEADERS_MAX; i++) {
			__u8 *header = at;
			__u32 len;

			if (header + 8 > (__u8 *)end)
				return XDP_PASS;
			if (next == PROTO_HOP || next == PROTO_ROUTING || next == PROTO_OPTIONS)
				len = header[1] * 8 + 8;
			else if (next == PROTO_AH)
				len = header[1] * 4 + 8;
			else if (next == PROTO_FRAGMENT)
				len = 8;
			else
				break;
			if (next == PROTO_FRAGMENT && (header[2] != 0 || (header[3] & 0xf8) != 0))
				return XDP_PASS;
			next = header[0];
			at += len;
		}
		if (next != PROTO_UDP)
			return XDP_PASS;
	}
	udp = at;
	if ((void *)(udp + 1) > end)
		return XDP_PASS;
	__builtin_memcpy(key.addr, ip->dest, sizeof key.addr);
	key.port = udp->dest;
	return bpf_map_lookup_elem(&np_served6, &key) != NULL ? to_worker(ctx) : XDP_PASS;
}

SEC("xdp")
int np_dns(struct xdp_md *ctx)
{
	__u8 *bytes = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u32 zero = 0, *vlan;
	__u16 type;

	if (bytes + 14 > (__u8 *)end)
		return XDP_PASS;
	type = bytes[12] << 8 | bytes[13];
	bytes += 14;

	vlan = bpf_map_lookup_elem(&np_vlan, &zero);
	if (vlan != NULL && *vlan != 0) {
		if (type != TYPE_VLAN || bytes + 4 > (__u8 *)end)
			return XDP_PASS;
		if (((bytes[0] << 8 | bytes[1]) & 0xfff) != *vlan)
			return XDP_PASS;
		type = bytes[2] << 8 | bytes[3];
		bytes += 4;
	}
	if (type == TYPE_IP4)
		return ip4_frame(ctx, bytes, end);
	if (type == TYPE_IP6)
		return ip6_frame(ctx, bytes, end);
	return XDP_PASS;
}

char np_license[] SEC("license") = "Dual BSD/GPL";
