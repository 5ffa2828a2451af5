#!/usr/bin/env bash
# Checks targets, and leaves what a CI job shows: a log, report.html, junit.xml and summary.md. The action and the
# workflow of this repository call it, and so does a person, anywhere:
#
#   scripts/check.sh go=cmd:./my-adapter
#   scripts/check.sh --adapters ref:            # builds each adapter whose toolchain is here, and checks them all
#   PROFILE=amino KNOWN=known.toml OUT=out scripts/check.sh addr:/ip4/127.0.0.1/tcp/4001/p2p/12D3Koo...
#
# What may be set (none of it has to be):
#   KADBENCH   the command; without it it is built from this checkout, or with VERSION installed in that version
#   VERSION    a version of kadbench, as v0.1.0
#   OUT        where everything goes (kadbench-out/ci)
#   TARGETS    more targets, one a line
#   PROFILE    base, amino or defacto: which one decides
#   KNOWN      files of known failures, one a line
#   ARGS       more arguments of kadbench check, one a line
#
# It ends with the exit code of kadbench check: 0 all is well, 1 a case failed, 2 wrong usage, 3 a target could not be
# reached, or an adapter could not be built, 4 the harness itself.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=${OUT:-kadbench-out/ci}
targets=()
adapters=no
for arg in "$@"; do
	case $arg in
	--adapters) adapters=yes ;;
	-h | --help)
		sed -n '2,/^set /{/^# \{0,1\}/s///p;}' "${BASH_SOURCE[0]}"
		exit 0
		;;
	-*)
		echo "check.sh: unknown option $arg (arguments of kadbench check go into ARGS)" >&2
		exit 2
		;;
	*) targets+=("$arg") ;;
	esac
done

# lines_of VALUE ARRAY appends the lines of a text that are not blank, without the blanks around them.
lines_of() {
	local line
	local -n list=$2
	while IFS= read -r line; do
		line=${line#"${line%%[![:space:]]*}"}
		line=${line%"${line##*[![:space:]]}"}
		if [ -n "$line" ]; then list+=("$line"); fi
	done <<<"$1"
}

# The command.
kadbench=${KADBENCH:-}
if [ -z "$kadbench" ] && [ -n "${VERSION:-}" ]; then
	mkdir -p "$out/bin"
	kadbench=$(cd "$out/bin" && pwd)/kadbench
	GOBIN=$(dirname "$kadbench") go install "github.com/kadbench/kadbench/cmd/kadbench@$VERSION"
elif [ -z "$kadbench" ]; then
	kadbench=$root/bin/kadbench
	go build -C "$root" -o bin/kadbench ./cmd/kadbench
fi
"$kadbench" version

# The adapters, by the commands that doctor names. One whose toolchain is absent is none of ours; one that cannot be
# built is a failure, once all the others have been checked.
unbuilt=0
if [ "$adapters" = yes ]; then
	cd "$root"
	while IFS= read -r build; do
		echo "+ $build"
		if ! bash -c "$build" </dev/null; then
			echo "check.sh: this failed: $build" >&2
			unbuilt=3
		fi
	done < <("$kadbench" doctor | sed -n 's/^ *build it, in the repository: //p')
	"$kadbench" doctor || true
	while IFS= read -r target; do
		eval "targets+=($target)" # quoted for a shell by doctor
	done < <("$kadbench" doctor | sed -n 's/^ .* check \(.*=cmd:.*\)$/\1/p')
fi

# The run.
lines_of "${TARGETS:-}" targets
args=()
lines_of "${ARGS:-}" args
if [ -n "${PROFILE:-}" ]; then args+=(--profile "$PROFILE"); fi
known=()
lines_of "${KNOWN:-}" known
for file in ${known[@]+"${known[@]}"}; do args+=(--known "$file"); done
mkdir -p "$out"
code=0
"$kadbench" check --out "$out" ${args[@]+"${args[@]}"} -- ${targets[@]+"${targets[@]}"} || code=$?

# The reports: there whatever the verdict is. A run that could not begin leaves a log without one.
if [ -s "$out/results.jsonl" ]; then
	"$kadbench" report "$out" --format junit -o "$out/junit.xml" || code=$((code == 0 ? 4 : code))
	"$kadbench" report "$out" --format md -o "$out/summary.md" || code=$((code == 0 ? 4 : code))
fi
if [ -n "${GITHUB_STEP_SUMMARY:-}" ] && [ -s "$out/summary.md" ]; then cat "$out/summary.md" >>"$GITHUB_STEP_SUMMARY"; fi
if [ "$code" = 0 ]; then code=$unbuilt; fi
if [ -n "${GITHUB_OUTPUT:-}" ]; then
	{
		echo "junit=$out/junit.xml"
		echo "log=$out/results.jsonl"
		echo "exit-code=$code"
	} >>"$GITHUB_OUTPUT"
fi
exit "$code"
