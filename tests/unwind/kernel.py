#!/usr/bin/python3
"""Stacks of running programs, walked in the kernel and by walk.c at the same moment.

    kernel.py UNWIND-BOTH UNWIND-FRAMES UNWIND-LAZY

Some programs wait where their stacks stand still, others run and are stopped wherever they are: in
the middle of prologues, in the procedure linkage table, in functions written by hand. Frame for
frame, and in why they end, both walks must agree. Of some programs, every stack must be whole.
"""

import re
import subprocess
import sys
import time
from shutil import which

from stacks import PROGRAMS

SKIPPED = 77
BARE = 9  # the first of those in unwind-frames
BUSY = {
    "python3, busy": ["python3", "-c", """
import hashlib, json, random, re
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
while True:
    fib(12)
    json.loads(json.dumps([random.random() for _ in range(200)]))
    hashlib.sha256(b"x" * 100000).hexdigest()
    sorted(map(str, range(500)), key=lambda s: s[::-1])
    re.sub("(a|b)+c", "x", "ababab" * 30)
"""],
    "perl, busy": ["perl", "-e", """
while (1) {
    my %h; $h{$_} = join(',', map { $_ * 2 } 1..20) for 1..200;
    my @s = sort { $h{$a} cmp $h{$b} } keys %h;
    ($x = 'aababc' x 50) =~ s/(a|b)+c/z/g;
}"""],
    "bash, busy": ["bash", "-c", """
f() { if [ $1 = 0 ]; then x=$(echo hi); else f $(($1 - 1)); fi; }
while :; do f 10; y=${x/h/z}; done"""],
    "openssl, busy": ["openssl", "speed", "-seconds", "30", "rsa2048", "sha256", "aes-128-cbc"],
    "awk, busy": ["awk", 'BEGIN { while (1) { s = sprintf("%d %s", i++, substr("abcdefgh", i % 8)); '
                         'gsub(/a/, "b", s); split(s, parts, " ") } }'],
    "node, busy": ["node", "-e", "function f(n) { return n < 2 ? n : f(n - 1) + f(n - 2) } "
                                 "for (;;) { f(15); JSON.parse(JSON.stringify([...Array(300).keys()])) }"],
}
LINE = re.compile(r"(\d+) stacks, (\d+) whole, (\d+) frames, (\d+) differ, (\d+) lost")


def compare(name, both, command, rounds, is_whole=False):
    """How many stacks were compared, how many differ or were lost; None: it cannot be done here."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        done = subprocess.run([both, str(process.pid), str(rounds)], stdout=subprocess.PIPE,
                              text=True, check=False, timeout=120)
    finally:
        process.kill()
        process.wait()
    if done.returncode == SKIPPED:
        return None
    print(f"{name}: {done.stdout.strip()}", flush=True)
    found = LINE.search(done.stdout)
    if not found:
        return 0, 1
    stacks, whole, _, differ, lost = map(int, found.groups())
    return stacks, differ + lost + is_whole * (stacks - whole)


def main():
    both, frames, lazy = sys.argv[1:]
    programs = [("threads", [frames], 30), ("lazy binding", [lazy], 3, True),
                ("functions without rules", [frames, str(BARE)], 3, True)]
    programs += [(name, command, 3) for name, command in PROGRAMS.items() if which(command[0])]
    programs += [(name, command, 100) for name, command in BUSY.items() if which(command[0])]
    compared = wrong = 0
    for name, command, *how in programs:
        result = compare(name, both, command, *how)
        if not result:
            print("not here: unwinding in the kernel")
            return SKIPPED
        compared, wrong = compared + result[0], wrong + result[1]
    print(f"{compared} stacks, {wrong} differ, were lost or are not whole")
    return 1 if wrong or compared < 300 else 0


if __name__ == "__main__":
    sys.exit(main())
