#!/usr/bin/env bash
# Runs kadbench's test cases with the real Testground daemon, from a clean checkout, without docker: a single run of
# get-closest-peers with 8 instances, then the composition of two implementations. Needs Go, git and the free ports 5050
# (where the daemon's instances look for a sync service) and 6379 (which the daemon wants free for a redis of its own).
#
#   scripts/testground.sh                     # what CI runs
#   scripts/testground.sh --versions          # two versions of go-libp2p-kad-dht in one network too
#   scripts/testground.sh --composition FILE  # this composition instead of that of two implementations (repeatable)
#
# What may be set (none of it has to be):
#   N      instances of a run (8), an even number
#   OUT    a directory where the outputs of the runs are kept; without it they are removed, unless a run failed
#
# Testground v0.6.0 is built in a module of its own, once, into ${XDG_CACHE_HOME:-$HOME/.cache}/kadbench/testground. All
# else is in a private directory, which is removed. It ends with 0 if every instance of every run has passed, else with 1,
# and with 2 if it cannot begin.
set -euo pipefail
set -m # each job in the background has a process group, so that what it started can be ended with it

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
N=${N:-8}
export N
compositions=()
versions=no
while [ $# -gt 0 ]; do
	case $1 in
	--versions) versions=yes ;;
	--composition)
		[ -f "${2:-}" ] || { echo "testground.sh: --composition ${2:-}: a file was expected" >&2; exit 2; }
		compositions+=("$2")
		shift
		;;
	-h | --help)
		sed -n '2,/^set /{/^# \{0,1\}/s///p;}' "${BASH_SOURCE[0]}"
		exit 0
		;;
	*)
		echo "testground.sh: unknown argument $1 (--help tells which there are)" >&2
		exit 2
		;;
	esac
	shift
done
case $N in
'' | 0* | *[!0-9]* | *[13579])
	echo "testground.sh: N=$N: an even number of instances was expected, as a composition halves it" >&2
	exit 2
	;;
