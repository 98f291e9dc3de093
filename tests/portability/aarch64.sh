#!/usr/bin/env bash
# The core of the machine on another processor: its libraries and the JIT's tests, built for
# aarch64 and run by qemu. What is printed has cmocka's form, which tests/run counts.
#
#	tests/portability/aarch64.sh [FOLDER]	FOLDER: where to build; made anew if not given
#
# With SKEP_CONFORMANCE also the suite of tests/conformance-plugin/test.py, in all modes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

CC=${AARCH64_CC:-aarch64-linux-gnu-gcc}
QEMU=${AARCH64_QEMU:-qemu-aarch64-static}
# In the order of src/layers.txt: what needs nothing but libc.
LIBRARIES="base isa btf map image helper vm jit"
TESTS="calls code random rows"
FLAGS=(-std=gnu17 -O1 -g -Wall -Wextra -Wshadow -Wno-unused-parameter
	-Wno-missing-field-initializers -Wno-sign-compare -Werror -fno-strict-aliasing
	-D_GNU_SOURCE -DSKEP_VERSION='"test"' -Iinclude -Isrc)

skip()
{
	printf '[==========] 1 test(s) run.\n[  SKIPPED ] 1 test(s).\n%s\n' "$1"
	exit 0
}

# All sources of a folder of src/, those of other processors and systems left out.
sources_of()
{
	find "src/$1" -name '*.c' ! -path '*/x86_64/*' ! -name 'none.c' ! -name '*_other.c' \
		! -name '*_windows.c' ! -path '*/windows/*' | sort
}

for tool in "$CC" "$QEMU"; do
	command -v "$tool" >/dev/null || skip "there is no $tool here"
done

if [ $# -gt 0 ]; then
	folder=$1
	mkdir -p "$folder"
else
	folder=$(mktemp -d)
	trap 'rm -rf "$folder"' EXIT
fi

# $0: the folder, $1: the source, then the compiler and its flags.
# shellcheck disable=SC2016 # expanded by the shell that compiles
compile='"${@:2}" -c "$1" -o "$0/$(tr / - <<<"${1%.c}").o"'
for library in $LIBRARIES; do sources_of "$library"; done |
	xargs -P "$(nproc)" -I {} bash -c "$compile" "$folder" {} "$CC" "${FLAGS[@]}"
for name in $TESTS; do
	"$CC" "${FLAGS[@]}" -static -Itests/portability "tests/jit/test_$name.c" \
		"$folder"/src-*.o -o "$folder/test_$name"
	SKEP_JIT_PROGRAMS=${SKEP_JIT_PROGRAMS:-2000} "$QEMU" "$folder/test_$name"
done

"$CC" "${FLAGS[@]}" -static tests/conformance-plugin/main.c "$folder"/src-*.o \
	-o "$folder/conformance-plugin"
if [ -n "${SKEP_CONFORMANCE:-}" ]; then
	tests/conformance-plugin/test.py "$QEMU $folder/conformance-plugin"
fi
