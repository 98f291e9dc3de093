#!/usr/bin/python3
"""Verdicts on the kernel's selftests of its verifier and on the programs of libbpf-tools.

    tests/oracle/verdicts.py RUNNER [-v] [-r PERCENT] [-e PERCENT] [NAME...]

Every progs/verifier_*.c, and others that say which programs must be refused, of Debian's package
linux-source-6.12 (or of the folder LINUX_SOURCE) are compiled when the test runs; the objects of
libbpf-tools are taken out of the installed programs. NAME: only files whose name holds one of these;
SKEP_SELFTESTS has them too. Without names every second file is taken, as all take ten minutes;
SKEP_VERDICT_ALL=1 takes all. RUNNER (verdicts.c) asks the kernel and the machine for each program,
and fails where fewer than PERCENT of 100 agree, or are explained at the right line. Without the package, clang or the kernel's BTF the
test is skipped.
"""

import os
import struct
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import selftests

TOOLS = Path("/usr/sbin")
EM_BPF = 247


def choose(source, names):
    """Files whose programs are for the verifier alone."""
    progs = source / "tools/testing/selftests/bpf/progs"
    return [file for file in sorted(progs.glob("*.c"))
            if (file.name.startswith("verifier_") or "__failure" in file.read_text())
            and not selftests.MODULE.search(file.read_text())
            and (not names or any(name in file.name for name in names))]


def object_bytes(data, at):
    """Bytes of the BPF object that begins at @at; 0: it is none."""
    if len(data) - at < 64:
        return 0
    machine, = struct.unpack_from("<H", data, at + 18)
    sections_off, = struct.unpack_from("<Q", data, at + 40)
    section_bytes, sections = struct.unpack_from("<HH", data, at + 58)
    size = sections_off + section_bytes * sections
    return size if machine == EM_BPF and section_bytes == 64 and at + size <= len(data) else 0


def tool_objects(folder, names):
    """What libbpf-tools' programs carry with them, as files."""
    listed = subprocess.run(["dpkg", "-L", "libbpf-tools"], check=False, stderr=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, text=True).stdout.split()
    objects = []
    for path in sorted(Path(line) for line in listed if Path(line).parent == TOOLS):
        if names and not any(name in path.name for name in names):
            continue
        data = path.read_bytes()
        at = data.find(b"\x7fELF", 1)
        while at > 0:
            if size := object_bytes(data, at):
                objects.append(folder / f"{path.name}.o")
                objects[-1].write_bytes(data[at:at + size])
            at = data.find(b"\x7fELF", at + 1)
    return objects


def main():
    runner, *rest = sys.argv[1:]
    options = [word for word in rest if word.startswith("-v")]
    for percent in ("-r", "-e"):
        if percent in rest:
            at = rest.index(percent)
            options += rest[at:at + 2]
            del rest[at:at + 2]
    names = [word for word in rest if not word.startswith("-v")]
    names += os.environ.get("SKEP_SELFTESTS", "").split()
    clang = selftests.find_clang()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = selftests.find_source()
        command = selftests.compiler(clang, selftests.make_includes(folder, source), source)
        step = 1 if names or os.environ.get("SKEP_VERDICT_ALL") else 2
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            built = list(pool.map(lambda file: selftests.build(command, file, folder),
                                  choose(source, names)[::step]))
        objects = [object for object in built if isinstance(object, Path)]
        print(*(error for error in built if isinstance(error, str)), sep="\n", flush=True)
        objects += tool_objects(folder, names)[::step]
        return subprocess.run([runner, *options, *objects], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
