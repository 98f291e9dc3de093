#!/usr/bin/python3
"""Stacks of running programs of Debian, by our tables, by the same where a program in the kernel
reads them, and by elfutils' eu-stack.

    stacks.py UNWIND-STOPPED

Each program is where it waits for something, so that its stacks stand still. Every thread's program
counters must be the same, one by one, up to the outermost frame.
"""

import re
import subprocess
import sys
import time
from shutil import which

SKIPPED = 77
PYTHON = """
import threading, time, ctypes
def deep(n):
    if n: deep(n - 1)
    else: time.sleep(60)
for _ in range(3):
    threading.Thread(target=deep, args=(30,), daemon=True).start()
# back from C into Python: qsort() calls a Python function
@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
def compare(a, b):
    time.sleep(60)
    return 0
ctypes.CDLL(None).qsort((ctypes.c_int * 2)(2, 1), 2, 4, compare)
"""
SIGNAL = """
import os, signal, time
def handler(*_): time.sleep(60)
signal.signal(signal.SIGUSR1, handler)
os.kill(os.getpid(), signal.SIGUSR1)
"""
PROGRAMS = {
    "sleep": ["sleep", "60"],
    "bash": ["bash", "-c", "f() { if [ $1 = 0 ]; then read x < <(sleep 60); else f $(($1 - 1)); fi; }; f 20"],
    "perl": ["perl", "-e", "sub f { my $n = shift; $n ? f($n - 1) : (sort { sleep 60 } 2, 1)[0] } print f(20)"],
    "python3": ["python3", "-c", PYTHON],
    "python3, a signal": ["python3", "-c", SIGNAL],
    "openssl": ["openssl", "s_server", "-accept", "127.0.0.1:0", "-nocert"],
    "awk": ["awk", "{ print }", "/dev/stdin"],
    "sqlite3": ["sqlite3"],
    "gdb": ["gdb", "-q"],
    "node": ["node", "-e", "setInterval(() => 0, 60000)"],
}


def ours(program, pid, *how):
    done = subprocess.run([program, str(pid), *how], stdout=subprocess.PIPE, text=True, check=True)
    found = {}
    for line in done.stdout.splitlines():
        tid, pcs, end = re.fullmatch(r"(\d+):((?: \w+)+) \((.*)\)", line).groups()
        found[int(tid)] = ([int(pc, 16) for pc in pcs.split()], end)
    return found


def theirs(pid):
    done = subprocess.run(["eu-stack", "-n", "0", "-p", str(pid)], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=False)
    found, tid = {}, None
    for line in done.stdout.splitlines():
        if line.startswith("TID"):
            tid = int(line.split()[1].rstrip(":"))
            found[tid] = []
        elif line.startswith("#"):
            found[tid].append(int(line.split()[1], 16))
    return found


def compare(name, program, command):
    """How many stacks were compared, how many differ."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        mine, others = ours(program, process.pid), theirs(process.pid)
        in_arrays = ours(program, process.pid, "arrays")
    finally:
        process.kill()
        process.wait()
    differ = sum(in_arrays.get(tid) != stack for tid, stack in mine.items())
    if differ:
        print(f"    {name}: {differ} stacks differ where the kernel's half reads the tables")
    for tid, pcs in others.items():
        got, end = mine.get(tid, ([], "no such thread"))
        if got != pcs or end != "the outermost frame":
            differ += 1
            at = next((i for i, (a, b) in enumerate(zip(got, pcs)) if a != b), min(len(got), len(pcs)))
            print(f"    {name} {tid}: {len(got)} frames ({end}), eu-stack {len(pcs)}; "
                  f"from #{at}: {[hex(pc) for pc in got[at:at + 3]]}, "
                  f"{[hex(pc) for pc in pcs[at:at + 3]]}")
    print(f"{name}: {len(others)} threads, {max(map(len, others.values()), default=0)} frames at "
          f"most, {differ} differ")
    return len(others), differ


def main():
    if not which("eu-stack"):
        print("eu-stack is not here (Debian: elfutils)")
        return SKIPPED
    compared = differ = 0
    for name, command in PROGRAMS.items():
        if which(command[0]):
            n, wrong = compare(name, sys.argv[1], command)
            compared, differ = compared + n, differ + wrong
    print(f"{compared} stacks, {differ} differ")
    return 1 if differ or compared < 5 else 0


if __name__ == "__main__":
    sys.exit(main())
