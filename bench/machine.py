"""How fast the machine runs programs: six small ones, as a ratio to the same C as native code
(gcc -O2), and operations on maps; beside uBPF and the running kernel.

    ./dev bench machine [--rounds N] [--ubpf FOLDER]

Needs clang-19 and a configured build folder (BUILD, or build/). All ways are measured in each
round, one after the other, in processor time. Native, "jit" and "ubpf" are functions that the same
loop calls with the same context; "interp" is the interpreter behind one more call, "run" the JIT's
code by skep_program_run(). The kernel's time is BPF_PROG_TEST_RUN's, with what an empty run takes
there replaced by what calling an empty native function takes here. bench/machine/engine.c has the
list of ways.
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
NATIVE = ["fnv", "h64", "prime", "log2", "copy", "parse"]
PROGRAMS = ["nop"] + NATIVE
WAYS = ["interp", "jit", "run", "ubpf", "kernel"]


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


def build_ubpf(source, folder):
    """uBPF of @source as a shared library in @folder."""
    (folder / "ubpf_config.h").write_text("#define UBPF_HAS_ELF_H\n")
    library = folder / "libubpf.so"
    files = [path for path in sorted((source / "vm").glob("ubpf_*.c"))]
    subprocess.run(["cc", "-O2", "-w", "-fPIC", "-shared", "-D_GNU_SOURCE", f"-I{folder}",
                    f"-I{source}/vm", f"-I{source}/vm/inc", *files, "-o", library], check=True)
    return library


def measure(folder, rounds, ubpf):
    """ns[program][way]: a figure a round."""
    subprocess.run(["ninja", "-C", BUILD, "bench/machine/bench-machine"], check=True,
                   stdout=subprocess.DEVNULL)
    env = dict(os.environ)
    if ubpf:
        env["BENCH_UBPF"] = str(build_ubpf(Path(ubpf), folder))
    done = subprocess.run([BUILD / "bench/machine/bench-machine", str(rounds),
                           *(f"{name}={folder / name}" for name in PROGRAMS)],
                          check=True, stdout=subprocess.PIPE, text=True, env=env)
    ns = collections.defaultdict(lambda: collections.defaultdict(list))
    for line in done.stdout.splitlines():
        program, way, figure = line.split()
        ns[program][way].append(float(figure))
    return ns


def without(figures, floor):
    """Round by round: what was measured in one round was measured together."""
    return [max(a - b, 0) for a, b in zip(figures, floor)]


def moved(figures, floor, to):
    """As without(), with the other floor in its place."""
    return [figure + add for figure, add in zip(without(figures, floor), to)]


def two(figures):
    """Median and best, as text."""
    return f"{statistics.median(figures):.2f} ({min(figures):.2f})"


def print_ratios(ns):
    """A row a program: native time, and how many times that each way takes."""
    ways = [way for way in WAYS if way in ns["fnv"]]
    print(f"{'program':10} {'native ns':>18}" + "".join(f" {way:>15}" for way in ways)
          + f" {'compile us':>15}")
    medians, best = collections.defaultdict(list), collections.defaultdict(list)
    for program in NATIVE:
        row = dict(ns[program])
        if "kernel" in row:
            row["kernel"] = moved(row["kernel"], ns["nop"]["kernel"], ns["nop"]["native"])
        line = f"{program:10} {two(row['native']):>18}"
        for way in ways:
            ratios = [a / b for a, b in zip(row[way], row["native"])]
            medians[way].append(statistics.median(ratios))
            best[way].append(min(row[way]) / min(row["native"]))
            line += f" {medians[way][-1]:7.2f} ({best[way][-1]:.2f})".rjust(16)
        print(line + f" {two([ns_ / 1000 for ns_ in row['compile']]):>15}")
    for name, choose in (("geomean", statistics.geometric_mean), ("worst", max)):
        print(f"{name:10} {'':18}" + "".join(
            f" {choose(medians[way]):7.2f} ({choose(best[way]):.2f})".rjust(16)
            for way in ways))


def print_operations(ns):
    """A row an operation: nanoseconds, those of the loop around it (first row) taken off."""
    ways = [way for way in ("interp", "jit", "kernel") if way in ns["loop"]]
    print(f"{'operation':14}" + "".join(f" {way + ' ns':>18}" for way in ways))
    for program, row in ns.items():
        if "native" in row or program == "nop":
            continue
        floor = {way: [0] * len(row[way]) if program == "loop" else ns["loop"][way]
                 for way in ways if way in row}
        print(f"{program:14}" + "".join(
            f" {two(without(row[way], floor[way])):>18}" for way in floor))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="runs, the median of which counts")
    parser.add_argument("--ubpf", default=os.environ.get("UBPF"),
                        help="folder with uBPF's sources (or the environment's UBPF)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compile_programs(Path(folder))
        before = os.getloadavg()[0]
        ns = measure(Path(folder), args.rounds, args.ubpf)
    print(f"{args.rounds} rounds; medians (and the best); load average {before:.2f} before, "
          f"{os.getloadavg()[0]:.2f} after, {os.cpu_count()} CPUs")
    for way, why in (("ubpf", "--ubpf names no folder with its sources"),
                     ("kernel", "it may not be asked (root may)")):
        if way not in ns["fnv"]:
            print(f"without {way}: {why}")
    print()
    print_ratios(ns)
    print()
    print_operations(ns)


if __name__ == "__main__":
    main()
