# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# The judge of tests/lib/compare, kept running beside a scenario. Sourced after node.sh.
#
#     judge_start nsd                       the primary that is believed
#     judge_compare . FILE                  succeeds when the node's answers equal the primary's

judge_start() {
	judge_stop
	coproc JUDGE { exec ip netns exec "$ns_client" "$lib/compare" "${peer_address[$1]}" \
		"${node_address:-$edge4}" 2>>"$work/judge.log"; }
	judge_pid=$JUDGE_PID
	judge_in=${JUDGE[1]} judge_out=${JUDGE[0]}
}

judge_compare() {
	local line
	judge_asked=''
	echo "compare $1 $2" >&"$judge_in"
	while read -r -t 300 -u "$judge_out" line; do
		case "$line" in
		asked*) judge_asked=$line ;;
		equal*) echo "figures: $judge_asked"; return 0 ;;
		different*) echo "$line ($judge_asked)"; return 1 ;;
		*) echo "$line" ;;
		esac
	done
	echo "the judge gave no verdict"
	return 1
}

judge_stop() {
	[ -n "${judge_pid:-}" ] || return 0
	kill "$judge_pid" 2>/dev/null
	wait "$judge_pid" 2>/dev/null
	judge_pid=''
}
