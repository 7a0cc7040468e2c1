// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Builds the arguments of rte_eal_init() from the configuration. Main thread.

#include "eal.h"

#include <errno.h>
#include <link.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>

#include "hugepages.h"
#include "log.h"
#include "port.h"

#define ARGS_MAX 96

struct args {
	int count;
	char *list[ARGS_MAX + 1];
	bool failed;
};

static void __attribute__((format(printf, 2, 3))) args_add(struct args *a, const char *format, ...)
{
	va_list ap;
	char *text = NULL;

	if (a->count == ARGS_MAX) {
		a->failed = true;
		return;
	}
	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0) {
		a->failed = true;
		text = NULL;
	}
	va_end(ap);
	if (text != NULL)
		a->list[a->count++] = text;
}

static void args_free(struct args *a)
{
	for (int i = 0; i < a->count; i++)
		free(a->list[i]);
}

// The main thread and those it starts stay off the workers' CPUs, unless the workers have them all.
static void args_lcores(struct args *a, const struct config *config)
{
	cpu_set_t set, rest;
	char text[8192];
	size_t len;
	bool first = true;

	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof set, &set) != 0)
		CPU_SET(0, &set);
	rest = set;
	for (size_t i = 0; i < config->dataplane.worker_count; i++) {
		if (config->dataplane.workers[i] < CPU_SETSIZE)
			CPU_CLR(config->dataplane.workers[i], &rest);
	}
	if (CPU_COUNT(&rest) == 0)
		rest = set;

	len = (size_t)snprintf(text, sizeof text, "%d@(", EAL_MAIN_LCORE);
	for (unsigned cpu = 0; cpu < CPU_SETSIZE && len < sizeof text - 8; cpu++) {
		if (CPU_ISSET(cpu, &rest)) {
			len += (size_t)snprintf(
			    text + len, sizeof text - len, "%s%u", first ? "" : ",", cpu);
			first = false;
		}
	}
	len += (size_t)snprintf(text + len, sizeof text - len, ")");
	for (size_t i = 0; i < config->dataplane.worker_count && len < sizeof text - 32; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, ",%zu@%u",
		    EAL_WORKER_LCORE(i), config->dataplane.workers[i]);
	args_add(a, "--lcores=%s", text);
}

static int check_workers(const struct config *config)
{
	cpu_set_t set;

	if (config->dataplane.worker_count >= RTE_MAX_LCORE) {
		log_error("%zu workers are more than this build of DPDK can run (%d).",
		    config->dataplane.worker_count, RTE_MAX_LCORE - 1);
		return -EINVAL;
	}
	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof set, &set) != 0)
		return 0;
	for (size_t i = 0; i < config->dataplane.worker_count; i++) {
		unsigned cpu = config->dataplane.workers[i];
		if (cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, &set)) {
			log_error(
			    "dataplane: workers names CPU %u, which this process may not use "
			    "(it may use %d CPUs); change the list or the process's affinity.",
			    cpu, CPU_COUNT(&set));
			return -EINVAL;
		}
	}
	return 0;
}

static void args_memory(struct args *a, const struct config *config)
{
	unsigned long free_mb = hugepages_free_mb(), need_mb = ports_memory_mb(config, true);

	if (config->dataplane.hugepages && free_mb >= need_mb) {
		args_add(a, "--in-memory");
		return;
	}
	if (config->dataplane.hugepages)
		log_warning("%lu MB of hugepages are free and %lu MB are needed, so this runs "
		            "without: slower. Reserve some with 'sysctl vm.nr_hugepages=%lu'.",
		    free_mb, need_mb, (need_mb + 1) / 2);
	args_add(a, "--no-huge");
	args_add(a, "--no-shconf");
	// DPDK keeps 48 bytes for each page of what it is given, used or not.
	args_add(a, "-m");
	args_add(a, "%lu",
	    config->dataplane.memory_mb != 0 ? config->dataplane.memory_mb
	                                     : ports_memory_mb(config, false));
}

int eal_start(const struct config *config)
{
	struct args a = {0};
	bool pci = false;
	int rc = check_workers(config);

	if (rc != 0)
		return rc;
	args_add(&a, "np-dataplane");
	args_lcores(&a, config);
	args_add(&a, "--main-lcore=%d", EAL_MAIN_LCORE);
	args_memory(&a, config);
	args_add(&a, "--file-prefix=nameplane-%d", (int)getpid());
	args_add(&a, "--no-telemetry");
	args_add(&a, "--log-level=*:error");
	for (size_t i = 0; i < config->dataplane.port_count; i++) {
		const struct config_port *port = &config->dataplane.ports[i];
		if (port->driver != CONFIG_PORT_PCI)
			continue;
		pci = true;
		args_add(&a, "-a");
		args_add(&a, "%s%s%s", port->target, port->args[0] != '\0' ? "," : "", port->args);
	}
	if (!pci)
		args_add(&a, "--no-pci");

	char *more = strdup(config->dataplane.eal_args), *save = NULL;
	if (more == NULL)
		a.failed = true;
	for (char *word = more; word != NULL; word = NULL) {
		for (word = strtok_r(word, " \t", &save); word != NULL;
		     word = strtok_r(NULL, " \t", &save))
			args_add(&a, "%s", word);
		break;
	}
	free(more);
	if (a.failed) {
		log_error("DPDK's arguments do not fit or memory is short.");
		args_free(&a);
		return -ENOMEM;
	}

	// rte_eal_init() keeps pointers into what it is given and permutes the list.
	rc = rte_eal_init(a.count, a.list);
	if (rc < 0) {
		int error = rte_errno;
		if (geteuid() != 0 && (error == EACCES || error == EPERM || error == ENOMEM))
			log_error("DPDK could not start (%s): run this as root, or give it "
			          "CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF and CAP_IPC_LOCK.",
			    strerror(error));
		else
			log_error("DPDK could not start: %s.", strerror(error));
		args_free(&a);
		return error > 0 ? -error : -EIO;
	}
	return 0;
}

#ifdef RTE_EAL_PMD_PATH
// What is not writable is as it is in the file, and is read from there again when it is needed. The
// list of a library's parts lies in one of them, so it is read first.
static int driver_settle(struct dl_phdr_info *library, size_t size, void *unused)
{
	const uintptr_t page = (uintptr_t)getpagesize();
	struct {
		uintptr_t begin, end;
	} parts[16];
	size_t count = 0;

	if (strncmp(library->dlpi_name, RTE_EAL_PMD_PATH "/", sizeof RTE_EAL_PMD_PATH) != 0)
		return 0;
	for (unsigned i = 0; i < library->dlpi_phnum && count < RTE_DIM(parts); i++) {
		const ElfW(Phdr) *part = &library->dlpi_phdr[i];
		const uintptr_t begin = library->dlpi_addr + part->p_vaddr;

		if (part->p_type != PT_LOAD || (part->p_flags & PF_W) != 0)
			continue;
		parts[count].begin = begin & ~(page - 1);
		parts[count++].end = (begin + part->p_memsz + page - 1) & ~(page - 1);
	}
	for (size_t i = 0; i < count; i++)
		(void)madvise((void *)parts[i].begin, parts[i].end - parts[i].begin, MADV_DONTNEED);
	return 0;
}
#endif

void eal_settle(void)
{
#ifdef RTE_EAL_PMD_PATH
	dl_iterate_phdr(driver_settle, NULL);
#endif
}

void eal_stop(void)
{
	rte_eal_cleanup();
}
