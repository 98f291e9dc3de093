"""swapin: pages that a process reads back from swap; in kernels that allow kprobes."""

import contextlib
import subprocess

import cgroups
import pytest

from disks import looped
from toolbox import Tool, needs, reason_against

FUNCTIONS = ("kprobe:swap_read_folio", "kprobe:swap_readpage")
# More than fits its control group: each page is read back once.
WORK = """
import mmap
open('/proc/self/comm', 'w').write('bees')
memory = mmap.mmap(-1, 32 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for at in range(0, len(memory), 4096):
    memory[at:at + 4] = at.to_bytes(4, 'little')
print(sum(int.from_bytes(memory[at:at + 4], 'little') == at
          for at in range(0, len(memory), 4096)))
"""


@contextlib.contextmanager
def swap_on(path):
    with looped(path, 64 << 20) as swap:
        if subprocess.run(["mkswap", swap], check=False, capture_output=True).returncode or \
                subprocess.run(["swapon", swap], check=False, capture_output=True).returncode:
            pytest.skip("nothing can be swapped here")
        try:
            yield
        finally:
            subprocess.run(["swapoff", swap], check=True)


def test_pages_that_are_read_back(tmp_path):
    if all(reason_against(function) for function in FUNCTIONS):
        needs(FUNCTIONS[0])
    with swap_on(tmp_path / "swap"), cgroups.limited("swapin", 16 << 20, swaps=True) as group, \
            (tmp_path / "out").open("w+") as out:
        with Tool("swapin", 1) as tool:
            process = cgroups.run_in(group, WORK, stdout=out)
            tool.out.join(2)
        out.seek(0)
        assert out.read() == "8192\n" and process.returncode == 0
    reads = sum(row["swapins"] for row in tool.rows if row["comm"] == "bees")
    assert reads >= (32 - 16) * 256 / 8  # of up to eight pages each: readahead


def test_without_kprobes_the_reason_is_given():
    if not all(reason_against(function) for function in FUNCTIONS):
        pytest.skip("there are kprobes here")
    with Tool("swapin", 1, 1, ends=True, status=1) as tool:
        tool.wait()
    assert "kprobe" in tool.errors
