# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# The network of a scenario: three namespaces, joined by veth pairs. Names carry the run's random
# suffix, so that runs may overlap. Sourced after scenario.sh.
#
#     client                edge                      primary
#     eth0 ---------------- eth1   eth0 ------------- eth0
#     192.0.2.1/24          .53    203.0.113.7/24     .53 .54 .55 (nsd, knot, bind)
#     2001:db8:53::1/64     ::53   2001:db8:203::7    ::53 ::54 ::55
#     eth1 -------------------------------------------- eth1
#
# The last link lets a judge in the client ask the primaries, too; nothing else travels there.

ns_client=np-client-$run_id
ns_edge=np-edge-$run_id
ns_primary=np-primary-$run_id
edge4=192.0.2.53
edge6=2001:db8:53::53
edge_management=203.0.113.7
net_made=()

net_build() {
	local ns
	for ns in "$ns_client" "$ns_edge" "$ns_primary"; do
		ip netns add "$ns" || return 1
		net_made+=("$ns")
		# No address may be tentative when a scenario begins.
		ip netns exec "$ns" sysctl -qw net.ipv6.conf.all.accept_dad=0 \
			net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.router_solicitations=0
		ip -n "$ns" link set lo up || return 1
	done
	net_link "$ns_client" eth0 "$ns_edge" eth1 &&
		net_link "$ns_primary" eth0 "$ns_edge" eth0 &&
		net_address "$ns_client" eth0 192.0.2.1/24 2001:db8:53::1/64 &&
		net_address "$ns_edge" eth1 $edge4/24 $edge6/64 &&
		net_address "$ns_edge" eth0 $edge_management/24 2001:db8:203::7/64 &&
		net_address "$ns_primary" eth0 203.0.113.{53,54,55}/24 2001:db8:203::{53,54,55}/64 &&
		net_link "$ns_client" eth1 "$ns_primary" eth1 &&
		net_address "$ns_client" eth1 198.51.100.1/30 &&
		net_address "$ns_primary" eth1 198.51.100.2/30 &&
		ip -n "$ns_client" route add 203.0.113.0/24 via 198.51.100.2
}

# Checksums are computed at once: an XDP program sees the frame before any device would have done it.
net_link() {
	ip link add "$2" netns "$1" type veth peer name "$4" netns "$3" &&
		ip -n "$1" link set "$2" up && ip -n "$3" link set "$4" up &&
		ip netns exec "$1" ethtool -K "$2" tx off >/dev/null &&
		ip netns exec "$3" ethtool -K "$4" tx off >/dev/null
}

net_address() {
	local ns=$1 device=$2 address
	shift 2
	for address in "$@"; do
		case "$address" in
		*:*) ip -n "$ns" address add "$address" dev "$device" nodad || return 1 ;;
		*) ip -n "$ns" address add "$address" dev "$device" || return 1 ;;
		esac
	done
}

in_client() {
	ip netns exec "$ns_client" "$@"
}

# Whatever still runs in one of our namespaces is ours: nothing else knows their names.
net_remove() {
	local ns pid
	for ns in "${net_made[@]}"; do
		for pid in $(ip netns pids "$ns" 2>/dev/null); do
			kill -KILL "$pid" 2>/dev/null
		done
		ip netns delete "$ns" 2>/dev/null
	done
	net_made=()
}
