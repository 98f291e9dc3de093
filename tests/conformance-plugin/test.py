#!/usr/bin/python3
"""The suite bpf_conformance, through the plugin, in every way that it runs programs.

    SKEP_CONFORMANCE=FOLDER tests/conformance-plugin/test.py PLUGIN [--MODE...]

FOLDER holds the suite's sources (github.com/Alan-Jowett/bpf_conformance); nothing of it is kept
here. Its parser and assembler are compiled with list.cc, so g++ is needed. PLUGIN may be a command
with arguments ("qemu-aarch64-static …"). Passes if every test gives its result in every mode and
nothing of negative/ is taken for a program that does what it says.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODES = ["--interp", "--checked", "--jit"]
SKIPPED = 77  # what meson takes for a skipped test


def list_files(suite, paths):
    """name → fields of list.cc"""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "list"
        subprocess.run(["g++", "-std=c++20", "-w", "-O0", f"-I{suite}/lib/include",
                        HERE / "list.cc", suite / "lib/src/bpf_assembler.cc",
                        suite / "lib/src/bpf_test_parser.cc", "-o", program], check=True)
        text = subprocess.run([program, *paths], check=True, stdout=subprocess.PIPE,
                              text=True).stdout
    lines = (line.split("\t") for line in text.splitlines() if "\t" in line)
    return {name: fields for name, *fields in lines}


def raw_bytes(path):
    """The bytes of a file's raw part, where they are written byte by byte, as base16."""
    raw = re.search(r"^-- raw\n(.*?)^--", path.read_text(), re.M | re.S)
    tokens = raw[1].split() if raw else []
    return "".join(tokens) if tokens and all(len(token) == 2 for token in tokens) else None


def run(plugin, mode, memory, program):
    done = subprocess.run([*plugin, mode, memory] if memory else [*plugin, mode], input=program,
                          check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=60)
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def check_one(plugin, mode, fields):
    """None, or what is wrong."""
    result, _, memory, program = fields[1:]
    status, output, errors = run(plugin, mode, memory, program)
    if status:
        return f"status {status}: {errors}"
    return None if int(output, 16) == int(result, 16) else f"{output}, not {result}"


def check_positive(plugin, mode, listed):
    failed = 0
    for name, fields in sorted(listed.items()):
        wrong = f"not assembled: {fields[1]}" if fields[0] != "ok" else \
            check_one(plugin, mode, fields)
        if wrong:
            failed += 1
            print(f"{mode} {name}: {wrong}")
    print(f"{mode}: {len(listed) - failed} of {len(listed)} tests")
    return failed


def is_taken(plugin, mode, path, fields):
    """Does the plugin do what a file of negative/ says, which nobody should?"""
    raw = raw_bytes(path)
    if raw:
        return run(plugin, mode, "", raw)[0] == 0
    if fields[0] != "ok" or not fields[4]:
        return False
    status, output, errors = run(plugin, mode, fields[3], fields[4])
    if fields[2]:
        return status != 0 and errors == fields[2]
    return status == 0 and int(output, 16) == int(fields[1], 16)


def check_negative(plugin, mode, paths, listed):
    taken = [path.name for path in paths
             if is_taken(plugin, mode, path, listed.get(path.name, ["bad"]))]
    for name in taken:
        print(f"{mode} negative/{name}: not rejected")
    print(f"{mode}: {len(paths) - len(taken)} of {len(paths)} of negative/ rejected")
    return len(taken)


def main():
    suite = os.environ.get("SKEP_CONFORMANCE")
    if not suite or not shutil.which("g++"):
        print("skipped: SKEP_CONFORMANCE names no folder with bpf_conformance" if not suite
              else "skipped: there is no g++")
        return SKIPPED
    suite, plugin, modes = Path(suite), shlex.split(sys.argv[1]), sys.argv[2:] or MODES
    tests, negative = (sorted((suite / name).glob("*.data")) for name in ("tests", "negative"))
    if len(tests) < 300 or len(negative) < 60:
        print(f"{suite} has {len(tests)} tests and {len(negative)} in negative/: not all of them")
        return 1
    listed, refused = list_files(suite, tests), list_files(suite, negative)
    failed = 0
    for mode in modes:
        failed += check_positive(plugin, mode, listed)
        failed += check_negative(plugin, mode, negative, refused)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
