// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Opens the configured ports; see port.h. Most of what can go wrong at a first start goes wrong
// here, so every failure ends in one sentence that says what to do.

#include "port.h"

#include <errno.h>
#include <glob.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "buffers.h"
#include "iface.h"
#include "log.h"
#include "port_args.h"
#include "punt.h"
#include "sink.h"
#include "xdp.h"

// What DPDK and a driver take besides: rings, devices, a page that is not full.
#define DRIVERS_MB  16
#define HEADERS_IP4 (20 + 8)
#define HEADERS_IP6 (40 + 8)

static unsigned queues_wanted(
    const struct config *config, const struct config_port *port, const struct iface *iface)
{
	unsigned workers = (unsigned)config->dataplane.worker_count;
	unsigned n = port->queues != 0 ? port->queues : workers;

	if (port->driver == CONFIG_PORT_AF_XDP && port->queues == 0)
		n = iface->queues; // the hardware spreads frames over all of them
	if (port->driver == CONFIG_PORT_PCAP || port->driver == CONFIG_PORT_RING)
		n = 1;
	return n > PORT_QUEUES_MAX ? PORT_QUEUES_MAX : n;
}

unsigned long ports_memory_mb(const struct config *config, bool hugepages)
{
	struct buffers buffers = buffers_down(config);
	size_t bytes = buffers_bytes(&buffers, hugepages);

	for (size_t i = 0; i < config->dataplane.port_count; i++) {
		const struct config_port *port = &config->dataplane.ports[i];
		struct iface iface = {.queues = 1};
		if (port_driver_has_iface(port->driver) && iface_get(port->target, &iface) != 0)
			iface.queues = 1;
		buffers = buffers_queue(port, &iface, hugepages);
		bytes += queues_wanted(config, port, &iface) * buffers_bytes(&buffers, hugepages);
	}
	return (bytes >> 20) + DRIVERS_MB;
}

static void list_interfaces(char *out, size_t cap)
{
	struct if_nameindex *all = if_nameindex();
	size_t len = 0;

	out[0] = '\0';
	for (struct if_nameindex *i = all; i != NULL && i->if_name != NULL && len < cap; i++)
		len +=
		    (size_t)snprintf(out + len, cap - len, "%s%s", len > 0 ? ", " : "", i->if_name);
	if (all != NULL)
		if_freenameindex(all);
}

static int find_interface(struct port *port, struct iface *iface)
{
	const char *name = port->config->target;
	int rc = iface_get(name, iface);

	if (rc == -ENODEV) {
		char names[512];
		list_interfaces(names, sizeof names);
		log_error(
		    "%s: there is no interface '%s' here; there are: %s.", port->name, name, names);
	} else if (rc != 0) {
		log_error("%s: cannot ask about the interface: %s.", port->name, strerror(-rc));
	} else if (geteuid() != 0) {
		log_warning("%s: this is not root; the driver needs CAP_NET_ADMIN and CAP_NET_RAW "
		            "(and CAP_BPF for af_xdp).",
		    port->name);
	}
	if (rc == 0 && !iface->up)
		log_warning("%s: the interface is down; bring it up with 'ip link set dev %s up'.",
		    port->name, name);
	return rc;
}

