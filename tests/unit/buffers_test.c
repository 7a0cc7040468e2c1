// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// How large packet buffers are: what AF_XDP's driver and the kernel take, whatever the link.
#include "buffers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "frame.h"

#define CHUNK_MIN 2048 // xdp_umem_reg() in Linux refuses others
#define CHUNK_MAX 4096
#define XDP_ROOM  256 // before each frame

static void the_kernel_takes_the_buffers_of_any_link(void **state)
{
	const struct config_port port = {.driver = CONFIG_PORT_AF_XDP};

	for (unsigned mtu = 68; mtu < 1600; mtu++) {
		for (unsigned i = 0; i < 4; i++) {
			const struct iface iface = {
			    .queues = 1, .mtu = mtu, .is_virtual = (i & 1) != 0};
			const struct buffers b = buffers_queue(&port, &iface, (i & 2) != 0);
			const size_t chunk =
			    sizeof(struct rte_mempool_objhdr) + sizeof(struct rte_mbuf) + b.room;

			assert_in_range(chunk, CHUNK_MIN, CHUNK_MAX);
			// A frame of the link, with an Ethernet header and a tag.
			assert_true(b.room - RTE_PKTMBUF_HEADROOM - XDP_ROOM >= mtu + 14u + 4u);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_kernel_takes_the_buffers_of_any_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
