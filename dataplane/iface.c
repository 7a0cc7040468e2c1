// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Asks the kernel about an interface, by ioctl; see iface.h.

#include "iface.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int query(int sock, const char *name, unsigned long request, struct ifreq *ifr, void *data)
{
	memset(ifr, 0, sizeof *ifr);
	strncpy(ifr->ifr_name, name, sizeof ifr->ifr_name - 1);
	ifr->ifr_data = data;
	return ioctl(sock, request, ifr) == 0 ? 0 : -errno;
}

int iface_get(const char *name, struct iface *out)
{
	static const char *const virtual_drivers[] = {"veth", "tun", "dummy", "bridge", "macvlan"};
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq ifr;
	int sock, rc;

	memset(out, 0, sizeof *out);
	if (strlen(name) >= IFNAMSIZ)
		return -ENODEV;
	out->index = if_nametoindex(name);
	if (out->index == 0)
		return -ENODEV;
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;

	rc = query(sock, name, SIOCGIFFLAGS, &ifr, NULL);
	if (rc == 0) {
		out->up = (ifr.ifr_flags & IFF_UP) != 0;
		rc = query(sock, name, SIOCGIFMTU, &ifr, NULL);
	}
	if (rc == 0) {
		out->mtu = (unsigned)ifr.ifr_mtu;
		rc = query(sock, name, SIOCGIFHWADDR, &ifr, NULL);
	}
	if (rc == 0)
		memcpy(out->mac, ifr.ifr_hwaddr.sa_data, sizeof out->mac);
	if (query(sock, name, SIOCETHTOOL, &ifr, &info) == 0)
		memcpy(out->driver, info.driver, sizeof out->driver - 1);
	out->queues = 1;
	if (query(sock, name, SIOCETHTOOL, &ifr, &channels) == 0 && channels.max_combined > 0 &&
	    channels.combined_count > 0)
		out->queues = channels.combined_count;
	close(sock);

	for (unsigned i = 0; i < sizeof virtual_drivers / sizeof virtual_drivers[0]; i++)
		out->is_virtual |= strcmp(out->driver, virtual_drivers[i]) == 0;
	out->is_virtual |= strcmp(name, "lo") == 0;
	return rc;
}
