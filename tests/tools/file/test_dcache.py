"""dcsnoop and dcstat: names that the cache has, and names that it has not."""

import os
import time

from toolbox import Tool, needs


def ask(path, names):
    for name in names:
        try:
            os.stat(path / name)
        except FileNotFoundError:
            pass


def test_dcsnoop(folder):
    needs("fexit:d_lookup")
    names = [f"never-seen-{i}" for i in range(5)]
    with Tool("dcsnoop", "-p", os.getpid()) as tool:
        ask(folder, names)
        ask(folder, names)  # that they are not there is known now; not all file systems keep that
    found = [row["file"] for row in tool.rows if row["file"] in names]
    assert found == names
    assert {row["t"] for row in tool.rows} == {"M"}
    with Tool("dcsnoop", "-a", "-p", os.getpid(), json=False) as tool:
        ask(folder, names)
    assert tool.text.splitlines()[0].split() == ["TIME(s)", "PID", "COMM", "T", "FILE"]
    kinds = [row["T"] for row in tool.table if row.get("FILE") in names]
    assert set(kinds) == {"R"} and len(kinds) >= len(names)


def test_dcstat(folder):
    needs("fexit:d_lookup")
    with Tool("dcstat", 1, "-p", os.getpid()) as tool:
        ask(folder, [f"never-seen-{i}" for i in range(40)])
        for _ in range(100):
            ask(folder, ["never-seen-0"])
        time.sleep(3)
    depth = len(folder.parts)  # without the root, with the name
    refs = sum(row["refs_s"] for row in tool.rows)
    assert 140 * depth <= refs <= 140 * depth * 2
    assert 40 <= sum(row["miss_s"] for row in tool.rows) <= 60
    with Tool("dcstat", 1, 1, json=False, ends=True) as tool:
        pass
    assert tool.text.splitlines()[0].split() == ["TIME", "REFS/s", "SLOW/s", "MISS/s", "HIT%"]
