#!/usr/bin/python3
"""Addresses of programs, as we name them and as addr2line and llvm-symbolizer do.

    oracle.py DWARF-ADDRESSES SKEP

Random addresses of SKEP itself and of programs that gcc and clang build, with DWARF 4 and 5: their
chains of inlined functions, files and lines must be those of one of the two tools, for 999 of 1,000.
(The two differ from one another more than that.) The outermost function's name may be another, where
the tools take that of the symbol. Then the same of files that were compressed, or made smaller by
dwz: there the answers must be those of the file before.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SKIPPED = 77
EACH, SHARE = 2000, 0.999
LLVM = next(filter(None, map(shutil.which, (
    "llvm-symbolizer-19", "llvm-symbolizer-14", "llvm-symbolizer"))), None)
CLANG = next(filter(None, map(shutil.which, ("clang++-19", "clang++"))), None)


def output(*command, **kwargs):
    return subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True, check=True,
                          **kwargs).stdout


def some_addresses(program):
    """Of its .text, the same each time."""
    for line in output("readelf", "-SW", program).splitlines():
        words = line.replace("[ ", "[").split()
        if len(words) > 5 and words[1] == ".text":
            start, size = int(words[3], 16), int(words[5], 16)
    chosen = random.Random(program.name)
    return [start + chosen.randrange(size) for _ in range(EACH)]


def place(text):
    """(file, line), the file by a path without "..", the line 0 if it is not known."""
    file, _, line = text.split(" (disc")[0].rpartition(":")
    return os.path.normpath(file), 0 if line == "?" else int(line)


def ours(tool, program, addresses, *args):
    """A chain of (function, file, line) for each address; and what was said."""
    done = subprocess.run([tool, *args[:1], program, *args[1:]] if args[:1] == ("-w",)
                          else [tool, program, *args], text=True, capture_output=True, check=False,
                          input="".join(f"{address:x}\n" for address in addresses))
    chains = []
    for row in done.stdout.splitlines():
        words = row.split("\t") if row else []
        chains.append([(name, *place(at)) for name, at in zip(words[::2], words[1::2])])
    return chains, done.stderr


def theirs(program, addresses, *command):
    text = output(*command, "-e", program, input="".join(f"0x{a:x}\n" for a in addresses))
    chains, rows = [], iter(text.splitlines())
    for row in rows:
        if row.startswith("0x"):
            chains.append([])
        elif row:
            chains[-1].append((row, *place(next(rows))))
    return chains


def is_known(chain):
    return any(line for _, _, line in chain)


def agree(our, their, symbols):
    if [frame[1:] for frame in our] != [frame[1:] for frame in their]:
        return False
    names, other = [frame[0] for frame in our], [frame[0] for frame in their]
    return names[:-1] == other[:-1] and (names[-1] == other[-1] or other[-1] in symbols)


def compare(tool, program):
    """How many addresses anybody knows something of, and those where we agree with nobody."""
    addresses = some_addresses(program)
    chains, said = ours(tool, program, addresses)
    assert not said, said
    others = [theirs(program, addresses, "addr2line", "-a", "-i", "-f")]
    if LLVM:
        others.append(theirs(program, addresses, LLVM, "-a", "--no-demangle",
                             "--output-style=GNU", "--functions=linkage"))
    symbols = {line.split()[-1] for line in output("nm", program).splitlines()}
    n, odd = 0, []
    for address, our, *their in zip(addresses, chains, *others, strict=True):
        if not is_known(our) and not any(map(is_known, their)):
            continue
        n += 1
        if not any(agree(our, one, symbols) for one in their):
            odd.append((hex(address), our, *their))
    print(f"{program.name}: {n} of {EACH} addresses known, {len(odd)} differ")
    return n, odd


def programs(folder, skep):
    yield Path(skep)
    for compiler in filter(None, ["g++", CLANG]):
        for version in (4, 5):
            program = folder / f"{Path(compiler).name}-dwarf-{version}"
            subprocess.run([compiler, "-O2", "-g", f"-gdwarf-{version}", "-o", program,
                            HERE / "program.cc"], check=True)
            yield program


def same(tool, what, program, changed, *args):
    """A file that says the same in another way."""
    addresses = some_addresses(program)
    before, _ = ours(tool, program, addresses)
    after, said = ours(tool, changed, addresses, *args)
    differ = sum(a != b for a, b in zip(before, after, strict=True))
    print(f"{what}: {differ} of {EACH} answers are others")
    return differ == 0 and is_known(sum(after, [])) and not said


def compressed(tool, program, how):
    changed = program.with_suffix(f".{how}")
    done = subprocess.run(["objcopy", f"--compress-debug-sections={how}", program, changed],
                          capture_output=True, check=False)
    if done.returncode:
        print(f"{how}: this objcopy does not know it")
        return True
    _, said = ours(tool, changed, [0])
    if how == "zstd" and "not built in" in said:
        print("zstd: not built in, and so it says")
        return True
    return same(tool, how, program, changed)


def shared(tool, program):
    """Two files whose common part dwz moved to a third."""
    if not shutil.which("dwz"):
        print("dwz: not there")
        return True
    one, two, alt = (program.with_suffix(f".{name}") for name in ("one", "two", "alt"))
    shutil.copy(program, one)
    shutil.copy(program, two)
    subprocess.run(["dwz", "-m", alt, one, two], check=True)
    return same(tool, "dwz", program, one, alt) and same(tool, "dwz, by a worker", program, one,
                                                         "-w", alt)


def main():
    tool, skep = sys.argv[1:]
    if not shutil.which("addr2line"):
        print("there is no addr2line")
        sys.exit(SKIPPED)
    known, odd = 0, []
    with tempfile.TemporaryDirectory() as folder:
        for program in programs(Path(folder), skep):
            n, differ = compare(tool, program)
            known += n
            odd += differ
        last = Path(folder) / "g++-dwarf-5"
        good = [compressed(tool, last, "zlib"), compressed(tool, last, "zstd"), shared(tool, last),
                same(tool, "worker", last, last, "-w")]
    print(f"{known} addresses known, {len(odd)} differ: {1 - len(odd) / known:.3%}")
    for row in odd[:5]:
        print(*row, sep="\n  ")
    sys.exit(not all(good) or len(odd) > known * (1 - SHARE))


if __name__ == "__main__":
    main()
