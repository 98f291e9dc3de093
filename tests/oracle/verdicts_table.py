#!/usr/bin/python3
"""Verdicts on the table of programs of the kernel's own test_verifier.

    tests/oracle/verdicts_table.py TOP [OPTION...] -- WORD-OF-THE-LINKER...

tools/testing/selftests/bpf/test_verifier.c of Debian's package linux-source-6.12 (or of the folder
LINUX_SOURCE) holds some 470 programs, as arrays of instructions. The table, with what makes the
maps that they name, is cut out when the test runs and compiled with verdicts_table.c, which takes
the OPTIONs; nothing of it is kept. Without the package the test is skipped.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import selftests

FROM, UP_TO = r"^#ifndef ENOTSUPP$", r"^static int set_admin\("


def cut(text):
    """From the table's constants to what makes maps; the table is in verifier/tests.h."""
    return re.search(rf"{FROM}.*?(?={UP_TO})", text, re.M | re.S)[0]


def make_headers(folder, tests):
    """What verdicts_table.c includes of the selftests in @tests."""
    (folder / "cases.h").write_text(cut((tests / "test_verifier.c").read_text()))
    (folder / "verifier").mkdir()
    names = sorted(path.name for path in (tests / "verifier").glob("*.c"))
    lines = [f'#include "{tests / "verifier" / name}"' for name in names]
    (folder / "verifier/tests.h").write_text("\n".join(["#ifdef FILL_ARRAY", *lines, "#endif", ""]))
    for name in ("bpf_rand.h", "test_btf.h"):
        (folder / name).symlink_to(tests / name)
    (folder / "tools_filter.h").symlink_to(tests / "../../../include/linux/filter.h")
    (folder / "linux").mkdir()
    for name in ("bpf.h", "bpf_common.h", "btf.h", "bpf_perf_event.h"):
        (folder / "linux" / name).symlink_to(tests / "../../../include/uapi/linux" / name)


def main():
    top, rest = Path(sys.argv[1]), sys.argv[2:]
    options, linked = rest[:rest.index("--")], rest[rest.index("--") + 1:]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tests = selftests.find_source() / "tools/testing/selftests/bpf"
        headers = folder / "headers"
        headers.mkdir()
        make_headers(headers, tests.resolve())
        subprocess.run(["cc", "-w", "-O1", "-std=gnu17", "-D_GNU_SOURCE", f"-I{headers}",
                        f"-I{top}/include", f"{top}/tests/oracle/verdicts_table.c",
                        "-Wl,--start-group", *linked, "-Wl,--end-group", "-lpthread", "-o",
                        folder / "table"], check=True)
        return subprocess.run([folder / "table", *options], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
