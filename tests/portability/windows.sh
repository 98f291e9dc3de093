#!/usr/bin/env bash
# The machine as a program of Windows: its libraries, tests and the conformance plugin, built by
# mingw-w64 through Meson's cross file, run by wine. What is printed has cmocka's form, which
# tests/run counts.
#
#	tests/portability/windows.sh [FOLDER]	FOLDER: where to build; made anew if not given
#
# With SKEP_CONFORMANCE also the suite of tests/conformance-plugin/test.py, in all modes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

CC=x86_64-w64-mingw32-gcc-posix

skip()
{
	printf '[==========] 1 test(s) run.\n[  SKIPPED ] 1 test(s).\n%s\n' "$1"
	exit 0
}

find_wine()
{
	local name

	for name in wine64 wine /usr/lib/wine/wine64; do
		command -v "$name" && return
	done
}

command -v "$CC" >/dev/null || skip "there is no $CC here (Debian: gcc-mingw-w64-x86-64-posix)"
WINE=${WINE:-$(find_wine || true)}
[ -n "$WINE" ] || skip "there is no wine here (Debian: wine64)"

prefix=$(mktemp -d)
trap 'wait_for_wine; rm -rf "$prefix"' EXIT
folder=${1:-$prefix/build}
# A Windows of its own, without windows; its server ends with the last program.
export WINEPREFIX=$prefix/wine WINEDEBUG=-all WINEDLLOVERRIDES=mscoree,mshtml= DISPLAY=

# The server writes its registry for some seconds more.
wait_for_wine()
{
	local server

	for server in wineserver /usr/lib/wine/wineserver64 /usr/lib/wine/wineserver; do
		if command -v "$server" >/dev/null; then
			"$server" -k || true
			"$server" -w || true
			return
		fi
	done
}

say_why()
{
	cat "$prefix/log"
	exit 1
}

if [ ! -f "$folder/build.ninja" ]; then
	meson setup "$folder" --cross-file tests/portability/windows.ini >"$prefix/log" 2>&1 || say_why
fi
ninja -j2 -C "$folder" >"$prefix/log" 2>&1 || say_why

tests=$folder/tests/portability/elsewhere
for program in "$tests"/test_*.exe; do
	SKEP_JIT_PROGRAMS=${SKEP_JIT_PROGRAMS:-2000} "$WINE" "$program" | tr -d '\r'
done
if [ -n "${SKEP_CONFORMANCE:-}" ]; then
	tests/conformance-plugin/test.py "$WINE $tests/conformance-plugin.exe"
fi
