"""What maps do for two threads that they do for one: operations a second, and the ratio.

    ./dev bench maps [--rounds N] [--only NAME]

Needs a configured build folder (BUILD, or build/) and two CPUs that are free: the best round of one
thread counts, and the best of two, because what else runs only ever slows them down. Ratios are to
be read against two rows. "nothing" is what two threads are worth that have nothing in common, map
or else; "array-atomic-add" on shared keys is little but lines going from CPU to CPU. Beside ours,
where there is root, stand the running kernel's maps, which programs use in the same rounds; the
kernel's times have its loop and its calls in them. bench/machine/threads.c has the list of
operations, and what "own" and "shared" keys are.
"""

import argparse
import collections
import os
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True

TOP = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("BUILD", TOP / "build")).resolve()


def measure(rounds, only):
    """best[operation, keys][whose] = [of one thread, of two], in operations a second."""
    subprocess.run(["ninja", "-C", BUILD, "bench/machine/bench-maps"], check=True,
                   stdout=subprocess.DEVNULL)
    text = subprocess.run([BUILD / "bench/machine/bench-maps", str(rounds), only], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    best = collections.defaultdict(lambda: collections.defaultdict(lambda: [0.0, 0.0]))
    for line in text.splitlines():
        name, keys, whose, _, one, two = line.split()
        last = best[name, keys][whose]
        best[name, keys][whose] = [max(last[0], float(one)), max(last[1], float(two))]
    return best


def columns(one, two):
    if not one or not two:
        return f"{'-':>8} {'-':>7} {'-':>7} {'-':>6} "
    return f"{1e9 / one:8.1f} {one / 1e6:7.1f} {two / 1e6:7.1f} {two / one:6.2f}x"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50,
                        help="runs of 6 ms, of one thread and of two, of each row")
    parser.add_argument("--only", default="", help="rows with this in their names")
    args = parser.parse_args()
    best = measure(args.rounds, args.only)
    heads = f"{'ns, 1':>8} {'M/s, 1':>7} {'M/s, 2':>7} {'ratio':>7}"
    print(f"{'':26}  {'skep':32}   kernel")
    print(f"{'operation':19} {'keys':6}  {heads}   {heads}")
    for (name, keys), sides in best.items():
        ours, kernels = columns(*sides["skep"]), columns(*sides["kernel"])
        print(f"{name:19} {keys:6}  {ours}   {kernels}")


if __name__ == "__main__":
    main()
