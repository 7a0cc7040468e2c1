# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# What every scenario (a bash script under tests/) needs: cases that are counted, processes that
# are ended, logs that are shown when something failed. A scenario sources this first:
#
#     . "$(dirname "$(readlink -f "$0")")/../lib/scenario.sh"
#     scenario "interop: clients"
#     check "kdig gets the SOA over TCP" some_function its arguments
#
# A failing check is counted and the scenario goes on; a failing `require` ends it.
set -uo pipefail

# The tools are those that ./dev installs: a python3 of a version manager takes half a second more.
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH

top=$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/../..")
build=${NAMEPLANE_BUILD:-$top/build}
shared=${NAMEPLANE_SHARED:-$top/../shared}
lib=$top/tests/lib
run_id=$(printf '%04x%04x' $((RANDOM * 2 + $$ % 2)) $$ | cut -c1-7)
work=$(mktemp -d /tmp/nameplane.XXXXXX)

scenario_name=${0##*/}
scenario_failed=0
scenario_ended=''
# The worker polls a CPU of its own: everything else of a scenario stays off it, where there are two.
worker_cpu=${NAMEPLANE_WORKER_CPU:-$(($(nproc --all) - 1))}
[ "$worker_cpu" -eq 0 ] || taskset -cp "0-$((worker_cpu - 1))" $$ >/dev/null 2>&1

declare -A process_pid=()   # name -> pid of what `start` started and nobody stopped
process_order=()            # names, oldest first

# scenario NAME: the words before each case.
scenario() {
	scenario_name=$1
	trap scenario_exit EXIT
	trap 'exit 130' INT TERM HUP
}

now_ms() {
	local t=${EPOCHREALTIME/[.,]/}
	echo $((t / 1000))
}

# record pass|fail|skip TEXT: one line for a person, one for the runner that counts.
record() {
	local word=$1 text=$2
	case "$word" in
	pass) echo "ok   $scenario_name: $text" ;;
	fail) echo "FAIL $scenario_name: $text" && scenario_failed=$((scenario_failed + 1)) ;;
	skip) echo "skip $scenario_name: $text" ;;
	esac
	[ -z "${NAMEPLANE_RESULTS:-}" ] || printf '%s\t%s: %s\n' "$word" "$scenario_name" "$text" \
		>>"$NAMEPLANE_RESULTS"
}

# check TEXT COMMAND...: one case. What the command prints is shown when it fails.
check() {
	local text=$1 began output status
	shift
	began=$(now_ms)
	"$@" >"$work/check.out" 2>&1
	status=$?
	if [ $status -eq 0 ]; then
		# A command may leave figures to print beside its name in its last line, after "figures:".
		output=$(sed -n '$s/^figures: /; /p' "$work/check.out")
		record pass "$text ($(($(now_ms) - began)) ms$output)"
	else
		record fail "$text ($(($(now_ms) - began)) ms)"
		tail -25 "$work/check.out" | sed 's/^/     | /'
	fi
	return $status
}

require() {
	check "$@" && return 0
	scenario_ended=yes
	exit 1
}

skip() {
	record skip "$1 ($2)"
}

# need_shared PATH: true when the folder with data that is not ours is there.
need_shared() {
	[ -e "$shared/$1" ]
}

# start NAME NAMESPACE COMMAND...: in the background, in a session of its own, its output in
# $work/NAME.log (appended over restarts).
start() {
	local name=$1 ns=$2
	shift 2
	setsid ip netns exec "$ns" "$@" </dev/null >>"$work/$name.log" 2>&1 &
	process_pid[$name]=$!
	process_order+=("$name")
}

running() {
	[ -n "${process_pid[$1]:-}" ] && kill -0 "${process_pid[$1]}" 2>/dev/null
}

# stop NAME [SIGNAL]: the process and its children; waits for the end, by force after 10 s.
stop() {
	local name=$1 signal=${2:-TERM} pid=${process_pid[$1]:-}
	[ -n "$pid" ] || return 0
	if [ "$signal" = KILL ]; then
		kill -KILL -- "-$pid" 2>/dev/null
	else
		kill -"$signal" "$pid" 2>/dev/null
		wait_until 10 process_gone "$pid" || {
			echo "$name did not end within 10 s of SIG$signal and was killed"
			kill -KILL -- "-$pid" 2>/dev/null
		}
	fi
	wait "$pid" 2>/dev/null
	process_status=$?
	unset "process_pid[$name]"
	return 0
}

process_gone() {
	# A zombie that nobody waited for yet is gone, too.
	! kill -0 "$1" 2>/dev/null || [ "$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -c1)" = Z ]
}

# wait_until SECONDS COMMAND...: polls every 20 ms.
wait_until() {
	local limit=$(($1 * 1000 + $(now_ms)))
	shift
	until "$@"; do
		[ "$(now_ms)" -lt "$limit" ] || return 1
		sleep 0.02
	done
}

# wait_log NAME PATTERN [SECONDS] [FROM-LINE]: until a line of the process's log matches.
wait_log() {
	wait_until "${3:-10}" log_matches "$1" "$2" "${4:-1}"
}

log_matches() {
	tail -n "+$3" "$work/$1.log" 2>/dev/null | has -E "$2"
}

# has [-E] PATTERN: grep -q for the end of a pipe. It reads all of it: -q ends at the first match,
# the writer dies of SIGPIPE, and pipefail calls that no match.
has() {
	grep -c "$@" >/dev/null
}

log_lines() {
	wc -l <"$work/$1.log" 2>/dev/null || echo 0
}

# Not of a child that a signal meets before it is another program: it still has these traps.
scenario_exit() {
	local status=$? name i
	[ "$BASHPID" -eq $$ ] || exit $status
	trap '' INT TERM HUP
	if [ $status -ne 0 ] && [ $status -ne 130 ] && [ -z "$scenario_ended" ] &&
		[ $scenario_failed -eq 0 ]; then
		record fail "ended early with status $status"
	fi
	! declare -F judge_stop >/dev/null || judge_stop
	for ((i = ${#process_order[@]} - 1; i >= 0; i--)); do
		stop "${process_order[i]}"
	done
	if [ $scenario_failed -gt 0 ]; then
		for name in "$work"/*.log; do
			[ -s "$name" ] || continue
			echo "     --- the end of ${name##*/}"
			tail -n "${NAMEPLANE_LOG_LINES:-15}" "$name" | cut -c1-240 | sed 's/^/     | /'
		done
	fi
	! declare -F net_remove >/dev/null || net_remove
	if [ -n "${NAMEPLANE_KEEP:-}" ]; then
		echo "kept: $work"
	else
		rm -rf "$work"
	fi
	[ $scenario_failed -eq 0 ] || exit 1
	exit $status
}
