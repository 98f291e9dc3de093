"""Which versions of CPython this machine has, of those that src/interp/pythons.def knows."""

import os
import re
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
DEF = TOP / "src/interp/pythons.def"
SKIPPED = 77


def known():
    """{(major, minor): the other words of its row}"""
    rows = re.findall(r"^PYTHON\((.*)\)$", DEF.read_text(), re.M)
    words = [[word.strip() for word in row.split(",")] for row in rows]
    return {(int(row[0]), int(row[1])): row[2:] for row in words}


def folders():
    yield from os.get_exec_path()
    yield from sorted(Path.home().glob(".pyenv/versions/*/bin"))


def installed():
    """{(major, minor): path of its program}"""
    found = {}
    for folder in folders():
        for major, minor in known():
            path = Path(folder, f"python{major}.{minor}")
            if (major, minor) in found or not path.exists():
                continue
            # what stands in a folder may be a script that starts another
            done = subprocess.run([path, "-c", "import os, sys; print(*sys.version_info[:2], "
                                   "os.path.realpath('/proc/self/exe'))"],
                                  capture_output=True, text=True, check=False)
            if done.stdout.split()[:2] == [str(major), str(minor)]:
                found[major, minor] = done.stdout.split()[2]
    return found
