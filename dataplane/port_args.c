// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Driver arguments of a port; see port_args.h.

#include "port_args.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *word, *package;
	bool iface;
} drivers[] = {
    [CONFIG_PORT_AF_XDP] = {"af_xdp", "librte-net-af-xdp23", true},
    [CONFIG_PORT_AF_PACKET] = {"af_packet", "librte-net-af-packet23", true},
    [CONFIG_PORT_MEMIF] = {"memif", "librte-net-memif23", false},
    [CONFIG_PORT_TAP] = {"tap", "librte-net-tap23", false},
    [CONFIG_PORT_PCAP] = {"pcap", "librte-net-pcap23", false},
    [CONFIG_PORT_RING] = {"ring", "librte-net-ring23", false},
    [CONFIG_PORT_PCI] = {"pci", "librte-meta-net", false},
};

const char *port_driver_word(enum config_port_driver driver)
{
	return drivers[driver].word;
}

const char *port_driver_package(enum config_port_driver driver)
{
	return drivers[driver].package;
}

bool port_driver_has_iface(enum config_port_driver driver)
{
	return drivers[driver].iface;
}

static bool has_key(const char *args, const char *key)
{
	size_t len = strlen(key);

	for (const char *p = args; *p != '\0'; p += strcspn(p, ","), p += *p == ',') {
		if (strncmp(p, key, len) == 0 && p[len] == '=')
			return true;
	}
	return false;
}

// Appends "key=value" unless the operator gave that key.
static void __attribute__((format(printf, 4, 5))) fill(
    struct port_args *out, const struct config_port *port, const char *key, const char *format, ...)
{
	size_t len = strlen(out->args);
	char value[4200];
	va_list ap;

	if (has_key(port->args, key))
		return;
	va_start(ap, format);
	vsnprintf(value, sizeof value, format, ap);
	va_end(ap);
	snprintf(
	    out->args + len, sizeof out->args - len, "%s%s=%s", len > 0 ? "," : "", key, value);
}

int port_args_build(const struct config_port *port, unsigned index, unsigned queues,
    const struct iface *iface, const char *xdp_prog, struct port_args *out)
{
	if (port->driver == CONFIG_PORT_PCI)
		snprintf(out->device, sizeof out->device, "%s", port->target);
	else
		snprintf(
		    out->device, sizeof out->device, "net_%s%u", drivers[port->driver].word, index);
	if (strlen(port->target) > 4096 || strlen(port->args) > PORT_ARGS_MAX / 4)
		return -ENAMETOOLONG;
	snprintf(out->args, sizeof out->args, "%s", port->args);

	switch (port->driver) {
	case CONFIG_PORT_AF_XDP:
		fill(out, port, "iface", "%s", port->target);
		fill(out, port, "start_queue", "0");
		fill(out, port, "queue_count", "%u", queues);
		fill(out, port, "xdp_prog", "%s", xdp_prog);
		// Busy polling needs a driver that polls with the socket's own NAPI; on virtual
		// links nothing would ever be received.
		if (iface->is_virtual)
			fill(out, port, "busy_budget", "0");
		break;
	case CONFIG_PORT_AF_PACKET:
		fill(out, port, "iface", "%s", port->target);
		fill(out, port, "qpairs", "%u", queues);
		fill(out, port, "blocksz", "%u", 65536u);
		fill(out, port, "framesz", "%u", 2048u);
		fill(out, port, "framecnt", "%u", 4096u);
		fill(out, port, "qdisc_bypass", "1");
		break;
	case CONFIG_PORT_MEMIF:
		fill(out, port, "role", "server");
		fill(out, port, "id", "0");
		fill(out, port, "socket", "%s", port->target);
		fill(out, port, "socket-abstract", "no");
		break;
	case CONFIG_PORT_TAP:
		fill(out, port, "iface", "%s", port->target);
		break;
	case CONFIG_PORT_PCAP:
		if (!has_key(port->args, "iface")) {
			fill(out, port, "rx_pcap", "%s", port->target);
			fill(out, port, "tx_pcap", "%s.replies", port->target);
		}
		break;
	case CONFIG_PORT_RING:
	case CONFIG_PORT_PCI:
		break;
	}
	return strlen(out->args) + 1 < sizeof out->args ? 0 : -ENAMETOOLONG;
}