// A server's socket that a killed process left would keep the driver from listening.
static void remove_stale_socket(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct stat st;
	int sock;

	if (strlen(path) >= sizeof addr.sun_path || stat(path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return;
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	if (connect(sock, (void *)&addr, sizeof addr) != 0 && errno == ECONNREFUSED)
		unlink(path);
	close(sock);
}

// False only when DPDK's folder of drivers is there and this one is not in it.
static bool driver_is_installed(enum config_port_driver driver)
{
	bool found = true;
#ifdef RTE_EAL_PMD_PATH
	char pattern[512];
	glob_t matches = {0};

	if (driver == CONFIG_PORT_PCI || access(RTE_EAL_PMD_PATH, R_OK) != 0)
		return true;
	snprintf(pattern, sizeof pattern, "%s/librte_net_%s.so*", RTE_EAL_PMD_PATH,
	    port_driver_word(driver));
	found = glob(pattern, 0, NULL, &matches) != GLOB_NOMATCH;
	globfree(&matches);
#endif
	return found;
}

static int probe(struct port *port, const struct port_args *args)
{
	int rc = 0;

	if (port->config->driver != CONFIG_PORT_PCI)
		rc = rte_eal_hotplug_add("vdev", args->device, args->args);
	if (rc == 0)
		rc = rte_eth_dev_get_port_by_name(args->device, &port->id);
	if (rc == 0) {
		port->probed = true;
		return 0;
	}
	if (!driver_is_installed(port->config->driver))
		log_error("%s: DPDK's driver for this is not installed; on Debian: apt-get install "
		          "%s.",
		    port->name, port_driver_package(port->config->driver));
	else if (port->config->driver == CONFIG_PORT_PCI)
		log_error(
		    "%s: DPDK found no such device; bind it with 'dpdk-devbind.py -b vfio-pci "
		    "%s' (lspci lists devices).",
		    port->name, port->config->target);
	else if (geteuid() != 0)
		log_error(
		    "%s: DPDK's driver refused (%s); run this as root.", port->name, strerror(-rc));
	else
		log_error(
		    "%s: DPDK's driver refused '%s' (%s).", port->name, args->args, strerror(-rc));
	return rc < 0 ? rc : -EIO;
}

static int make_pools(struct port *port, unsigned index, const struct iface *iface)
{
	const struct buffers buffers =
	    buffers_queue(port->config, iface, rte_eal_has_hugepages() != 0);

	for (unsigned q = 0; q < port->queue_count; q++) {
		char name[RTE_MEMPOOL_NAMESIZE];
		snprintf(name, sizeof name, "np_%u_%u", index, q);
		// Only the worker of the queue takes from its pool; all may give back to it.
		port->pools[q] = buffers_open(name, &buffers, rte_eth_dev_socket_id(port->id));
		if (port->pools[q] == NULL) {
			log_error(
			    "%s: no memory for the buffers of queue %u of %u; raise dataplane: "
			    "memory, or reserve hugepages.",
			    port->name, q, port->queue_count);
			return -ENOMEM;
		}
	}
	return 0;
}

static int setup_failed(struct port *port, const char *what, int rc)
{
	if (port->config->driver == CONFIG_PORT_AF_XDP && geteuid() != 0)
		log_error("%s: %s failed (%s); run this as root.", port->name, what, strerror(-rc));
	else if (port->config->driver == CONFIG_PORT_AF_XDP)
		log_error("%s: %s failed (%s); does another program use AF_XDP on this interface, "
		          "or is its MTU above 3498?",
		    port->name, what, strerror(-rc));
	else
		log_error("%s: %s failed: %s.", port->name, what, strerror(-rc));
	return rc;
}

static int setup_queues(struct port *port)
{
	struct rte_eth_conf conf = {0};
	struct rte_eth_dev_info info;
	uint16_t rx_desc = BUFFERS_DESC, tx_desc = BUFFERS_DESC,
	         queues = (uint16_t)port->queue_count;
	int socket = rte_eth_dev_socket_id(port->id);
	int rc = rte_eth_dev_info_get(port->id, &info);

	if (rc != 0)
		return setup_failed(port, "asking the driver", rc);
	if (queues > info.max_rx_queues || queues > info.max_tx_queues) {
		uint16_t max = RTE_MIN(info.max_rx_queues, info.max_tx_queues);
		if (port->config->queues != 0) {
			log_error("%s: %u queues are configured, but the device has %u.",
			    port->name, queues, max);
			return -EINVAL;
		}
		queues = max;
		port->queue_count = max;
	}
	if (queues > 1 && port->config->driver == CONFIG_PORT_PCI) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf =
		    (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP) & info.flow_type_rss_offloads;
	}
	rc = rte_eth_dev_configure(port->id, queues, queues, &conf);
	if (rc != 0)
		return setup_failed(port, "configuring the device", rc);
	rc = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &rx_desc, &tx_desc);
	if (rc != 0)
		return setup_failed(port, "sizing the queues", rc);
	for (uint16_t q = 0; q < queues; q++) {
		rc = rte_eth_rx_queue_setup(
		    port->id, q, rx_desc, (unsigned)socket, NULL, port->pools[q]);
		if (rc == 0)
			rc = rte_eth_tx_queue_setup(port->id, q, tx_desc, (unsigned)socket, NULL);
		if (rc != 0)
			return setup_failed(port, "setting up a queue", rc);
	}
	return 0;
}

static void limit_replies(struct port *port, const struct iface *iface)
{
	uint16_t mtu = 0;

	if (iface->mtu != 0)
		mtu = (uint16_t)(iface->mtu > UINT16_MAX ? UINT16_MAX : iface->mtu);
	else if (rte_eth_dev_get_mtu(port->id, &mtu) != 0 || mtu == 0)
		mtu = 1500;
	if (mtu < 576)
		log_warning("%s: an MTU of %u is below what DNS needs (576).", port->name, mtu);
	port->reply_max4 = (uint16_t)(mtu > HEADERS_IP4 ? mtu - HEADERS_IP4 : 0);
	port->reply_max6 = (uint16_t)(mtu > HEADERS_IP6 ? mtu - HEADERS_IP6 : 0);
}

static int make_rules(struct port *port, const struct iface *iface)
{
	port->rules.vlan = port->config->vlan;
	port->rules.accept_partial = iface->is_virtual;
	for (size_t i = 0; i < port->config->address_count; i++) {
		int rc = frame_served_add(
		    &port->rules.served, (const struct sockaddr *)&port->config->addresses[i].addr);
		if (rc != 0) {
			log_error("%s: more than %d addresses on one port.", port->name,
			    FRAME_SERVED_MAX);
			return rc;
		}
	}
	if (port->rules.served.count == 0)
		log_warning("%s: no addresses, so nothing will be answered.", port->name);
	return 0;
}

