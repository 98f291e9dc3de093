"""How fast programs are verified, beside the running kernel: instructions a second, and memory.

    ./dev bench verify [--rounds N] [--only NAME]

Four sets. The kernel's selftests that look at most instructions (Debian's linux-source-6.12, or
the folder LINUX_SOURCE), compiled for this; the largest programs of libbpf-tools; those small
programs of bench/machine that have most paths; and the adversaries of tests/verify, which are large
in one way each. The kernel and skep verify each program
in turn, in processes of their own, and the medians count. Programs that a side refuses are marked:
what was looked at until then counts all the same. The geometric mean is of the ratios of time for
an instruction, as some programs take more instructions here; "all of them" are the instructions of
the first three sets over the time that those took. "MB" is what skep's verification takes at the most.
Rows that the kernel does not come to an end with are skep's alone. A row "… log" is a program with a
whole log of level 2, which counts in neither.
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.dont_write_bytecode = True

TOP = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("BUILD", TOP / "build")).resolve()
sys.path.insert(0, str(TOP / "tests/oracle"))

import selftests  # noqa: E402
import verdicts  # noqa: E402

SELFTESTS = ["loop3", "loop6", "pyperf50", "pyperf180", "pyperf600_nounroll", "pyperf600_iter",
             "pyperf_subprogs", "strobemeta", "strobemeta_nounroll1", "strobemeta_nounroll2",
             "strobemeta_subprogs", "test_seg6_loop", "test_verif_scale1", "test_verif_scale2",
             "test_verif_scale3", "test_xdp_noinline", "test_l4lb", "xdp_synproxy_kern"]
TOOLS = ["execsnoop", "tcptracer", "ksnoop", "klockstat", "biostacks", "opensnoop", "filetop",
         "solisten"]
SMALL = ["log2", "parse"]
LOGGED = "pyperf50"


def small_programs(folder, clang):
    """Those of bench/machine, in one object file, as bench-verify names them."""
    built = folder / "programs.o"
    subprocess.run([clang, "-O2", "-g", "-target", "bpf", "-mcpu=v3", "-c",
                    TOP / "bench/machine/programs.bpf.c", "-o", built], check=True)
    return {name: f"{built}:k_{name}" for name in SMALL}


def objects(folder):
    """The sets' programs, in object files in @folder: how bench-verify names them, by name."""
    source = selftests.find_source()
    clang = selftests.find_clang()
    command = selftests.compiler(clang, selftests.make_includes(folder, source), source)
    progs = source / "tools/testing/selftests/bpf/progs"
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        built = pool.map(lambda name: selftests.build(command, progs / f"{name}.c", folder),
                         SELFTESTS)
        found = [built_one for built_one in built if isinstance(built_one, Path)]
    found += verdicts.tool_objects(folder, TOOLS)
    return {file.stem: str(file) for file in found} | small_programs(folder, clang)


def measure(rounds, programs, only):
    """rows[name][side] = [errno, instructions, nanoseconds, bytes]."""
    asked = {where: name for name, where in programs.items() if name.startswith(only)}
    asked |= {f"{where}@2": f"{name} log" for where, name in asked.items() if name == LOGGED}
    done = subprocess.run([BUILD / "bench/verify/bench-verify", str(rounds), *asked, "--", only],
                          check=True, stdout=subprocess.PIPE, text=True)
    rows = {}
    for line in done.stdout.splitlines():
        where, side, *figures = line.split()
        figures = [float(figure) for figure in figures]
        rows.setdefault(asked.get(where, where), {})[side] = figures
    return rows


def total_text(rows, side):
    """Instructions a second over the programs that both sides took to their end."""
    both = [sides for sides in rows if sides["kernel"][1] and sides["skep"][1]]
    insns = sum(sides[side][1] for sides in both)
    return f"{insns / max(sum(sides[side][2] for sides in both), 1) * 1e3:.2f}"


def side_text(figures):
    err, insns, ns, _ = figures
    if not insns:
        return f"{'-':>8} {'-':>10} {'-':>8}  "
    return f"{insns:8.0f} {ns / 1e6:10.2f} {insns / ns * 1e3:8.2f} {'*' if err else ' '}"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of which the median counts")
    parser.add_argument("--only", default="", help="programs whose names begin with this")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        programs = objects(Path(name))
        rows = measure(args.rounds, programs, args.only)
    heads = f"{'insns':>8} {'ms':>10} {'M/s':>8}  "
    print(f"{'':24} {'kernel':28} {'skep':28}")
    print(f"{'program':24} {heads} {heads} {'ratio':>6} {'MB':>7}")
    ratios = []
    for program, sides in rows.items():
        kernel, ours = sides["kernel"], sides["skep"]
        ratio = "-"
        if kernel[1] and ours[1] and not program.endswith(" log"):
            ratios.append(kernel[2] / kernel[1] / (ours[2] / ours[1]))
            ratio = f"{ratios[-1]:.2f}x"
        print(f"{program:24} {side_text(kernel)} {side_text(ours)} {ratio:>6} "
              f"{ours[3] / 1e6:7.1f}")
    if ratios:
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        print(f"times faster for an instruction, geometric mean: {mean:.2f}    * refused")
    real = [sides for program, sides in rows.items() if program in programs]
    print("M instructions a second, all of them: "
          f"kernel {total_text(real, 'kernel')}, skep {total_text(real, 'skep')}")


if __name__ == "__main__":
    main()
