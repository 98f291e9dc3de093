#!/usr/bin/python3
"""The kernel's selftests that say what they return, on the kernel and on the machine.

    tests/oracle/selftests.py RUNNER [-v] [NAME...]

Every progs/*.c with __retval() of Debian's package linux-source-6.12 (or of the folder
LINUX_SOURCE) is compiled with clang when the test runs; nothing of it is kept. NAME: only files
whose name holds one of these; SKEP_SELFTESTS has them too. RUNNER (selftests.c) loads and runs
them, prints what differs and a table, and says whether that is good enough. Without the package,
clang or the kernel's BTF the test is skipped.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))
sys.dont_write_bytecode = True
import linux_source  # found by the line above

BTF = Path("/sys/kernel/btf/vmlinux")
MODULE = re.compile(r'"\.\./bpf_testmod/|bpf_iter_testmod_')  # they need a module of the selftests' own
SKIPPED = 77  # what meson takes for a skipped test


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def find_clang():
    return shutil.which("clang-19") or skip("clang-19 is missing (apt-get install clang-19)")


def find_source():
    return linux_source.find() or skip("the kernel's source is missing (apt-get install linux-source-6.12)")


def make_includes(folder, source):
    """What the programs include: this kernel's types, that source's headers of BPF."""
    include = folder / "include"
    (include / "linux").mkdir(parents=True)
    (include / "bpf").symlink_to(source / "tools/lib/bpf")
    (include / "linux/bpf.h").symlink_to(source / "tools/include/uapi/linux/bpf.h")
    bpftool = shutil.which("bpftool", path=f"{os.environ['PATH']}:/usr/sbin")
    if not bpftool or not BTF.exists():
        skip("bpftool or the kernel's BTF is missing")
    with open(include / "vmlinux.h", "w", encoding="ascii") as out:
        subprocess.run([bpftool, "btf", "dump", "file", BTF, "format", "c"], stdout=out, check=True)
    return include


def compiler(clang, include, source):
    machine = {"x86_64": "x86", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    selftests = source / "tools/testing/selftests/bpf"
    return [clang, "-target", "bpf", "-mcpu=v3", "-O2", "-g", "-w",
            f"-D__TARGET_ARCH_{machine}", f"-D__{os.uname().machine}__", "-DENABLE_ATOMICS_TESTS",
            f"-I{include}", f"-I{selftests}",
            "-idirafter", "/usr/include/bpf",
            "-idirafter", f"/usr/include/{os.uname().machine}-linux-gnu",
            "-idirafter", source / "tools/include", "-idirafter", source / "tools/include/uapi"]


def build(command, file, folder):
    """Compile @file; the object, or the first error's text."""
    target = folder / (file.stem + ".o")
    done = subprocess.run([*command, "-c", file, "-o", target], check=False,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode == 0:
        return target
    error = re.search(r"error: .*", done.stderr)
    return f"{file.name}: not compiled: {error[0] if error else done.stderr[-200:]}"


def choose(source, names):
    """Files with programs that say what they return, and the types that those are relocated to."""
    progs = source / "tools/testing/selftests/bpf/progs"
    files = [file for file in sorted(progs.glob("*.c"))
             if "__retval(" in (text := file.read_text()) and not MODULE.search(text) and
             (not names or any(name in file.name for name in names))]
    types = {progs / name.replace(".bpf.o", ".c")
             for file in files for name in re.findall(r'__btf_path\("(.*?)"\)', file.read_text())}
    return files, sorted(types)


def main():
    runner, *rest = sys.argv[1:]
    verbose = [word for word in rest if word == "-v"]
    names = [word for word in rest if word != "-v"] + os.environ.get("SKEP_SELFTESTS", "").split()
    clang = find_clang()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = find_source()
        command = compiler(clang, make_includes(folder, source), source)
        files, types = choose(source, names)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            built = list(pool.map(lambda file: build(command, file, folder), files + types))
        for file in types:
            (folder / (file.stem + ".o")).rename(folder / (file.stem + ".bpf.o"))
        objects = [object for object in built[:len(files)] if isinstance(object, Path)]
        print(*(error for error in built if isinstance(error, str)), sep="\n", flush=True)
        return subprocess.run([runner, *verbose, *objects], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
