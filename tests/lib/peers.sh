# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# Real primaries: NSD, Knot and BIND in the primary's namespace, each on its own address, with the
# run's TSIG key, NOTIFY to the edge from that address (the node knows its primaries by address) and
# IXFR where they have it. Sourced after net.sh.
#
#     peer_zone nsd example.com. FILE      before peer_start; copies the file
#     peer_start nsd
#     peer_knot_catalog=catalog.invalid.   before peer_start: Knot lists all its zones there (RFC 9432)
#     peer_load nsd example.com. FILE      a new version: copy, reload, NOTIFY follows
#     stop nsd
#
# With peer_tls=FOLDER NSD and BIND speak TLS on port 853 as well, with FOLDER/NAME.pem and
# FOLDER/NAME.key; with peer_tls_ca=FILE BIND wants a certificate of that authority there.

# With peer_keys=("ID ALGORITHM SECRET" ...) each of them gives its zones to who signs with one of
# these, too; with peer_notify_key=ID it signs its NOTIFY with that one.

key_name=xfr-key
key_secret=$(head -c 32 /dev/urandom | base64 -w0)
declare -A peer_address=([nsd]=203.0.113.53 [knot]=203.0.113.54 [bind]=203.0.113.55)
declare -A peer_address6=([nsd]=2001:db8:203::53 [knot]=2001:db8:203::54 [bind]=2001:db8:203::55)
declare -A peer_zones=() # peer -> domains
peer_keys=()

# peer_keys_as FORMAT: each of peer_keys in a peer's own words.
peer_keys_as() {
	local key
	for key in "${peer_keys[@]}"; do
		# shellcheck disable=SC2059,SC2086
		printf "$1" $key
	done
}

# The file that holds a domain's text at a peer.
peer_file() {
	local name=${2%.}
	echo "$work/$1/${name:-root}.zone"
}

peer_zone() {
	mkdir -p "$work/$1"
	cp "$3" "$(peer_file "$1" "$2")" && peer_zones[$1]+=" $2"
}

peer_start() {
	mkdir -p "$work/$1/db"
	chmod 755 "$work" "$work/$1"
	"peer_config_$1" >"$work/$1/$1.conf" || return 1
	case "$1" in
	nsd) start nsd "$ns_primary" nsd -d -c "$work/nsd/nsd.conf" ;;
	knot) start knot "$ns_primary" knotd -c "$work/knot/knot.conf" ;;
	bind) start bind "$ns_primary" named -g -c "$work/bind/bind.conf" ;;
	esac
	local zone
	zone=${peer_zones[$1]# }
	wait_until 20 peer_answers "$1" "${zone%% *}"
}

peer_answers() {
	ip netns exec "$ns_primary" dig +short +time=1 +tries=1 "@${peer_address[$1]}" "$2" SOA |
		grep -Eq '^[^;]'
}

peer_load() {
	local file
	file=$(peer_file "$1" "$2")
	cp "$3" "$file.new" && mv "$file.new" "$file" || return 1
	peer_reload "$1"
}

peer_reload() {
	case "$1" in
	nsd) nsd-control -c "$work/nsd/nsd.conf" reload ;;
	knot) knotc -c "$work/knot/knot.conf" zone-reload ;;
	bind) kill -HUP "${process_pid[bind]}" ;;
	esac
}

peer_config_nsd() {
	local zone
	cat <<-CONF
		server:
		  ip-address: ${peer_address[nsd]}
		  ip-address: ${peer_address6[nsd]}
		  username: ""
		  zonesdir: "$work/nsd"
		  database: ""
		  pidfile: ""
		  xfrdfile: "$work/nsd/xfrd.state"
		  zonelistfile: "$work/nsd/zone.list"
		  server-count: ${peer_nsd_servers:-1}
		  minimal-responses: yes
		  refuse-any: no
		  rrl-ratelimit: 0
		  rrl-whitelist-ratelimit: 0
		  verbosity: 1
	CONF
	[ -z "${peer_tls:-}" ] || cat <<-CONF
		  ip-address: ${peer_address[nsd]}@853
		  tls-service-key: "$peer_tls/nsd.key"
		  tls-service-pem: "$peer_tls/nsd.pem"
	CONF
	cat <<-CONF
		remote-control:
		  control-enable: yes
		  control-interface: "$work/nsd/control"
		key:
		  name: "$key_name"
		  algorithm: hmac-sha256
		  secret: "$key_secret"
	CONF
	peer_keys_as 'key:\n  name: "%s"\n  algorithm: %s\n  secret: "%s"\n'
	for zone in ${peer_zones[nsd]}; do
		cat <<-CONF
			zone:
			  name: "$zone"
			  zonefile: "$(peer_file nsd "$zone")"
			  provide-xfr: 0.0.0.0/0 $key_name
			  provide-xfr: ::/0 $key_name
			  notify: $edge_management ${peer_notify_key:-$key_name}
			  outgoing-interface: ${peer_address[nsd]}
			  store-ixfr: ${peer_differences:-yes}
			  create-ixfr: ${peer_differences:-yes}
			  ixfr-size: 100000000
		CONF
		peer_keys_as '  provide-xfr: 0.0.0.0/0 %s # %s %s\n'
	done
	[ -z "${peer_nsd_more:-}" ] || echo "include: \"$peer_nsd_more\""
}