static int port_open(struct port *port, unsigned index, const struct config *config)
{
	struct iface iface = {.queues = 1};
	struct port_args *args = NULL;
	struct rte_ether_addr mac;
	char name[RTE_RING_NAMESIZE];
	int rc;

	snprintf(port->name, sizeof port->name, "%s:%s", port_driver_word(port->config->driver),
	    port->config->target);
	if (port_driver_has_iface(port->config->driver)) {
		rc = find_interface(port, &iface);
		if (rc != 0)
			return rc;
	}
	rc = make_rules(port, &iface);
	if (rc != 0)
		return rc;
	port->queue_count = queues_wanted(config, port->config, &iface);

	if (port->config->driver == CONFIG_PORT_AF_XDP) {
		rc = xdp_open(port->config->target, iface.index, config->server.rundir, &port->xdp);
		if (rc != 0)
			return rc;
	}
	if (port->config->driver == CONFIG_PORT_MEMIF)
		remove_stale_socket(port->config->target);
	args = malloc(sizeof *args);
	if (args == NULL)
		return -ENOMEM;
	rc = port_args_build(port->config, index, port->queue_count, &iface,
	    port->xdp != NULL ? xdp_path(port->xdp) : NULL, args);
	if (rc == 0)
		rc = probe(port, args);
	free(args);
	if (rc != 0)
		return rc;

	rc = make_pools(port, index, &iface);
	if (rc == 0)
		rc = setup_queues(port);
	if (rc != 0)
		return rc;
	limit_replies(port, &iface);
	if (rte_eth_macaddr_get(port->id, &mac) == 0)
		memcpy(port->mac, mac.addr_bytes, sizeof port->mac);

	snprintf(name, sizeof name, "np_down_%u", index);
	port->down = rte_ring_create(name, BUFFERS_DOWN, SOCKET_ID_ANY, RING_F_SC_DEQ);
	if (port->down == NULL)
		return -ENOMEM;
	if (port->config->driver == CONFIG_PORT_AF_PACKET) {
		rc = sink_open(port->name, port->config, &port->sink);
		if (rc != 0)
			return rc;
	}
	if (port->config->punt && port->xdp == NULL) {
		rc = punt_open(port, config, &port->punt);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int ports_open(const struct config *config, struct ports **out)
{
	const struct buffers down = buffers_down(config);
	unsigned count = (unsigned)config->dataplane.port_count;
	struct ports *ports = calloc(1, sizeof *ports + count * sizeof ports->list[0]);
	int rc = 0;

	if (ports == NULL)
		return -ENOMEM;
	ports->down_pool = buffers_open("np_down", &down, SOCKET_ID_ANY);
	if (ports->down_pool == NULL) {
		log_error("no memory for buffers; raise dataplane: memory, or reserve hugepages.");
		rc = -ENOMEM;
	}
	for (unsigned i = 0; i < count && rc == 0; i++) {
		ports->list[i].config = &config->dataplane.ports[i];
		ports->count = i + 1;
		rc = port_open(&ports->list[i], i, config);
	}
	if (rc != 0) {
		ports_close(ports);
		return rc;
	}
	*out = ports;
	return 0;
}

int ports_start(struct ports *ports)
{
	for (unsigned i = 0; i < ports->count; i++) {
		struct port *port = &ports->list[i];
		int rc = rte_eth_dev_start(port->id);
		if (rc != 0)
			return setup_failed(port, "starting the device", rc);
		port->started = true;
		if (port->xdp != NULL) {
			rc = xdp_serve(port->xdp, &port->rules);
			if (rc != 0)
				return rc;
		}
		log_info("%s: %u queue%s, %u address%s.", port->name, port->queue_count,
		    port->queue_count == 1 ? "" : "s", port->rules.served.count,
		    port->rules.served.count == 1 ? "" : "es");
	}
	return 0;
}

static void port_close(struct port *port)
{
	punt_close(port->punt);
	if (port->started)
		rte_eth_dev_stop(port->id);
	if (port->probed)
		rte_eth_dev_close(port->id);
	xdp_close(port->xdp);
	sink_close(port->sink);
	if (port->down != NULL) {
		struct rte_mbuf *m;
		while (rte_ring_dequeue(port->down, (void **)&m) == 0)
			rte_pktmbuf_free(m);
		rte_ring_free(port->down);
	}
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		rte_mempool_free(port->pools[q]);
}

void ports_close(struct ports *ports)
{
	if (ports == NULL)
		return;
	for (unsigned i = ports->count; i-- > 0;)
		port_close(&ports->list[i]);
	rte_mempool_free(ports->down_pool);
	free(ports);
}
