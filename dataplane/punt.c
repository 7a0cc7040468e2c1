// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The punt interface; see punt.h. punt_up() is called by workers, everything else by the main
// thread and the punt thread.

#include "punt.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "buffers.h"
#include "counters.h"
#include "log.h"
#include "port.h"
#include "rate.h"

enum punt_class {
	PUNT_CONTROL,
	PUNT_TCP,
	PUNT_OTHER,
	PUNT_CLASSES,
};

static_assert(PUNT_CLASSES == 3, "buffers.c counts three rings of BUFFERS_PUNT frames");

#define PUNT_BURST    32
#define PUNT_SLEEP_US 200 // between looks at the rings when they are empty

// Frames a second up, all workers together. Enough for TCP service of the kernel at a few hundred
// Mbit/s; far below what would occupy the cores the kernel lives on.
static const unsigned class_rate[PUNT_CLASSES] = {
    [PUNT_CONTROL] = 20000,
    [PUNT_TCP] = 100000,
    [PUNT_OTHER] = 20000,
};

struct punt {
	char ifname[IFNAMSIZ];
	int tap;
	struct rte_ring *up[PUNT_CLASSES]; // workers: put; punt thread: gets
	struct rte_mempool *down_pool;
	struct port *port;
	pthread_t thread;
	bool started;
	_Atomic bool stop;
	unsigned worker_count;
	struct {
		struct rate rate[PUNT_CLASSES];
	} __attribute__((aligned(64))) worker[]; // one each, its own
};

static int tap_ioctl(int sock, unsigned long request, struct ifreq *ifr)
{
	return ioctl(sock, request, ifr) == 0 ? 0 : -errno;
}

static int tap_open(struct punt *p, const struct port *port)
{
	struct ifreq ifr = {0};
	int sock, rc;

	p->tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (p->tap < 0)
		return -errno;
	strcpy(ifr.ifr_name, "nppunt%d"); // the kernel numbers them
	ifr.ifr_flags = IFF_TAP | IFF_NO_PI;
	rc = tap_ioctl(p->tap, TUNSETIFF, &ifr);
	if (rc != 0)
		return rc;
	memcpy(p->ifname, ifr.ifr_name, sizeof p->ifname);

	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(ifr.ifr_hwaddr.sa_data, port->mac, sizeof port->mac);
	rc = tap_ioctl(sock, SIOCSIFHWADDR, &ifr);
	ifr.ifr_mtu = port->reply_max4 + 28;
	if (rc == 0)
		rc = tap_ioctl(sock, SIOCSIFMTU, &ifr);
	if (rc == 0)
		rc = tap_ioctl(sock, SIOCGIFFLAGS, &ifr);
	ifr.ifr_flags |= IFF_UP;
	if (rc == 0)
		rc = tap_ioctl(sock, SIOCSIFFLAGS, &ifr);
	close(sock);
	return rc;
}

int punt_open(const struct port *port, const struct config *config, struct punt **out)
{
	unsigned workers = (unsigned)config->dataplane.worker_count;
	struct punt *p = NULL;
	uint64_t now = rte_rdtsc();
	int rc;

	if (posix_memalign((void **)&p, 64, sizeof *p + workers * sizeof p->worker[0]) != 0)
		return -ENOMEM;
	memset(p, 0, sizeof *p + workers * sizeof p->worker[0]);
	p->worker_count = workers;
	p->tap = -1;
	rc = tap_open(p, port);
	if (rc != 0) {
		log_error("%s: cannot make the punt interface (%s); load the tun module and run "
		          "this as root, or set punt: false.",
		    port->name, strerror(-rc));
		punt_close(p);
		return rc;
	}
	for (unsigned c = 0; c < PUNT_CLASSES; c++) {
		char name[RTE_RING_NAMESIZE];
		snprintf(name, sizeof name, "np_up_%u_%u", port->id, c);
		p->up[c] = rte_ring_create(name, BUFFERS_PUNT, SOCKET_ID_ANY, RING_F_SC_DEQ);
		if (p->up[c] == NULL) {
			punt_close(p);
			return -ENOMEM;
		}
		for (unsigned w = 0; w < workers; w++) {
			unsigned rate = class_rate[c] / workers > 0 ? class_rate[c] / workers : 1;
			rate_init(
			    &p->worker[w].rate[c], rte_get_tsc_hz(), rate, rate / 20 + 1, now);
		}
	}
	log_info("%s: what is not DNS goes to the interface %s.", port->name, p->ifname);
	*out = p;
	return 0;
}