peer_config_knot() {
	local zone
	cat <<-CONF
		server:
		  listen: [ ${peer_address[knot]}@53, ${peer_address6[knot]}@53 ]
		  rundir: "$work/knot"
		  pidfile: "$work/knot/pid"
		  udp-workers: 1
		  tcp-workers: 1
		  background-workers: 1
		database:
		  storage: "$work/knot/db"
		control:
		  listen: "$work/knot/control"
		log:
		  - target: stderr
		    any: info
		key:
		  - id: $key_name
		    algorithm: hmac-sha256
		    secret: $key_secret
	CONF
	peer_keys_as '  - id: %s\n    algorithm: %s\n    secret: %s\n'
	cat <<-CONF
		remote:
		  - id: edge
		    address: $edge_management@53
		    via: ${peer_address[knot]}
		    key: ${peer_notify_key:-$key_name}
		acl:
		  - id: edge
		    address: [ 0.0.0.0/0, ::/0 ]
		    key: [ $key_name$(peer_keys_as ', %s%.0s%.0s') ]
		    action: transfer
		template:
		  - id: default
		    notify: edge
		    acl: edge
		    zonefile-load: difference
		    journal-content: changes
		    zonefile-sync: -1
		    semantic-checks: off
		zone:
	CONF
	for zone in ${peer_zones[knot]}; do
		cat <<-CONF
			  - domain: "$zone"
			    file: "$(peer_file knot "$zone")"
		CONF
		[ -z "${peer_knot_catalog:-}" ] ||
			printf '    %s\n' "catalog-role: member" "catalog-zone: \"$peer_knot_catalog\""
	done
	[ -z "${peer_knot_catalog:-}" ] || cat <<-CONF
		  - domain: "$peer_knot_catalog"
		    catalog-role: generate
		    zonefile-load: none
		    journal-content: all
	CONF
}

peer_config_bind() {
	local zone
	cat <<-CONF
		key "$key_name" { algorithm hmac-sha256; secret "$key_secret"; };
		server $edge_management { keys { "${peer_notify_key:-$key_name}"; }; };
	CONF
	peer_keys_as 'key "%s" { algorithm %s; secret "%s"; };\n'
	[ -z "${peer_tls:-}" ] || cat <<-CONF
		tls xfr { cert-file "$peer_tls/bind.pem"; key-file "$peer_tls/bind.key"; protocols { TLSv1.3; };
			${peer_tls_ca:+ca-file \"$peer_tls_ca\";} };
	CONF
	echo "options {"
	[ -z "${peer_tls:-}" ] || echo "listen-on port 853 tls xfr { ${peer_address[bind]}; };"
	cat <<-CONF
			directory "$work/bind";
			pid-file none;
			session-keyfile none;
			listen-on port 53 { ${peer_address[bind]}; };
			listen-on-v6 port 53 { ${peer_address6[bind]}; };
			recursion no;
			dnssec-validation no;
			minimal-responses yes;
			minimal-any no;
			rrset-order { order none; };
			max-udp-size 1232;
			allow-transfer { key "$key_name"; $(peer_keys_as 'key "%s"; /* %s %s */ ') };
			notify explicit;
			also-notify { $edge_management; };
			notify-source ${peer_address[bind]};
			notify-delay 0;
			notify-rate 1000;
			startup-notify-rate 1000;
			check-names primary ignore;
			check-mx ignore;
			check-integrity no;
			zone-statistics none;
		};
		controls { };
	CONF
	for zone in ${peer_zones[bind]}; do
		cat <<-CONF
			zone "$zone" { type primary; file "$(peer_file bind "$zone")"; ixfr-from-differences yes;
				max-ixfr-ratio unlimited; max-journal-size 64m; };
		CONF
	done
}
