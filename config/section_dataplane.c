// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The section dataplane: workers, ports and their devices, TCP limits, EAL memory.
#include "sections.h"

#include <arpa/inet.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "value.h"

#define QUEUES_MAX 64   // more than any port gets workers
#define VLAN_MAX   4094 // 802.1Q: 0 and 4095 are no VLAN
#define DNS_PORT   53
#define ARGS_MAX   1024

static const char drivers[][10] = {
    [CONFIG_PORT_AF_XDP] = "af_xdp",
    [CONFIG_PORT_AF_PACKET] = "af_packet",
    [CONFIG_PORT_MEMIF] = "memif",
    [CONFIG_PORT_TAP] = "tap",
    [CONFIG_PORT_PCAP] = "pcap",
    [CONFIG_PORT_RING] = "ring",
    [CONFIG_PORT_PCI] = "pci",
};

// DRIVER:TARGET
static int device_name(struct reader *r, const struct node *value, struct config_port *port)
{
	char shown[TREE_SHOW_MAX];
	const char *colon;
	size_t driver = 0;
	int rc = expect_scalar(r, value, "device");

	if (rc < 0)
		return rc;
	colon = strchr(value->text, ':');
	while (driver < FIELD_COUNT(drivers) && colon != NULL &&
	       (strlen(drivers[driver]) != (size_t)(colon - value->text) ||
	           strncmp(drivers[driver], value->text, strlen(drivers[driver])) != 0))
		driver++;
	if (colon == NULL || driver == FIELD_COUNT(drivers))
		return tree_error(r->error, value,
		    "'device' is '%s', but must be DRIVER:TARGET with a driver of af_xdp, "
		    "af_packet, memif, tap, pcap, ring, pci.",
		    tree_show(value, shown));
	// The target becomes part of a list of driver arguments, where a comma would end it.
	if (colon[1] == '\0' || strpbrk(colon + 1, ", \t\n") != NULL)
		return tree_error(r->error, value,
		    "'device' is '%s', but what stands behind the colon must be a name or path "
		    "without commas and spaces.",
		    tree_show(value, shown));
	port->driver = (enum config_port_driver)driver;
	port->target = pool_text(r->pool, colon + 1, strlen(colon + 1));
	return port->target != NULL ? 0 : tree_no_memory(r->error);
}

// The words of a device mapping other than `name` go to the driver as they are.
static int device_args(struct reader *r, const struct node *map, struct config_port *port)
{
	char args[ARGS_MAX] = "", shown[TREE_SHOW_MAX];
	size_t len = 0;

	for (const struct node *key = map->child; key != NULL; key = key->next->next) {
		const struct node *value = key->next;

		if (key->kind != NODE_SCALAR || key->len == 0 || strpbrk(key->text, "=, \t\n"))
			return tree_error(r->error, key,
			    "'%s' is not the name of a driver argument.", tree_show(key, shown));
		for (const struct node *k = map->child; k != key; k = k->next->next)
			if (strcmp(k->text, key->text) == 0)
				return tree_error(r->error, key, "Duplicate key '%s' in a device.",
				    tree_show(key, shown));
		if (strcmp(key->text, "name") == 0)
			continue;
		if (value->kind != NODE_SCALAR || strpbrk(value->text, ", \t\n") != NULL)
			return tree_error(r->error, value,
			    "The driver argument '%s' takes one value without commas and spaces.",
			    key->text);
		len += (size_t)snprintf(args + len, sizeof(args) - len, "%s%s=%s",
		    len > 0 ? "," : "", key->text, value->text);
		if (len >= sizeof(args))
			return tree_error(r->error, key, "The driver arguments are too long.");
	}
	port->args = pool_text(r->pool, args, len);
	return port->args != NULL ? 0 : tree_no_memory(r->error);
}

static int field_device(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	struct config_port *port = base;
	const struct node *name = value;
	int rc;

	if (value->kind == NODE_MAP) {
		name = map_get(value, "name");
		if (name == NULL)
			return tree_error(r->error, value, "A device has no 'name'.");
	}
	rc = device_name(r, name, port);
	if (rc == 0)
		rc = device_args(r, value, port);
	return rc;
}

static int field_vlan(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	struct config_port *port = base;
	struct field number = *field;
	unsigned vlan;
	int rc;

	number.offset = 0;
	rc = field_number(r, value, &number, &vlan);
	if (rc == 0)
		port->vlan = (uint16_t)vlan;
	return rc;
}

enum { PORT_DEVICE, PORT_ADDRESSES, PORT_QUEUES, PORT_VLAN, PORT_PUNT };

static const struct field port_fields[] = {
    [PORT_DEVICE] = {"device", field_device},
    [PORT_ADDRESSES] = {"addresses", field_addresses, offsetof(struct config_port, addresses),
        offsetof(struct config_port, address_count), .min = DNS_PORT},
    [PORT_QUEUES] = {"queues", field_number, offsetof(struct config_port, queues), .min = 1,
        .max = QUEUES_MAX},
    [PORT_VLAN] = {"vlan", field_vlan, .min = 1, .max = VLAN_MAX},
    [PORT_PUNT] = {"punt", field_bool, offsetof(struct config_port, punt)},
};

static bool is_one_host(const struct config_address *address)
{
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)&address->addr;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->addr;
	const uint32_t host = ntohl(in4->sin_addr.s_addr);

	if (address->addr.ss_family == AF_INET)
		return host >> 24 != 0 && host < 0xe0000000; // 0/8; from 224/4 on
	return !IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr) && !IN6_IS_ADDR_MULTICAST(&in6->sin6_addr);
}

