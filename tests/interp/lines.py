#!/usr/bin/python3
"""Lines of instructions, ours and Python's own, of the functions of Python's library.

    lines.py INTERP-LINES
"""

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from checks import run
from pythons import SKIPPED, installed

MODULES = ["argparse", "ast", "asyncio/base_events", "collections/__init__", "dataclasses",
           "decimal", "enum", "functools", "inspect", "json/decoder", "pickle", "subprocess",
           "tarfile", "threading", "typing", "zipfile", "_pydecimal", "difflib", "heapq", "re"]
FORMS = {(3, 9): 0, (3, 10): 1}  # enum skep_python_table; later ones: 2

# Run by each version: a line for the program, and what it is to answer.
LIST = r"""
import dis, os, sys, types

def codes(code):
    yield code
    for it in code.co_consts:
        if isinstance(it, types.CodeType):
            yield from codes(it)

def lines(code):
    found = [0] * (len(code.co_code) // 2)
    if sys.version_info >= (3, 10):
        for start, end, line in code.co_lines():
            for i in range(start // 2, min(end // 2, len(found))):
                found[i] = line or 0
        return found
    starts = dict(dis.findlinestarts(code))
    line = code.co_firstlineno
    for i in range(len(found)):
        line = starts.get(2 * i, line)
        found[i] = line
    return found

odd = "def f(a,\n      b): return (a +\n\n" + "\n" * 300 + "b)\n" + "\n" * 70000 + "f(1, 2)\n"
sources = [odd]
for name in sys.argv[2:]:
    path = os.path.join(os.path.dirname(os.__file__), name + ".py")
    if os.path.exists(path):
        sources.append(open(path, encoding="utf-8").read())
for source in sources:
    for code in codes(compile(source, "x", "exec")):
        table = code.co_linetable if sys.version_info >= (3, 10) else code.co_lnotab
        print(sys.argv[1], code.co_firstlineno, len(code.co_code), table.hex() or "-")
        print(*lines(code))
"""


def check_lines(program, pythons):
    for version, python in pythons.items():
        text = subprocess.run([python, "-c", LIST, str(FORMS.get(version, 2)), *MODULES],
                              capture_output=True, text=True, check=True).stdout.splitlines()
        ours = subprocess.run([program], input="\n".join(text[::2]), capture_output=True,
                              text=True, check=True).stdout.splitlines()
        assert len(ours) == len(text) // 2 > 1000
        n = 0
        for question, own, found in zip(text[::2], text[1::2], ours):
            assert own.split() == found.split(), f"{version}: {question}\n{own}\n{found}"
            n += len(own.split())
        print(f"{version}: {len(ours)} code objects, {n} instructions")


def main():
    pythons = installed()
    if not pythons:
        print("not here: a CPython that is known")
        return SKIPPED
    return run([check_lines], sys.argv[1], pythons)


if __name__ == "__main__":
    sys.exit(main())
