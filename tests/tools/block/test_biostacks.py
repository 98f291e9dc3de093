"""biostacks: requests by the kernel's stack that made them."""

import os

from toolbox import Tool, hist_count

KIB = 1024


def test_stack_of_direct_reads(disk):
    with Tool("biostacks", "-d", disk.name, "-p", os.getpid()) as tool:
        for i in range(9):
            disk.read(i * 64 * KIB, 4 * KIB)
    usecs = tool.maps["@usecs"]
    key, = usecs
    assert hist_count(usecs[key]) == 9
    assert disk.name in key
    assert "submit_bio" in key and "vfs_iter_read" not in key


def test_milliseconds(disk):
    with Tool("biostacks", "-m", "-d", disk.name, "-p", os.getpid(), 2, json=False,
              ends=True) as tool:
        disk.write(0, 4 * KIB)
    assert "@msecs[" in tool.text
    assert "submit_bio" in tool.text
