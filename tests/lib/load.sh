# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# Steady load on a versioned zone, while something is done to the node: dnsperf for volume, and
# check-version for meaning. Sourced after node.sh.
#
#     load_start ZONE HOSTS SECONDS
#     ... do things, for less than SECONDS ...
#     load_stop
#     check "..." load_lost_nothing; check "..." load_answers_whole

load_rate=${LOAD_RATE:-4000}     # questions a second by dnsperf: a small part of what a core answers
load_checked=${LOAD_CHECKED:-500} # and by the checker

load_start() {
	local zone=$1 hosts=$2 seconds=$3
	rm -f "$work/load.stop" "$work/dnsperf.log" "$work/checker.log"
	[ -f "$work/queries" ] || "$lib/make-zone" queries "$zone" "$hosts" 20000 >"$work/queries"
	start dnsperf "$ns_client" dnsperf -s "${node_address:-$edge4}" -d "$work/queries" -l "$seconds" \
		-Q "$load_rate" -c 4 -q 400 -t 3
	start checker "$ns_client" "$lib/check-version" "${node_address:-$edge4}" "$zone" "$hosts" for \
		"$seconds" "$load_checked" "$work/load.stop"
}

# dnsperf ends in order on SIGINT and reports what it has.
load_stop() {
	touch "$work/load.stop"
	stop dnsperf INT
	wait_until 10 process_gone "${process_pid[checker]}"
	stop checker
	checker_status=$process_status
}

load_lost_nothing() {
	local sent lost codes
	sent=$(sed -n 's/^ *Queries sent: *//p' "$work/dnsperf.log")
	lost=$(sed -n 's/^ *Queries lost: *\([0-9]*\).*/\1/p' "$work/dnsperf.log")
	codes=$(sed -n 's/^ *Response codes: *//p' "$work/dnsperf.log")
	cat "$work/dnsperf.log"
	[ "${sent:-0}" -gt 0 ] && [ "$lost" = 0 ] && [[ $codes == *NOERROR* ]] &&
		[[ ! $codes =~ SERVFAIL|REFUSED|FORMERR|NOTAUTH ]] &&
		echo "figures: dnsperf sent $sent, lost $lost; $codes"
}

load_answers_whole() {
	cat "$work/checker.log"
	[ "$checker_status" -eq 0 ]
}