esac
[ ${#compositions[@]} -gt 0 ] || compositions=("$root/plans/testground/implementations.toml")
[ $versions = no ] || compositions+=("$root/plans/testground/versions.toml")

# open PORT: somebody listens there on loopback.
open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

for port in 5050 6379; do
	if open $port; then
		echo "testground.sh: port $port of 127.0.0.1 is taken, and Testground's local:exec wants it: 5050 for the sync service, 6379 free of any redis. End what listens there." >&2
		exit 2
	fi
done
daemon_port=8042
while open $daemon_port; do daemon_port=$((daemon_port + 1)); done

work=$(mktemp -d "${TMPDIR:-/tmp}/kadbench-testground.XXXXXX")
jobs=() # process groups
kept=
kadbench=$work/kadbench
export TESTGROUND_HOME=$work/home TMPDIR=$work/tmp
mkdir -p "$TESTGROUND_HOME/plans/kadbench" "$TMPDIR" "$work/runs"
clean() {
	trap - EXIT
	trap '' INT TERM HUP # who presses Ctrl-C twice leaves nothing behind either
	# The instances are in the daemon's group: ended by itself, it would leave them behind.
	local group
	for group in "${jobs[@]}"; do kill -TERM -- "-$group" 2>/dev/null || true; done
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		alive=no
		for group in "${jobs[@]}"; do if kill -0 -- "-$group" 2>/dev/null; then alive=yes; fi; done
		[ "$alive" = yes ] || break
		sleep 0.2
	done
	for group in "${jobs[@]}"; do kill -KILL -- "-$group" 2>/dev/null || true; done
	if [ -n "$kept" ]; then
		rm -rf "$kadbench" "$TESTGROUND_HOME"/{plans,data/work} "$TMPDIR" # copies, and 200 MB of binaries
		echo "testground.sh: logs and outputs are in $work" >&2
	else
		rm -rf "$work"
	fi
}
stop() { # by a signal of this number
	clean
	exit $((128 + $1))
}
trap clean EXIT
trap 'stop 1' HUP
trap 'stop 2' INT
trap 'stop 15' TERM

# job NAME COMMAND... runs a command beside this script; its output goes to a log.
job() {
	local name=$1
	shift
	"$@" >"$work/$name.log" 2>&1 &
	jobs+=($!)
}

# await NAME PORT waits until a job listens.
await() {
	local group=${jobs[-1]}
	for _ in $(seq 300); do
		if open "$2"; then return; fi
		if ! kill -0 -- "-$group" 2>/dev/null; then break; fi
		sleep 0.1
	done
	fail "$1 does not listen on port $2" "$1"
}

# fail WHY LOG
fail() {
	echo "testground.sh: $1; the end of its log:" >&2
	tail -n 25 "$work/$2.log" >&2
	kept=yes
	exit 1
}

# during COMMAND... runs a command that signals can interrupt: bash would let one in the foreground end first.
during() {
	"$@" &
	local pid=$! rc=0
	jobs+=("$pid")
	wait "$pid" || rc=$?
	unset 'jobs[-1]'
	return $rc
}

# Testground itself. Its name has the versions in it, so that another one is another file.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/kadbench/testground
testground=$cache/testground-$(cat "$root"/scripts/testground/go.{mod,sum} | git hash-object --stdin)
if [ ! -x "$testground" ]; then
	echo "building Testground v0.6.0, once: two minutes on two cores"
	mkdir -p "$cache"
	during go build -C "$root/scripts/testground" -o "$testground.new" github.com/testground/testground
	mv "$testground.new" "$testground"
fi
during go build -C "$root" -o "$kadbench" ./cmd/kadbench

# The plan is a copy of the tracked files: Testground zips what it is given, and does not look at .testgroundignore where
# the plan is a link to a checkout, as its own import makes one.
(
	cd "$root"
	git ls-files -z | while IFS= read -r -d '' name; do
		if [ -e "$name" ]; then printf '%s\0' "$name"; fi
	done | tar --null -T - -cf -
) | tar -C "$TESTGROUND_HOME/plans/kadbench" -xf -
cat >"$TESTGROUND_HOME/.env.toml" <<TOML
[daemon]
listen = "127.0.0.1:$daemon_port"
[daemon.scheduler]
task_repo_type = "memory"
task_timeout_min = 10
workers = 1
[client]
endpoint = "http://127.0.0.1:$daemon_port"
user = "local"
TOML

job sync "$kadbench" testground --sync-service 127.0.0.1:5050
await sync 5050
# With an engine that answers, the daemon would pull images for services that nothing here uses. -trimpath lets Go's cache
# know a package again, which Testground builds in another directory each time.
job daemon env DOCKER_HOST=tcp://127.0.0.1:1 GOFLAGS=-trimpath "$testground" daemon
await daemon $daemon_port

# run NAME ARGUMENTS... has Testground do a run. It passed if Testground says so, if every instance wrote that it succeeded,
# and if our own reader of outputs finds the same.
failed=0
run() {
	local name=$1 began=$SECONDS rc=0 dir succeeded=0 read=0 n=2
	shift
	while [ -e "$work/runs/$name.log" ]; do name=$name-$n n=$((n + 1)); done # a composition may be run twice
	local to=$work/runs/$name
	during "$testground" run "$@" >"$to.log" 2>&1 || rc=$?
	dir=$(find "$TESTGROUND_HOME/data/outputs/local_exec/kadbench" -mindepth 1 -maxdepth 1 -type d 2>/dev/null || true)
	if [ -n "$dir" ]; then
		mv "$dir" "$to" # the next run finds the place empty
		succeeded=$(cat "$to"/*/*/run.out | grep -c '"success_event"' || true)
		"$kadbench" testground --read "$to" >"$to.txt" 2>&1 || read=$?
		sed '/^outputs /d; s/^/      /' "$to.txt"
		[ -z "${OUT:-}" ] || { mkdir -p "$OUT" && cp -R "$to" "$to.log" "$OUT"; }
	fi
	if [ $rc -eq 0 ] && [ "$succeeded" -eq "$N" ] && [ $read -eq 0 ]; then
		printf 'ok    %s: %s instances, %s s\n\n' "$name" "$N" $((SECONDS - began))
		return
	fi
	failed=1 kept=yes
	{ grep -E '(FAIL|ERROR|CRASH|INCOMPLETE|WARN|rror)' "$to.log" || cat "$to.log"; } | tail -n 25 | sed 's/^/      /'
	printf 'FAIL  %s: testground ended with %s, our reader of its outputs with %s, and %s of %s instances succeeded\n\n' \
		"$name" $rc $read "$succeeded" "$N"
}

run get-closest-peers single --plan kadbench --testcase get-closest-peers --builder exec:go --runner local:exec \
	--instances "$N" --use-build "$kadbench" --disable-metrics --wait
for file in "${compositions[@]}"; do
	run "$(basename "$file" .toml)" composition -f "$file" --wait
done
exit $failed
