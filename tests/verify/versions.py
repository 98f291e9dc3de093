#!/usr/bin/python3
"""versions.def against kernels that are at hand: what they have must be as old as its row says.

    tests/verify/versions.py

Each kernel must have all that has a version up to its own, and nothing that has a later one: by the
header of linux-libc-dev, always there; by the sources in Debian's packages linux-source-… (or in
the folder LINUX_SOURCE), with their lists of kernel functions; and every kernel function of the
running kernel must have a row. The last line says how much was held against how many kernels.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.append(str(TOP / "tests"))
sys.dont_write_bytecode = True
import linux_source  # found by the line above

TABLE = TOP / "src/verify/versions.def"
INCLUDE = Path("/usr/include/linux")
BTF = Path("/sys/kernel/btf/vmlinux")
HEADER = "include/uapi/linux/bpf.h"

# Not named where others are: by a macro of their own, or gone again before 6.12.
UNLISTED = re.compile(r"bpf_xdp_metadata_|hid_bpf_attach_prog$")
# Functions that are there for the kernel's own tests.
FOR_TESTS = re.compile(r"bpf_fentry_test|bpf_kfunc_call_|bpf_modify_return_test|bpf_testmod")


def rows():
    """(what it is called in the kernel, whether in the header or a list, its version) of each row."""
    forms = {
        "HELPER_SINCE": (r"(\w+), ", lambda name: ("helper", name)),
        "KFUNC_SINCE": (r"(\w+), ", lambda name: ("kfunc", name)),
        "MAP_SINCE": (r"(\w+), ", lambda name: ("word", "BPF_MAP_TYPE_" + name)),
        "PROGRAM_SINCE": (r"(\w+), ", lambda name: ("word", "BPF_PROG_TYPE_" + name)),
        "ATTACH_SINCE": (r"\d+, (\w+), ", lambda name: ("word", "BPF_" + name)),
        "MAP_FLAG_SINCE": (r"\d+, \"(\w+)\", ", lambda name: ("word", name)),
        "PROGRAM_FLAG_SINCE": (r"\d+, \"(\w+)\", ", lambda name: ("word", name)),
    }
    text = TABLE.read_text(encoding="utf-8")
    for form, (before, naming) in forms.items():
        for name, major, minor in re.findall(rf"^{form}\({before}(\d+), (\d+)", text, re.M):
            yield *naming(name), (int(major), int(minor))


def in_header(text):
    found = {("word", word) for word in re.findall(r"\bBPF_\w+", text)}
    return found | {("helper", name) for name in re.findall(r"\bFN\((\w+)[,)]", text)}


def in_sources(texts):
    return {("kfunc", name) for text in texts
            for name in re.findall(r"BTF_ID_FLAGS\(func, *(\w+)", text)}


def differences(version, found, with_kfuncs):
    """What a kernel has too early, or not yet."""
    for kind, name, since in rows():
        if (kind == "kfunc" and (not with_kfuncs or UNLISTED.match(name))) or since == (0, 0):
            continue
        if ((kind, name) in found) != (since <= version):
            said = ".".join(map(str, since))
            yield f"{name}: {said} in the table, but Linux {version[0]}.{version[1]} " + \
                ("has it" if (kind, name) in found else "does not have it")


def of_include():
    code = re.search(r"LINUX_VERSION_CODE (\d+)", (INCLUDE / "version.h").read_text())
    number = int(code[1])
    return (number >> 16, number >> 8 & 255), in_header((INCLUDE / "bpf.h").read_text())


def of_folder(folder):
    makefile = (folder / "Makefile").read_text()
    version = tuple(int(re.search(rf"^{word} = (\d+)", makefile, re.M)[1])
                    for word in ("VERSION", "PATCHLEVEL"))
    files = [file for top in linux_source.SOURCES for file in (folder / top).rglob("*.c")]
    found = in_header((folder / HEADER).read_text())
    return version, found | in_sources(file.read_text(errors="replace") for file in files)


def without_row():
    """Kernel functions of the running kernel that the table lacks."""
    bpftool = shutil.which("bpftool", path=f"{os.environ['PATH']}:/usr/sbin")
    if not bpftool or not BTF.exists():
        return []
    dump = subprocess.run([bpftool, "btf", "dump", "file", BTF], stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    names = dict(re.findall(r"^\[(\d+)\] FUNC '(\w+)'", dump, re.M))
    tagged = {names[number] for number in
              re.findall(r"^\[\d+\] DECL_TAG 'bpf_kfunc' type_id=(\d+)", dump, re.M)}
    known = {name for kind, name, _ in rows() if kind == "kfunc"}
    return [f"{name}: the running kernel has it, the table does not"
            for name in sorted(tagged - known) if not FOR_TESTS.match(name)]


def main():
    kernels = [(*of_include(), False)]
    if os.environ.get("LINUX_SOURCE"):
        kernels.append((*of_folder(Path(os.environ["LINUX_SOURCE"])), True))
    else:
        kernels += [(*of_folder(linux_source.of_package(package)), True)
                    for package in sorted(linux_source.PACKAGES.glob("linux-source-*.tar.xz"))]
    wrong = without_row()
    for kernel in kernels:
        wrong += differences(*kernel)
    for line in wrong:
        print(line)
    names = ", ".join(f"{version[0]}.{version[1]}{' with its functions' if functions else ''}"
                      for version, _, functions in kernels)
    print(f"{sum(1 for _ in rows())} rows held against Linux {names}: {len(wrong)} differ")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
