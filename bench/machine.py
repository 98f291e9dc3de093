"""How fast the machine runs programs: six small ones, as a ratio to the same C as native code.

    ./dev bench machine [--rounds N]

Needs clang-19 and a configured build folder (BUILD, or build/). Prints a table, a line a
program, and the geometric means. bench/machine/engine.c has the list of engines.
"""

import argparse
import collections
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True

TOP = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("BUILD", TOP / "build")).resolve()
CLANG = os.environ.get("CLANG_BPF", "clang-19")
PROGRAMS = ["fnv", "h64", "prime", "log2", "copy", "parse"]


def output_of(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def compile_programs(folder):
    """One file of instructions for each program."""
    obj = folder / "programs.o"
    subprocess.run([CLANG, "-O2", "-target", "bpf", "-mcpu=v3", "-c", "-o", obj,
                    TOP / "bench/machine/programs.bpf.c"], check=True)
    version = CLANG.removeprefix("clang")
    subprocess.run([f"llvm-objcopy{version}", f"--dump-section=tc={folder}/tc", obj], check=True)
    code = (folder / "tc").read_bytes()
    for line in output_of(f"llvm-nm{version}", "-S", obj).splitlines():
        start, size, _, name = line.split()[-4:] if len(line.split()) == 4 else [None] * 4
        if name and name.startswith("k_"):
            start, size = int(start, 16), int(size, 16)
            (folder / name[2:]).write_bytes(code[start:start + size])


def measure(folder, rounds):
    """ns[program][engine]: the median of all rounds."""
    subprocess.run(["ninja", "-C", BUILD, "bench/machine/bench-machine"], check=True,
                   stdout=subprocess.DEVNULL)
    text = output_of(BUILD / "bench/machine/bench-machine", str(rounds),
                     *(f"{name}={folder / name}" for name in PROGRAMS))
    all_ns = collections.defaultdict(lambda: collections.defaultdict(list))
    for line in text.splitlines():
        program, engine, ns = line.split()
        all_ns[program][engine].append(float(ns))
    return {program: {engine: statistics.median(ns) for engine, ns in row.items()}
            for program, row in all_ns.items()}


def print_table(ns):
    engines = [engine for engine in next(iter(ns.values())) if engine != "native"]
    print(f"{'program':10} {'native ns':>10}" + "".join(f" {engine:>10}" for engine in engines))
    for program, row in ns.items():
        ratios = "".join(f" {row[engine] / row['native']:9.2f}x" for engine in engines)
        print(f"{program:10} {row['native']:10.1f}{ratios}")
    means = "".join(
        f" {statistics.geometric_mean(r[e] / r['native'] for r in ns.values()):9.2f}x"
        for e in engines)
    print(f"{'geomean':10} {'':10}{means}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="runs, the median of which counts")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        compile_programs(Path(folder))
        print_table(measure(Path(folder), rounds))


if __name__ == "__main__":
    main()
