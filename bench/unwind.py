"""What a user stack costs: our walk by call frame information, and the kernel's by frame pointers.

    ./dev bench unwind [--rounds N] [--seconds S] [--only NAME]

Needs a configured build folder (BUILD, or build/) and root. Busy programs of Debian are sampled by
their own clock, by turns with the one and the other program, often (whatever is looked at is in
the caches then) and seldom; then tables are built. Times are the programs' own, by the kernel's count, with the counting
of stacks in them. The least of the rounds is shown, as whatever else runs only adds; the ratio of
what a frame costs is that of paired rounds.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from shutil import which

sys.dont_write_bytecode = True

import measure

TOP = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("BUILD", TOP / "build")).resolve()
BENCH = BUILD / "bench/unwind/bench-unwind"
TABLES = BUILD / "bench/unwind/bench-unwind-tables"
FILES = ["/lib/x86_64-linux-gnu/libc.so.6", "/usr/bin/python3", "/usr/bin/perl", "/usr/bin/node",
         "/usr/bin/gdb"]
WAYS = ("fp", "cfi")
RATES = {"often": 4999, "seldom": 97}

sys.path.insert(0, str(TOP / "tests/unwind"))
from kernel import BUSY  # noqa: E402


def sample(pid, hertz, seconds, way):
    """samples, frames a sample, part that is whole, ns a sample"""
    line = subprocess.run([BENCH, str(pid), str(hertz), str(seconds), way], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    samples, frames, whole, ns = map(int, line.split())
    return (samples, frames / samples, whole / samples, ns / samples) if samples else None


def rounds_of(command, hertz, args):
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        return [[sample(process.pid, hertz, args.seconds, way) for way in WAYS]
                for _ in range(args.rounds)]
    finally:
        process.kill()
        process.wait()


def row(name, rate, rounds):
    rounds = [pair for pair in rounds if all(pair)]
    if not rounds:
        return [name, rate] + ["-"] * 8
    cells = []
    for i in range(len(WAYS)):
        best = min((pair[i] for pair in rounds), key=lambda found: found[3])
        cells += [f"{best[1]:.1f}", f"{best[3]:.0f}", f"{best[3] / max(best[1], 1):.0f}"]
    a_frame = [[pair[i][3] / max(pair[i][1], 1) for pair in rounds] for i in range(len(WAYS))]
    whole = min(pair[1][2] for pair in rounds)
    return [name, rate, *cells, f"{whole:.1%}", measure.ratios(a_frame[1], a_frame[0])]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of each way in each round")
    parser.add_argument("--only", default="", help="programs with this in their names")
    args = parser.parse_args()
    subprocess.run(["ninja", "-C", BUILD, *(path.relative_to(BUILD) for path in (BENCH, TABLES))],
                   check=True, stdout=subprocess.DEVNULL)
    rows = [row(name, rate, rounds_of(command, hertz, args))
            for rate, hertz in RATES.items() for name, command in BUSY.items()
            if args.only in name and which(command[0])]
    measure.table("User stacks: frames and ns of a sample, ns of a frame",
                  ["program", "sampled", "fp: frames", "ns", "/frame", "cfi: frames", "ns", "/frame",
                   "whole", "fp : cfi a frame"], rows)
    files = [path for path in FILES if os.path.exists(path)]
    lines = subprocess.run([TABLES, *files], check=True, stdout=subprocess.PIPE, text=True).stdout
    print(f"\nTables of files that are in the page cache\n\n{lines}", end="")


if __name__ == "__main__":
    main()
