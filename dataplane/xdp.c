// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Life of our XDP program on an interface; see xdp.h. DPDK's driver loads and attaches it, so its
// maps are found through the kernel: interface -> program id -> map ids -> names.

#include "xdp.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "log.h"
#include "np_xdp.h"
#include "np_xdp_object.h"

#define PROGRAM_NAME "np_dns" // of the function in np_xdp.bpf.c
#define MAPS_MAX     8

struct xdp {
	unsigned ifindex;
	char ifname[IFNAMSIZ];
	int lock;
	uint32_t program; // id of what the driver attached; 0: not yet
	char path[4096];
};

// The kernel's id of the program on the interface, 0 when there is none.
static uint32_t program_on(unsigned ifindex)
{
	uint32_t id = 0;

	return bpf_xdp_query_id((int)ifindex, 0, &id) == 0 ? id : 0;
}

// Post: descriptor of the program, or -errno. *info as the kernel has it, map ids in maps[].
static int program_get(uint32_t id, struct bpf_prog_info *info, uint32_t maps[MAPS_MAX])
{
	uint32_t size = sizeof *info;
	int fd = bpf_prog_get_fd_by_id(id);

	if (fd < 0)
		return -errno;
	memset(info, 0, sizeof *info);
	info->nr_map_ids = MAPS_MAX;
	info->map_ids = (uint64_t)(uintptr_t)maps;
	if (bpf_obj_get_info_by_fd(fd, info, &size) != 0) {
		int error = -errno;
		close(fd);
		return error;
	}
	if (info->nr_map_ids > MAPS_MAX)
		info->nr_map_ids = MAPS_MAX;
	return fd;
}

// The descriptor of the program's map of this name, or -ENOENT.
static int map_of(const struct bpf_prog_info *program, const uint32_t *maps, const char *name)
{
	for (uint32_t i = 0; i < program->nr_map_ids; i++) {
		struct bpf_map_info info = {0};
		uint32_t size = sizeof info;
		int fd = bpf_map_get_fd_by_id(maps[i]);

		if (fd < 0)
			continue;
		if (bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && strcmp(info.name, name) == 0)
			return fd;
		close(fd);
	}
	return -ENOENT;
}

// One np-dataplane per interface: an abstract socket dies with its process, however that ends.
static int take_interface(struct xdp *x)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int n =
	    snprintf(addr.sun_path + 1, sizeof addr.sun_path - 1, "nameplane-xdp-%u", x->ifindex);

	x->lock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (x->lock < 0)
		return -errno;
	if (bind(x->lock, (void *)&addr,
	        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)) != 0) {
		log_error(
		    "af_xdp:%s is in use by another np-dataplane; stop that one first.", x->ifname);
		return -EBUSY;
	}
	return 0;
}

// Pre: the interface is ours, so a program of ours on it has lost its process.
static int remove_stale(struct xdp *x)
{
	uint32_t id = program_on(x->ifindex), maps[MAPS_MAX];
	struct bpf_prog_info info;
	int fd, served;

	if (id == 0)
		return 0;
	fd = program_get(id, &info, maps);
	if (fd < 0) {
		log_error("af_xdp:%s already has an XDP program that cannot be looked at (%s); run "
		          "this as root.",
		    x->ifname, strerror(-fd));
		return fd;
	}
	served = map_of(&info, maps, "np_served4");
	close(fd);
	if (served < 0 || strcmp(info.name, PROGRAM_NAME) != 0) {
		if (served >= 0)
			close(served);
		log_error(
		    "af_xdp:%s already runs the XDP program '%s' (id %u): stop what uses it, or "
		    "detach it with 'ip link set dev %s xdp off'.",
		    x->ifname, info.name, id, x->ifname);
		return -EBUSY;
	}
	close(served);
	log_info("af_xdp:%s: removing the XDP program that a killed np-dataplane left.", x->ifname);
	int rc = bpf_xdp_detach((int)x->ifindex, 0, NULL);
	if (rc != 0)
		log_error("af_xdp:%s: cannot detach the old XDP program: %s; try 'ip link set dev "
		          "%s xdp off'.",
		    x->ifname, strerror(-rc), x->ifname);
	return rc;
}

