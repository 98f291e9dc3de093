#!/usr/bin/python3
"""Rows of call frame information, ours and readelf's, of programs and libraries of this machine.

    readelf.py CFI-ROWS

readelf runs the same programs of .eh_frame (--debug-dump=frames-interp) and prints a row for each
address where rules change. Address, CFA, frame pointer, return address and rbx must be the same,
the last as far as it is within eight words.
"""

import re
import subprocess
import sys
from pathlib import Path

SKIPPED = 77
REGISTERS = {"rax": 0, "rdx": 1, "rcx": 2, "rbx": 3, "rsi": 4, "rdi": 5, "rbp": 6, "rsp": 7,
             **{f"r{n}": n for n in range(8, 16)}}
FILES = ["/bin/bash", "/usr/bin/perl", "/usr/bin/python3", "/usr/bin/openssl", "/usr/bin/gcc",
         "/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6",
         "/lib/x86_64-linux-gnu/libm.so.6", "/lib/x86_64-linux-gnu/libcrypto.so.3",
         "/lib/x86_64-linux-gnu/libstdc++.so.6", "/lib/x86_64-linux-gnu/libz.so.1"]


def cfa_of(text):
    match = re.fullmatch(r"(r\w+)([+-]\d+)", text)
    return f"{REGISTERS[match[1]]}{match[2]}" if match else "exp"


def place_of(text):
    if text in ("exp", "vexp") or text.startswith("r"):
        return "exp"
    return "same" if text == "s" else text


def near(text):
    return text if text[0] != "c" or -64 <= int(text[1:]) < 0 else "exp"


class Listing:
    """What readelf prints, read line by line into {address: (CFA, frame pointer, return address,
    rbx)}. A function without instructions of its own has no line: its rules are its CIE's."""

    def __init__(self):
        self.rows, self.columns = {}, []
        self.cies = {}  # by name: its row
        self.signal = set()
        self.cie = self.start = None  # of the function, or the CIE, that is being read

    def entry(self, line, words):
        self.close()
        self.start = None
        if " CIE " in line:
            self.cie = words[0]
            if '"' in line and "S" in line.split('"')[1]:
                self.signal.add(self.cie)
            return
        self.cie = re.search(r"cie=(\w+)", line)[1]
        if self.cie not in self.signal:  # the kernel's frames are a kind of their own
            self.start = int(re.search(r"pc=(\w+)", line)[1], 16)

    def close(self):
        if self.start is not None and self.start not in self.rows:
            self.rows[self.start] = self.cies[self.cie]

    def row(self, words):
        cells = dict(zip(self.columns, words[2:]))
        row = (cfa_of(words[1]), place_of(cells.get("rbp", "u")), place_of(cells.get("ra", "u")),
               near(place_of(cells.get("rbx", "u"))))
        if self.start is None:
            self.cies.setdefault(self.cie, row)
        else:
            self.rows[int(words[0], 16)] = row

    def read(self, text):
        for line in text.splitlines():
            words = re.sub(r" \(r\w+\)", "", line).split()  # "r9 (r9)" is one cell
            if " CIE " in line or " FDE " in line:
                self.entry(line, words)
            elif words[:2] == ["LOC", "CFA"]:
                self.columns = words[2:]
            elif words and re.fullmatch(r"[0-9a-f]{16}", words[0]):
                self.row(words)
        self.close()
        return self.rows


def readelf_rows(path):
    # It ends with 1 where it warns of anything at all.
    return Listing().read(subprocess.run(
        ["readelf", "-W", "--debug-dump=frames-interp", path], check=False,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout)


def our_rows(program, path):
    done = subprocess.run([program, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=True)
    rows = {}
    for line in done.stdout.splitlines():
        addr, cfa, fp, ra, base, kind = line.split()
        if kind != "8":  # SKEP_CFA_SIGNAL
            rows[int(addr, 16)] = (cfa, "u" if fp == "same" else fp, ra,
                                   "u" if base == "same" else base)
    return rows, done.stderr.strip()


def main():
    if subprocess.run(["uname", "-m"], stdout=subprocess.PIPE, text=True,
                      check=True).stdout.strip() != "x86_64":
        print("the files it reads are of x86-64")
        return SKIPPED
    failed = 0
    for path in FILES:
        if not Path(path).exists():
            continue
        theirs = readelf_rows(path)
        ours, counts = our_rows(sys.argv[1], path)
        # Where rows lie at the same address in both, and where only one has one.
        differ = [addr for addr in theirs.keys() & ours.keys()
                  if theirs[addr] != ours[addr] and "same" not in theirs[addr]]
        missing = theirs.keys() ^ ours.keys()
        print(f"{path}: {len(theirs)} rows, {len(differ)} differ, {len(missing)} in one only; "
              f"ours: {counts}")
        for addr in sorted(differ)[:10] + sorted(missing)[:10]:
            print(f"    {addr:x}: readelf {theirs.get(addr)}, ours {ours.get(addr)}")
        failed += bool(differ or missing or len(theirs) < 10)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
