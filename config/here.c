// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What of the configuration is on this machine.
#include "here.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static bool same(const struct sockaddr *a, const struct sockaddr *b)
{
	if (a->sa_family != b->sa_family)
		return false;
	if (a->sa_family == AF_INET)
		return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)b)->sin_addr.s_addr;
	return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
	           &((const struct sockaddr_in6 *)b)->sin6_addr, sizeof(struct in6_addr)) == 0;
}

bool here_has(const struct config_address *address)
{
	const struct sockaddr *addr = (const struct sockaddr *)&address->addr;
	static const struct sockaddr_in any4 = {.sin_family = AF_INET};
	static const struct sockaddr_in6 any6 = {.sin6_family = AF_INET6};
	bool has = same(addr, (const struct sockaddr *)&any4) ||
	           same(addr, (const struct sockaddr *)&any6);
	struct ifaddrs *all;

	if (has || getifaddrs(&all) != 0)
		return true;
	for (const struct ifaddrs *one = all; one != NULL && !has; one = one->ifa_next)
		has =
		    one->ifa_addr != NULL &&
		    (one->ifa_addr->sa_family == AF_INET || one->ifa_addr->sa_family == AF_INET6) &&
		    same(addr, one->ifa_addr);
	freeifaddrs(all);
	return has;
}

const char *here_text(const struct config_address *address, char out[HERE_TEXT_MAX])
{
	const bool is4 = address->addr.ss_family == AF_INET;
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)&address->addr;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->addr;
	const void *host = is4 ? (const void *)&in4->sin_addr : &in6->sin6_addr;
	size_t len;

	if (inet_ntop(address->addr.ss_family, host, out, INET6_ADDRSTRLEN) == NULL)
		out[0] = '\0';
	len = strlen(out);
	snprintf(
	    out + len, HERE_TEXT_MAX - len, "@%u", ntohs(is4 ? in4->sin_port : in6->sin6_port));
	return out;
}
