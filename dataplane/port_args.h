// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// From a port's configuration to the words DPDK's virtual device drivers understand. Pure.
#pragma once

#include <stddef.h>

#include "config.h"
#include "iface.h"

#define PORT_ARGS_MAX 8192

struct port_args {
	char device[64];          // "net_af_xdp0"; for pci the address
	char args[PORT_ARGS_MAX]; // "iface=eth1,..."
};

// The name of the driver in the configuration ("af_xdp"), and of its shared object at run time.
const char *port_driver_word(enum config_port_driver driver);
const char *port_driver_package(enum config_port_driver driver);

// True when the driver opens a kernel interface: the target is its name.
bool port_driver_has_iface(enum config_port_driver driver);

// What the operator wrote under `device` wins over what is filled in here. `iface` and `xdp_prog`
// are used (and not NULL) where port_driver_has_iface() and for af_xdp.
// Post: 0, or -ENAMETOOLONG.
int port_args_build(const struct config_port *port, unsigned index, unsigned queues,
    const struct iface *iface, const char *xdp_prog, struct port_args *out)
    __attribute__((warn_unused_result));
