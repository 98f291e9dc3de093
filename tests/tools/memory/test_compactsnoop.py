"""compactsnoop: a compaction that the administrator asks for."""

import os
import subprocess
from pathlib import Path

import pytest

from toolbox import Tool, needs

ASK = Path("/proc/sys/vm/compact_memory")


def compact(*options, **how):
    needs("rawtracepoint:mm_compaction_begin")
    if not os.access(ASK, os.W_OK):
        pytest.skip(f"needs {ASK}")
    with Tool("compactsnoop", *options, **how) as tool:
        asking = subprocess.Popen(["sh", "-c", f"echo 1 >{ASK}"])
        asking.wait()
    return tool, asking.pid


def test_all_zones():
    tool, pid = compact("-e", "-K")
    rows = [row for row in tool.rows if row["pid"] == pid]
    assert rows
    for row in rows:
        assert (row["order"], row["node"]) == (-1, 0)
        assert row["zone"] in ("DMA", "DMA32", "Normal", "Movable")
        assert row["mode"] == "MIGRATE_SYNC"
        assert row["status"].startswith("COMPACT_")
        assert row["lat_ms"] >= 0
        assert "compact" in row["stack"]
    assert sum(row["scanned"] for row in rows) > 0


def test_nobody_waits_for_it():
    tool, pid = compact("-d")
    assert not [row for row in tool.rows if row["pid"] == pid]


def test_text():
    tool, _ = compact("-T", json=False)
    assert tool.text.split("\n")[0].split() == [
        "TIME(s)", "COMM", "PID", "NODE", "ZONE", "ORDER", "MODE", "LAT(ms)", "STATUS"]
