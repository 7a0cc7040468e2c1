# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# The node under test, in the edge's namespace: both daemons, their configuration, npctl. Sourced
# after peers.sh.
#
#     node_zone example.com. nsd knot       a secondary zone with its primaries, in order
#     node_zone_word expire "grace 1h"      a further word of the zone added last
#     node_zone_file example.org. FILE      a primary zone
#     node_start                            configuration, both daemons, until both are ready
#     node_wait_serial example.com. 2024 5  until the workers answer with that serial
#
# With NODE=knot a Knot secondary stands in the node's place: what a scenario asks of the node it can
# be asked as well, which shows that the scenario itself is right.

node_kind=${NODE:-nameplane}
node_driver=${NAMEPLANE_DRIVER:-af_xdp}
node_zones=()
node_templates=() # lines of the section template
node_server=() # further words of the section server, one "word: value" each
node_controlplane=() # the same of the section controlplane
declare -A node_remote=() # peer -> words of that remote instead of address and key, one a line
node_keys=()    # further keys, "ID ALGORITHM SECRET" each
node_remotes=() # further remotes, "ID PEER-OR-ADDRESS [KEYS]" each; KEYS as in the configuration
node_dir=$work/node
mkdir -p "$node_dir/run" "$node_dir/storage"

node_zone() {
	local domain=$1 primaries
	shift
	primaries=$(IFS=,; echo "$*")
	node_zones+=("  - domain: \"$domain\"" "    primaries: [$primaries]" \
		"    notify-from: [$primaries]")
}

node_zone_word() {
	node_zones+=("    $1: $2")
}

node_zone_file() {
	node_zones+=("  - domain: \"$1\"" "    file: \"$2\"")
}

node_configure() {
	local peer
	cat <<-CONF
		server:
		  identity: edge-test
		  rundir: $node_dir/run
		  storage: $node_dir/storage
	CONF
	[ ${#node_server[@]} -eq 0 ] || printf '  %s\n' "${node_server[@]}"
	cat <<-CONF
		dataplane:
		  workers: [$worker_cpu]
		  hugepages: false
		  ports:
		    - device: $node_driver:eth1
		      addresses: [$edge4, "$edge6"]
		  tcp:
		    threads: 1
		controlplane:
		  listen: [$edge_management@53]
	CONF
	[ ${#node_controlplane[@]} -eq 0 ] || printf '  %s\n' "${node_controlplane[@]}"
	cat <<-CONF
		key:
		  - id: $key_name
		    algorithm: hmac-sha256
		    secret: $key_secret
	CONF
	local id key keys
	for key in "${node_keys[@]}"; do
		printf '  - {id: %s, algorithm: %s, secret: "%s"}\n' $key
	done
	echo "remote:"
	for key in "${node_remotes[@]}"; do
		read -r id peer keys <<<"$key"
		printf '  - {id: %s, address: %s@53%s}\n' "$id" "${peer_address[$peer]:-$peer}" "${keys:+, key: $keys}"
	done
	for peer in nsd knot bind; do
		echo "  - id: $peer"
		if [ -n "${node_remote[$peer]:-}" ]; then
			sed 's/^/    /' <<<"${node_remote[$peer]}"
		else
			printf '    %s\n' "address: ${peer_address[$peer]}@53" "key: $key_name"
		fi
	done
	[ ${#node_templates[@]} -eq 0 ] || printf '%s\n' "template:" "${node_templates[@]}"
	echo "zone:"
	printf '%s\n' "${node_zones[@]}"
}

node_start() {
	if [ "$node_kind" = knot ]; then
		node_stand_in
		return
	fi
	node_configure >"$node_dir/node.yaml"
	node_start_controlplane && node_start_dataplane
}

# Each daemon says `ready` on stderr; 60 s is far more than either takes on a busy machine, but for
# scenarios with very many zones.
node_start_dataplane() {
	local from
	from=$(($(log_lines dataplane) + 1))
	start dataplane "$ns_edge" taskset -c "0-$worker_cpu" "$build/dataplane/np-dataplane" -c "$node_dir/node.yaml"
	node_wait_ready dataplane "$from"
}

node_start_controlplane() {
	local from
	from=$(($(log_lines controlplane) + 1))
	start controlplane "$ns_edge" "$build/controlplane/np-controlplane" -c "$node_dir/node.yaml"
	node_wait_ready controlplane "$from"
}

node_wait_ready() {
	wait_until "${node_ready_seconds:-60}" node_ready_or_dead "$1" "$2" && log_matches "$1" '(^|[: ])ready$' "$2" ||
		{ echo "np-$1 is not ready:"; tail -20 "$work/$1.log"; return 1; }
}

node_ready_or_dead() {
	log_matches "$1" '(^|[: ])ready$' "$2" || ! running "$1"
}

node_stop() {
	stop controlplane
	stop dataplane
}

npctl() {
	ip netns exec "$ns_edge" "$build/controlplane/npctl" -s "$node_dir/run/control.sock" "$@"
}

# node_wait_serial ZONE SERIAL [SECONDS]: prints how long it took, in ms.
node_wait_serial() {
	in_client "$lib/wait-serial" "${node_address:-$edge4}" "$1" "$2" "${3:-15}"
}

node_stand_in() {
	local line peer
	mkdir -p "$work/standin/db" "$work/standin/zones"
	{
		cat <<-CONF
			server:
			  listen: [ $edge4@53, $edge6@53, $edge_management@53 ]
			  rundir: "$work/standin"
			  pidfile: "$work/standin/pid"
			  identity: edge-test
			  nsid: edge-test
			  version: ""
			database:
			  storage: "$work/standin/db"
			control:
			  listen: "$work/standin/control"
			log:
			  - target: stderr
			    any: info
			key:
			  - id: $key_name
			    algorithm: hmac-sha256
			    secret: $key_secret
			remote:
		CONF
		for peer in nsd knot bind; do
			cat <<-CONF
				  - id: $peer
				    address: ${peer_address[$peer]}@53
				    key: $key_name
			CONF
		done
		cat <<-CONF
			acl:
			  - id: primary
			    address: 203.0.113.0/24
			    key: $key_name
			    action: notify
			template:
			  - id: default
			    acl: primary
			    storage: "$work/standin/zones"
			    semantic-checks: off
			    refresh-min-interval: 2
			zone:
		CONF
		for line in "${node_zones[@]}"; do
			line=${line/primaries:/master:}
			[[ $line == *notify-from* ]] || printf '%s\n' "$line"
		done
	} >"$work/standin/knot.conf"
	start standin "$ns_edge" knotd -c "$work/standin/knot.conf"
	wait_log standin 'server started' 20
}
