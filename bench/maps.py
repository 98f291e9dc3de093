"""What maps do for two threads that they do for one: operations a second, and the ratio.

    ./dev bench maps [--rounds N]

Needs a configured build folder (BUILD, or build/) and two CPUs that are free: the best round of one
thread counts, and the best of two, because what else runs only ever slows them down. The row
"nothing" is what two threads are worth that have nothing in common, map or else.
bench/machine/threads.c has the list of operations.
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


def measure(rounds):
    """best[operation] = [of one thread, of two], in operations a second."""
    subprocess.run(["ninja", "-C", BUILD, "bench/machine/bench-maps"], check=True,
                   stdout=subprocess.DEVNULL)
    text = subprocess.run([BUILD / "bench/machine/bench-maps", str(rounds)], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    best = collections.defaultdict(lambda: [0.0, 0.0])
    for line in text.splitlines():
        name, _, one, two = line.split()
        best[name] = [max(best[name][0], float(one)), max(best[name][1], float(two))]
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100, help="pairs of runs, of 4 ms each")
    best = measure(parser.parse_args().rounds)
    print(f"{'operation':20} {'ns, 1 thread':>13} {'M/s, 1':>8} {'M/s, 2':>8} {'ratio':>7}")
    for name, (one, two) in best.items():
        print(f"{name:20} {1e9 / one:13.1f} {one / 1e6:8.1f} {two / 1e6:8.1f} {two / one:6.2f}x")


if __name__ == "__main__":
    main()