static int write_program(struct xdp *x, const char *rundir)
{
	const uint8_t *at = np_xdp_object;
	size_t left = sizeof np_xdp_object;
	int n = snprintf(
	    x->path, sizeof x->path, "%s/np_xdp-%s-%d.o", rundir, x->ifname, (int)getpid());

	if (n < 0 || (size_t)n >= sizeof x->path)
		return -ENAMETOOLONG;
	if (unlink(x->path) != 0 && errno != ENOENT)
		return -errno;
	int fd = open(x->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	while (left > 0) {
		ssize_t done = write(fd, at, left);
		if (done < 0) {
			int error = -errno;
			close(fd);
			return error;
		}
		at += done;
		left -= (size_t)done;
	}
	return close(fd) == 0 ? 0 : -errno;
}

int xdp_open(const char *ifname, unsigned ifindex, const char *rundir, struct xdp **out)
{
	struct xdp *x = calloc(1, sizeof *x);
	int rc;

	if (x == NULL)
		return -ENOMEM;
	x->ifindex = ifindex;
	strncpy(x->ifname, ifname, sizeof x->ifname - 1);
	rc = take_interface(x);
	if (rc == 0)
		rc = remove_stale(x);
	if (rc == 0) {
		rc = write_program(x, rundir);
		if (rc != 0)
			log_error(
			    "cannot write the XDP program to %s: %s.", x->path, strerror(-rc));
	}
	if (rc != 0) {
		xdp_close(x);
		return rc;
	}
	*out = x;
	return 0;
}

const char *xdp_path(const struct xdp *x)
{
	return x->path;
}

static int fill_served(int map4, int map6, const struct frame_served *served)
{
	const uint8_t one = 1;

	for (unsigned i = 0; i < FRAME_SERVED_SLOTS; i++) {
		struct np_xdp_served4 key4 = {0};
		struct np_xdp_served6 key6 = {0};
		int rc;

		if (served->slots[i].key == 0)
			continue;
		if (served->slots[i].version == 4) {
			memcpy(&key4.addr, served->slots[i].addr, 4);
			key4.port = served->slots[i].port_be;
			rc = bpf_map_update_elem(map4, &key4, &one, BPF_ANY);
		} else {
			memcpy(key6.addr, served->slots[i].addr, 16);
			key6.port = served->slots[i].port_be;
			rc = bpf_map_update_elem(map6, &key6, &one, BPF_ANY);
		}
		if (rc != 0)
			return -errno;
	}
	return 0;
}

static_assert(NP_XDP_SERVED_MAX >= FRAME_SERVED_MAX, "the maps hold what a port may serve");

int xdp_serve(struct xdp *x, const struct frame_rules *rules)
{
	uint32_t maps[MAPS_MAX], zero = 0, vlan = rules->vlan, id = program_on(x->ifindex);
	struct bpf_prog_info info;
	int fd, map4, map6, map_vlan, rc = -ENOENT;

	fd = id == 0 ? -ENOENT : program_get(id, &info, maps);
	if (fd < 0) {
		log_error("af_xdp:%s: the XDP program is not on the interface: %s.", x->ifname,
		    strerror(-fd));
		return fd;
	}
	map4 = map_of(&info, maps, "np_served4");
	map6 = map_of(&info, maps, "np_served6");
	map_vlan = map_of(&info, maps, "np_vlan");
	if (map4 >= 0 && map6 >= 0 && map_vlan >= 0) {
		x->program = id;
		rc = bpf_map_update_elem(map_vlan, &zero, &vlan, BPF_ANY) == 0 ? 0 : -errno;
		if (rc == 0)
			rc = fill_served(map4, map6, &rules->served);
	}
	if (rc != 0)
		log_error(
		    "af_xdp:%s: cannot fill the XDP program's maps: %s.", x->ifname, strerror(-rc));
	if (map4 >= 0)
		close(map4);
	if (map6 >= 0)
		close(map6);
	if (map_vlan >= 0)
		close(map_vlan);
	close(fd);
	unlink(x->path); // the kernel has it now
	return rc;
}

void xdp_close(struct xdp *x)
{
	if (x == NULL)
		return;
	// The driver detaches the program too, but not when its port failed half-way. Another
	// program is not ours to touch.
	if (x->program != 0 && program_on(x->ifindex) == x->program)
		bpf_xdp_detach((int)x->ifindex, 0, NULL);
	if (x->path[0] != '\0')
		unlink(x->path);
	if (x->lock > 0)
		close(x->lock);
	free(x);
}
