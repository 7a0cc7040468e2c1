# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# Real secondaries: NSD, Knot and BIND in the primary's namespace, each on its own address, with the
# node as their primary. A zone has a key of its own. Sourced after peers.sh, in whose place these
# peers stand.
#
#     downstream_key k-sha1 hmac-sha1            a key with a random secret
#     downstream_zone nsd example. k-sha1        before downstream_start
#     downstream_start nsd
#     downstream_has nsd example. 7              does it answer with that serial?
#     stop nsd

declare -A downstream_algorithm=() downstream_secret=() # by key
declare -A downstream_zones=()                          # peer -> domain/key

downstream_key() {
	downstream_algorithm[$1]=$2
	downstream_secret[$1]=$(head -c 32 /dev/urandom | base64 -w0)
}

downstream_zone() {
	downstream_zones[$1]+=" $2/$3"
}

downstream_start() {
	local from
	mkdir -p "$work/$1/db"
	chmod 755 "$work" "$work/$1"
	"downstream_config_$1" >"$work/$1/$1.conf" || return 1
	from=$(($(log_lines "$1") + 1))
	case "$1" in
	nsd) start nsd "$ns_primary" nsd -d -c "$work/nsd/nsd.conf" && wait_log nsd 'nsd started' 20 "$from" ;;
	knot) start knot "$ns_primary" knotd -c "$work/knot/knot.conf" && wait_log knot 'server started' 20 "$from" ;;
	bind) start bind "$ns_primary" named -g -c "$work/bind/bind.conf" && wait_log bind 'running$' 20 "$from" ;;
	esac
}

downstream_has() {
	ip netns exec "$ns_primary" dig +short +time=1 +tries=1 "@${peer_address[$1]}" "$2" SOA |
		grep -q "^[^ ]* [^ ]* $3 "
}

downstream_config_nsd() {
	local key zone
	cat <<-CONF
		server:
		  ip-address: ${peer_address[nsd]}
		  username: ""
		  zonesdir: "$work/nsd"
		  database: ""
		  pidfile: ""
		  xfrdfile: "$work/nsd/xfrd.state"
		  zonelistfile: "$work/nsd/zone.list"
		  xfrdir: "$work/nsd"
		  server-count: 1
		  verbosity: 2
		remote-control:
		  control-enable: no
	CONF
	for key in "${!downstream_algorithm[@]}"; do
		cat <<-CONF
			key:
			  name: "$key"
			  algorithm: ${downstream_algorithm[$key]}
			  secret: "${downstream_secret[$key]}"
		CONF
	done
	for zone in ${downstream_zones[nsd]}; do
		cat <<-CONF
			zone:
			  name: "${zone%/*}"
			  zonefile: "${zone%./*}.zone"
			  request-xfr: $edge_management ${zone#*/}
			  allow-notify: $edge_management ${zone#*/}
			  outgoing-interface: ${peer_address[nsd]}
			  provide-xfr: 0.0.0.0/0 NOKEY
		CONF
	done
}

downstream_config_knot() {
	local key zone
	cat <<-CONF
		server:
		  listen: ${peer_address[knot]}@53
		  rundir: "$work/knot"
		  pidfile: "$work/knot/pid"
		  udp-workers: 1
		  tcp-workers: 1
		  background-workers: 2
		database:
		  storage: "$work/knot/db"
		log:
		  - target: stderr
		    any: info
		key:
	CONF
	for key in "${!downstream_algorithm[@]}"; do
		cat <<-CONF
			  - id: $key
			    algorithm: ${downstream_algorithm[$key]}
			    secret: ${downstream_secret[$key]}
		CONF
	done
	echo "remote:"
	for key in "${!downstream_algorithm[@]}"; do
		cat <<-CONF
			  - id: edge-$key
			    address: $edge_management@53
			    via: ${peer_address[knot]}
			    key: $key
		CONF
	done
	printf '%s\n' "acl:" "  - id: all" "    address: 0.0.0.0/0" "    action: transfer"
	for key in "${!downstream_algorithm[@]}"; do
		printf '%s\n' "  - id: notify-$key" "    address: $edge_management" "    key: $key" "    action: notify"
	done
	echo "zone:"
	for zone in ${downstream_zones[knot]}; do
		cat <<-CONF
			  - domain: "${zone%/*}"
			    file: "$work/knot/${zone%./*}.zone"
			    master: edge-${zone#*/}
			    acl: [all, notify-${zone#*/}]
			    semantic-checks: off
		CONF
	done
}

downstream_config_bind() {
	local key zone
	for key in "${!downstream_algorithm[@]}"; do
		echo "key \"$key\" { algorithm ${downstream_algorithm[$key]}; secret \"${downstream_secret[$key]}\"; };"
	done
	cat <<-CONF
		options {
			directory "$work/bind";
			pid-file none;
			session-keyfile none;
			listen-on port 53 { ${peer_address[bind]}; };
			listen-on-v6 { none; };
			recursion no;
			dnssec-validation no;
			allow-transfer { any; };
			transfer-source ${peer_address[bind]};
			notify no;
			masterfile-format text;
			check-names secondary ignore;
			max-ixfr-ratio unlimited;
		};
		controls { };
	CONF
	for zone in ${downstream_zones[bind]}; do
		cat <<-CONF
			zone "${zone%/*}" { type secondary; file "$work/bind/${zone%./*}.zone";
				primaries { $edge_management key "${zone#*/}"; };
				allow-notify { key "${zone#*/}"; }; };
		CONF
	done
}
