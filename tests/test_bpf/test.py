#!/usr/bin/python3
"""The eBPF cases of Linux's lib/test_bpf.c, in every way that libskep runs programs.

    tests/test_bpf/test.py TOP LIBRARY...

The table is cut out of Debian's package linux-source-6.12 when the test runs (or of the folder
LINUX_SOURCE) and compiled with run.c; nothing of it is kept. Without the package the test is
skipped. Passes if no case fails: see run.c for what counts as refused.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))
sys.dont_write_bytecode = True
import linux_source  # found by the line above

WANTED = ["lib/test_bpf.c", "tools/include/linux/filter.h"]
SKIPPED = 77  # what meson takes for a skipped test


def sources():
    """The text of each file of WANTED; None: they are nowhere."""
    folder = linux_source.find()
    return [(folder / name).read_text() for name in WANTED] if folder else None


def cut(text):
    """From the table's constants to its end."""
    return re.search(r"^#define MAX_SUBTESTS.*?(?=^static struct net_device dev)", text,
                     re.M | re.S)[0]


def main():
    top, libraries = Path(sys.argv[1]), sys.argv[2:]
    texts = sources()
    if not texts:
        print("skipped: apt-get install linux-source-6.12: it is missing")
        return SKIPPED
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "cases.h").write_text(cut(texts[0]))
        (folder / "macros.h").write_text(texts[1])
        subprocess.run(["cc", "-w", "-O0", "-D_GNU_SOURCE", f"-I{folder}", f"-I{top}/include",
                        f"-I{top}/src", f"{top}/tests/test_bpf/run.c", "-Wl,--start-group",
                        *libraries, "-Wl,--end-group", "-lpthread", "-o", folder / "run"],
                       check=True)
        done = subprocess.run([folder / "run"], check=False, stdout=subprocess.PIPE, text=True,
                              timeout=500)
    print(done.stdout)
    counts = re.search(r"^passed (\d+) failed (\d+) refused (\d+)$", done.stdout, re.M)
    return 0 if counts and int(counts[1]) > 700 and done.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
