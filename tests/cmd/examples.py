#!/usr/bin/python3
"""Compiles and loads every script of a Markdown file: the blocks marked ```bt.

    tests/cmd/examples.py SKEP FILE.md

Prints the line of each block that is refused and what was said; exit status 1 then.
"""

import re
import subprocess
import sys


def main():
    skep, path = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        text = file.read()
    blocks = list(re.finditer(r"^```bt\n(.*?)^```$", text, re.M | re.S))
    refused = 0
    for block in blocks:
        done = subprocess.run([skep, "trace", "--dry-run", "-e", block[1]], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode or done.stdout:
            refused += 1
            line = text.count("\n", 0, block.start()) + 2
            print(f"{path}:{line}: exit status {done.returncode}\n{done.stdout}")
    print(f"{len(blocks)} examples, {refused} refused")
    return 1 if refused or not blocks else 0


if __name__ == "__main__":
    sys.exit(main())
