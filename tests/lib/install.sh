# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# Debian packages, installed where they are missing. Sourced by ./dev; safe to call again and from
# two runs at once. The name servers that Debian starts on installation are kept from starting, now
# and at the next boot: they are tools here, not services.

packages_build=(gcc libc6-dev linux-libc-dev clang meson ninja-build pkg-config libdpdk-dev dpdk dpdk-dev liburcu-dev libldns-dev
	libssl-dev libevent-dev libyaml-dev libjansson-dev libcmocka-dev libbpf-dev libxdp-dev
	libsystemd-dev libseccomp-dev libcap-dev python3)
packages_format=(clang-format)
packages_clang=(clang libclang-rt-dev lld llvm)
packages_net=(iproute2 iputils-ping ethtool psmisc procps util-linux xz-utils python3)
packages_peers=(nsd knot knot-dnsutils knot-dnssecutils unbound bind9 bind9-utils bind9-dnsutils ldnsutils dnsperf strace
	tcpdump openssl)
packages_bench=(valgrind)
packages_demo=(publicsuffix)

# The package names among "$@" that are not installed, one a line.
packages_missing() {
	local package
	for package in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
			echo "$package"
	done
}

# packages_install PACKAGE...: makes sure that all are there, or says in one sentence why not.
packages_install() {
	local missing
	if ! command -v dpkg-query >/dev/null; then
		[ -n "${NAMEPLANE_NO_INSTALL:-}" ] && return 0
		die "this is not a Debian system: install the equivalents of '$*' by hand and set" \
			"NAMEPLANE_NO_INSTALL=1 (Debian 12 is the reference platform)."
	fi
	mapfile -t missing < <(packages_missing "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	[ -z "${NAMEPLANE_NO_INSTALL:-}" ] ||
		die "packages are missing and NAMEPLANE_NO_INSTALL is set: ${missing[*]}."
	[ "$(id -u)" = 0 ] ||
		die "installing packages needs root; as root, run: apt-get install ${missing[*]}"
	echo "installing: ${missing[*]}"
	(
		exec 7>/run/lock/nameplane-install.lock
		flock -w 900 7 || die "another run has been installing packages for 15 minutes."
		# The other run may have installed them while this one waited.
		mapfile -t missing < <(packages_missing "$@")
		[ ${#missing[@]} -eq 0 ] || packages_install_locked "${missing[@]}"
	)
}

# Pre: root, and the lock is held.
packages_install_locked() {
	local policy=/usr/sbin/policy-rc.d saved='' log had_service=() service
	log=$(mktemp /tmp/nameplane-install.XXXXXX)
	for service in nsd knot named unbound; do
		[ ! -e "/lib/systemd/system/$service.service" ] || had_service+=("$service")
	done
	# A host's own policy is moved aside and comes back, whatever happens.
	if [ -e "$policy" ]; then
		saved=$(mktemp "$policy.nameplane.XXXXXX")
		cp -a "$policy" "$saved"
	fi
	# shellcheck disable=SC2064 # expanded now on purpose
	trap "if [ -n '$saved' ]; then mv -f '$saved' '$policy'; else rm -f '$policy'; fi; rm -f '$log'" EXIT
	printf '#!/bin/sh\nexit 101\n' >"$policy.new.$$"
	chmod 755 "$policy.new.$$"
	mv -f "$policy.new.$$" "$policy"

	if ! packages_apt install "$@" >"$log" 2>&1; then
		# The lists are absent or stale; that is the only reason to fetch them.
		packages_apt update >>"$log" 2>&1 || true
		if ! packages_apt install "$@" >>"$log" 2>&1; then
			tail -15 "$log" >&2
			die "apt-get could not install the packages above" \
				"(Debian 12 is the reference platform; this is $(packages_distribution))."
		fi
	fi
	for service in nsd knot named unbound; do
		case " ${had_service[*]} " in
		*" $service "*) ;;
		*) systemctl disable "$service" >/dev/null 2>&1 || true ;;
		esac
	done
}

packages_apt() {
	local command=$1
	shift
	DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
		-o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confold "$command" "$@" </dev/null
}

packages_distribution() {
	(. /etc/os-release 2>/dev/null && echo "${PRETTY_NAME:-unknown}") || echo unknown
}

# Hugepages where this machine lets us have some: 2 MB pages up to what is asked, never more than a
# quarter of the free memory. Without them the data plane runs on ordinary pages, only slower.
hugepages_reserve() {
	local want_mb=${1:-512} have free_kb pages=/sys/kernel/mm/hugepages/hugepages-2048kB
	[ "$(id -u)" = 0 ] && [ -w $pages/nr_hugepages ] || return 0
	have=$(<$pages/nr_hugepages)
	free_kb=$(awk '/^MemAvailable/ {print $2}' /proc/meminfo)
	[ $((have * 2)) -lt "$want_mb" ] && [ $((free_kb / 1024 / 4)) -gt "$want_mb" ] || return 0
	echo $((want_mb / 2)) >$pages/nr_hugepages 2>/dev/null || true
}
