#!/usr/bin/python3
"""docs/explanations.md: what is said of the programs of refused.bpf.c, beside the kernel's words.

    tests/verify/explanations.py SKEP [--write]

The programs are compiled with clang-19 and verified by skep, and by the running kernel where it
lets us. Fails where the page says something else, where the kernel accepts a program or gives
another reason, or where an explanation has no line, or more than 12 links. --write: the page's
examples are made anew. Without clang-19 the test is skipped.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
SOURCE = FOLDER / "refused.bpf.c"
PAGE = FOLDER.parent.parent / "docs" / "explanations.md"
MARK = "<!-- Made by tests/verify/explanations.py from tests/verify/refused.bpf.c. -->\n"
PROGRAM = re.compile(r'/\* ([^/]*?) \*/\n((?:static (?:(?!\n\})[\s\S])*\n\}\n\n)?)'
                     r'(SEC\("[^"]*"\)\nint (\w+)\([\s\S]*?\n\}\n)')
STATISTICS = re.compile(r"^(verification time|stack depth|processed) ")
ADDRESS = re.compile(r"\b0x[0-9a-f]{9,16}\b")
LOG_LINES = 5
MOST_LINKS = 12
SKIPPED = 77  # what meson takes for a skipped test


def compile_programs(folder):
    clang = shutil.which("clang-19")
    if not clang:
        print("skipped: clang-19 is missing (apt-get install clang-19)")
        sys.exit(SKIPPED)
    target = folder / "refused.bpf.o"
    subprocess.run([clang, "-target", "bpf", "-mcpu=v3", "-O2", "-g", "-Wall", "-Werror",
                    "-idirafter", f"/usr/include/{os.uname().machine}-linux-gnu",
                    "-c", SOURCE, "-o", target], check=True)
    return target


def verify(skep, target, name, *options):
    done = subprocess.run([skep, "prog", "verify", *options, target, name], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 1:
        sys.exit(f"{name}: exit status {done.returncode}, not 1: {done.stdout}")
    return done.stdout


def kernel_words(text):
    """The end of the log, which is the kernel's to the letter but for addresses."""
    lines = text[:text.index("error L0012")].splitlines()[2:]
    lines = [line for line in lines if line and not STATISTICS.match(line)]
    return "\n".join(ADDRESS.sub("0x…", line.expandtabs()) for line in lines[-LOG_LINES:])


def our_words(text):
    words = text[text.index("error L0012"):]
    return words[:words.rindex("\n0 of 1 accepted")].expandtabs()


def section(skep, target, found):
    title, function, body, name = found
    text = verify(skep, target, name, "--log", "1")
    return (f"### {title.rstrip('.')}\n\n```c\n{(function + body).expandtabs()}```\n\n"
            f"The kernel's log ends:\n\n```\n{kernel_words(text)}\n```\n\n"
            f"skep says:\n\n```\n{our_words(text)}\n```\n")


def check_fields(skep, target, name):
    """What the text cannot show; and the kernel's verdict, if it may be asked."""
    told = json.loads(verify(skep, target, name, "--json", "--kernel"))
    explanation, kernel = told["skep"]["explanation"], told["kernel"]
    faults = []
    if not explanation.get("line"):
        faults.append(f"{name}: no line of the source")
    if len(explanation["chain"]) > MOST_LINKS:
        faults.append(f"{name}: {len(explanation['chain'])} links")
    if kernel["errno"] == 1:
        print(f"{name}: the kernel was not asked, it lets nobody load programs")
    elif kernel["verdict"] != "refused" or explanation["kernel"] not in kernel["why"]:
        faults.append(f"{name}: the kernel says otherwise: {kernel}")
    return faults


def main():
    skep, write = sys.argv[1], "--write" in sys.argv
    page = PAGE.read_text(encoding="utf-8")
    programs = PROGRAM.findall(SOURCE.read_text(encoding="utf-8"))
    before = page[:page.index(MARK)] + MARK
    with tempfile.TemporaryDirectory() as folder:
        target = compile_programs(Path(folder))
        made = before + "\n" + "\n".join(section(skep, target, found) for found in programs)
        faults = [fault for found in programs for fault in check_fields(skep, target, found[3])]
    if write:
        PAGE.write_text(made, encoding="utf-8")
    elif made != page:
        faults.append(f"{PAGE.name} is not what is said now: {__file__} SKEP --write")
    print(f"{len(programs)} programs", *faults, sep="\n")
    return 1 if faults or len(programs) < 20 else 0


if __name__ == "__main__":
    sys.exit(main())