static int port_read(struct reader *r, const struct node *item, struct config_port *port)
{
	uint32_t seen;
	int rc;

	rc = mapping_read(r, item, "a port", port_fields, FIELD_COUNT(port_fields), port, &seen);
	if (rc < 0)
		return rc;
	if ((seen & 1u << PORT_DEVICE) == 0)
		return tree_error(r->error, item, "A port has no 'device'.");
	if (port->address_count == 0)
		return tree_error(r->error, item, "A port has no 'addresses'.");
	for (size_t i = 0; i < port->address_count; i++)
		if (!is_one_host(&port->addresses[i]))
			return tree_error(r->error, map_get(item, "addresses"),
			    "Each of 'addresses' must be a host's own: not all addresses, "
			    "multicast or broadcast.");
	if ((seen & 1u << PORT_PUNT) == 0)
		port->punt = port->driver == CONFIG_PORT_PCI;
	return 0;
}

static int field_ports(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	struct config *config = base;
	size_t cap = list_count(value);
	struct config_port *ports = pool_alloc(r->pool, cap * sizeof(*ports));

	if (ports == NULL)
		return tree_no_memory(r->error);
	config->dataplane.ports = ports;
	for (const struct node *item = list_first(value); item != NULL;
	     item = list_next(value, item)) {
		struct config_port *port = &ports[config->dataplane.port_count];
		int rc = port_read(r, item, port);

		if (rc < 0)
			return rc;
		for (size_t i = 0; i < config->dataplane.port_count; i++)
			if (ports[i].driver == port->driver &&
			    strcmp(ports[i].target, port->target) == 0)
				return tree_error(r->error, item,
				    "Two ports have the device '%s:%.64s'.", drivers[port->driver],
				    port->target);
		config->dataplane.port_count++;
	}
	return 0;
}

static int field_workers(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	struct config *config = base;
	size_t cap = list_count(value), n = 0;
	unsigned *cpus = pool_alloc(r->pool, cap * sizeof(*cpus));
	struct field one = *field;

	if (cpus == NULL)
		return tree_no_memory(r->error);
	one.offset = 0;
	for (const struct node *item = list_first(value); item != NULL;
	     item = list_next(value, item)) {
		int rc = field_number(r, item, &one, &cpus[n]);

		if (rc < 0)
			return rc;
		for (size_t i = 0; i < n; i++)
			if (cpus[i] == cpus[n])
				return tree_error(
				    r->error, item, "Two workers have the CPU %u.", cpus[n]);
		n++;
	}
	config->dataplane.workers = cpus;
	config->dataplane.worker_count = n;
	return 0;
}

// All CPUs this process may use but the first, which is left to the kernel and the other threads.
static int workers_default(struct reader *r)
{
	struct config *config = r->config;
	unsigned *cpus = pool_alloc(r->pool, CPU_SETSIZE * sizeof(*cpus));
	size_t n = 0;
	cpu_set_t set;

	if (cpus == NULL)
		return tree_no_memory(r->error);
	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
			if (CPU_ISSET(cpu, &set))
				cpus[n++] = cpu;
	config->dataplane.workers = n > 1 ? cpus + 1 : cpus;
	config->dataplane.worker_count = n > 1 ? n - 1 : 1;
	return 0;
}

static const struct field tcp_fields[] = {
    {"threads", field_number, offsetof(struct config, dataplane.tcp_threads), .min = 1, .max = 64},
    {"idle-timeout", field_ms, offsetof(struct config, dataplane.tcp_idle_ms), .min = 100,
        .max = 3600000},
    {"max-clients", field_number, offsetof(struct config, dataplane.tcp_connections), .min = 1,
        .max = 1000000},
    {"max-clients-per-source", field_number, offsetof(struct config, dataplane.tcp_per_source),
        .min = 1, .max = 1000000},
};

static int field_tcp(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	uint32_t seen;

	return mapping_read(
	    r, value, "the section 'tcp'", tcp_fields, FIELD_COUNT(tcp_fields), base, &seen);
}

static const struct field dataplane_fields[] = {
    {"workers", field_workers, .max = CPU_SETSIZE - 1},
    {"ports", field_ports},
    {"tcp", field_tcp},
    // RFC 6891 6.2.5: never below 512. Above the fragment limit is the operator's own decision.
    {"udp-max-payload", field_number, offsetof(struct config, dataplane.udp_payload_max),
        .min = 512, .max = 4096},
    {"hugepages", field_bool, offsetof(struct config, dataplane.hugepages)},
    {"memory", field_megabytes, offsetof(struct config, dataplane.memory_mb), .min = 32,
        .max = 1048576},
    {"eal-args", field_text, offsetof(struct config, dataplane.eal_args), .max = 4096},
};

static bool machine_has_hugepages(void)
{
	FILE *file = fopen("/proc/sys/vm/nr_hugepages", "re");
	unsigned long pages = 0;

	if (file == NULL)
		return false;
	if (fscanf(file, "%lu", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages > 0;
}

int section_dataplane(struct reader *r, const struct node *section)
{
	struct config *config = r->config;
	uint32_t seen;
	int rc = 0;

	config->dataplane.tcp_threads = 1;
	config->dataplane.tcp_idle_ms = 10000;
	config->dataplane.tcp_connections = 20000;
	config->dataplane.tcp_per_source = 200;
	config->dataplane.udp_payload_max = 1232;
	config->dataplane.hugepages = machine_has_hugepages();
	config->dataplane.eal_args = pool_text(r->pool, "", 0);
	if (config->dataplane.eal_args == NULL)
		return tree_no_memory(r->error);
	if (section != NULL)
		rc = mapping_read(r, section, "the section 'dataplane'", dataplane_fields,
		    FIELD_COUNT(dataplane_fields), config, &seen);
	if (rc == 0 && config->dataplane.worker_count == 0)
		rc = workers_default(r);
	return rc;
}