void punt_up(struct punt *p, struct rte_mbuf *m, enum frame_verdict verdict, uint64_t now,
    unsigned worker, struct thread_counters *counters)
{
	enum punt_class c = verdict == FRAME_PUNT_CONTROL ? PUNT_CONTROL
	                    : verdict == FRAME_PUNT_TCP   ? PUNT_TCP
	                                                  : PUNT_OTHER;

	if (!rate_allow(&p->worker[worker].rate[c], now)) {
		counters_add(&counters->thread[COUNT_punt_capped], 1);
		rte_pktmbuf_free(m);
	} else if (rte_ring_enqueue(p->up[c], m) != 0) {
		counters_add(&counters->thread[COUNT_punt_full], 1);
		rte_pktmbuf_free(m);
	} else {
		counters_add(&counters->thread[COUNT_punt_up], 1);
	}
}

// Writes what workers put up. Returns the number of frames.
static unsigned move_up(struct punt *p)
{
	struct rte_mbuf *burst[PUNT_BURST];
	unsigned total = 0;

	for (unsigned c = 0; c < PUNT_CLASSES; c++) {
		unsigned n = rte_ring_dequeue_burst(p->up[c], (void **)burst, PUNT_BURST, NULL);
		for (unsigned i = 0; i < n; i++) {
			// A full TAP drops, as any interface does.
			if (write(p->tap, rte_pktmbuf_mtod(burst[i], void *), burst[i]->data_len) <
			    0)
				errno = 0;
			rte_pktmbuf_free(burst[i]);
		}
		total += n;
	}
	return total;
}

static unsigned move_down(struct punt *p)
{
	unsigned n;

	for (n = 0; n < PUNT_BURST; n++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(p->down_pool);
		if (m == NULL)
			break;
		ssize_t len = read(p->tap, rte_pktmbuf_mtod(m, void *), rte_pktmbuf_tailroom(m));
		if (len <= 0) {
			rte_pktmbuf_free(m);
			break;
		}
		m->data_len = (uint16_t)len;
		m->pkt_len = (uint32_t)len;
		if (rte_ring_enqueue(p->port->down, m) != 0)
			rte_pktmbuf_free(m);
	}
	return n;
}

static void *punt_run(void *arg)
{
	struct punt *p = arg;

	while (!atomic_load_explicit(&p->stop, memory_order_relaxed)) {
		if (move_up(p) + move_down(p) == 0) {
			struct pollfd tap = {.fd = p->tap, .events = POLLIN};
			struct timespec t = {.tv_nsec = PUNT_SLEEP_US * 1000};
			ppoll(&tap, 1, &t, NULL);
		}
	}
	return NULL;
}

int punt_start(struct punt *p, struct port *port, void *down_pool)
{
	int rc;

	p->port = port;
	p->down_pool = down_pool;
	rc = -pthread_create(&p->thread, NULL, punt_run, p);
	p->started = rc == 0;
	if (p->started)
		pthread_setname_np(p->thread, "np-punt");
	return rc;
}

void punt_close(struct punt *p)
{
	if (p == NULL)
		return;
	if (p->started) {
		atomic_store_explicit(&p->stop, true, memory_order_relaxed);
		pthread_join(p->thread, NULL);
	}
	for (unsigned c = 0; c < PUNT_CLASSES; c++) {
		struct rte_mbuf *m;
		while (p->up[c] != NULL && rte_ring_dequeue(p->up[c], (void **)&m) == 0)
			rte_pktmbuf_free(m);
		rte_ring_free(p->up[c]);
	}
	if (p->tap >= 0)
		close(p->tap); // takes the interface with it
	free(p);
}
