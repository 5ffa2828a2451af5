#!/usr/bin/env bash
# digests.sh [PLAN…]: runs simulations to their ends on 1, 2 and 4 shards, twice each, and compares the digests with each
# other. Without a plan: all that are carried and not slow, which have 10,000 nodes at most; that takes about four minutes on
# two cores. GOGC and the like are passed on. Exit codes: 0 all alike, 1 not, 2 usage.
set -euo pipefail
cd "$(dirname "$0")/.."
go build -o bin/kadbench ./cmd/kadbench
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ $# -eq 0 ]; then
	set -- $(grep -L '^slow' plans/sim/*.plan | sed 's,^plans/,,; s,\.plan$,,')
fi
for run in 1a 2a 4a 1b 2b 4b; do
	code=0
	bin/kadbench sim "$@" --shards "${run%?}" --update-digests "$work/$run" --out "$work/out" --quiet >"$work/report" || code=$?
	if [ $code -ne 0 ] && [ $code -ne 5 ]; then # a need that is missed is not what is looked at here
		cat "$work/report"
		exit $code
	fi
	if ! diff "$work/1a" "$work/$run"; then
		echo "run $run: another digest than on one shard" >&2
		exit 1
	fi
	echo "run $run: $(wc -l <"$work/$run") digests"
done
