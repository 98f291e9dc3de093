"""slabratetop: objects of the kernel's caches, counted when they are taken."""

import os

from toolbox import Tool


def test_open_files():
    with Tool("slabratetop", 3, 1, "-r", 0, "-p", os.getpid(), ends=True) as tool:
        fds = [os.open("/dev/null", os.O_RDONLY) for _ in range(300)]
        for fd in fds:
            os.close(fd)
        tool.wait()
    row, = (row for row in tool.rows if row["cache"].startswith("filp"))
    assert 300 <= row["allocs"] < 330
    assert row["bytes"] % row["allocs"] == 0
    allocs = [row["allocs"] for row in tool.rows]
    assert allocs == sorted(allocs, reverse=True)


def test_sorted_by_bytes_and_cut():
    with Tool("slabratetop", 1, 1, "-s", "BYTES", "-r", 3, ends=True) as tool:
        os.listdir("/")
        tool.wait()
    sizes = [row["bytes"] for row in tool.rows]
    assert 1 <= len(sizes) <= 3
    assert sizes == sorted(sizes, reverse=True)


def test_text():
    with Tool("slabratetop", "-C", 1, 2, json=False, ends=True) as tool:
        os.listdir("/")
        tool.wait()
    assert tool.text.split("\n")[0].split() == ["CACHE", "ALLOCS", "BYTES"]
