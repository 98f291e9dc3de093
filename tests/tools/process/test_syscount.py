"""syscount: numbers of calls are those that were made."""

import os
import subprocess
import sys

from toolbox import Tool

CALLS = """
import os
for _ in range(1000):
    os.getppid()
for _ in range(70):
    try:
        os.stat("/no/such/file")
    except OSError:
        pass
"""


def by_call(tool):
    return {row["syscall"]: row for row in tool.rows}


def calls(*options):
    with Tool("syscount", "-T", 0, *options) as tool:
        subprocess.run([sys.executable, "-c", CALLS], check=True)
    return tool


def test_counts_of_a_process():
    with Tool("syscount", "-p", os.getpid(), "-T", 0) as tool:
        for _ in range(500):
            os.getppid()
    assert by_call(tool)["getppid"]["count"] == 500
    counts = [row["count"] for row in tool.rows]
    assert counts == sorted(counts, reverse=True)


def test_one_call_by_process():
    name = "bees"
    with Tool("syscount", "-P", "--syscall=getppid", "-T", 3) as tool:
        program = f"open('/proc/self/comm', 'w').write('{name}')" + CALLS
        process = subprocess.Popen([sys.executable, "-c", program])
        process.wait()
    row, = (row for row in tool.rows if row["pid"] == process.pid)
    assert (row["comm"], row["count"]) == (name, 1000)
    assert len(tool.rows) <= 3


def test_failures_and_their_error():
    tool = calls("-e", "ENOENT", "--ppid", os.getpid())
    rows = by_call(tool)
    stat = rows.get("newfstatat") or rows.get("stat") or rows.get("statx")
    assert stat["count"] >= 70
    assert "getppid" not in rows
    tool = calls("-x", "--ppid", os.getpid())
    assert "getppid" not in by_call(tool)


def test_latency():
    with Tool("syscount", "-L", "-m", "-p", os.getpid()) as tool:
        read, write = os.pipe()
        sleeper = subprocess.Popen(["sh", "-c", "sleep 0.3; echo x"], stdout=write)
        os.read(read, 1)
        sleeper.wait()
        os.close(read)
        os.close(write)
    assert 290 <= by_call(tool)["read"]["time_ms"] < 5000


def test_intervals_and_duration():
    with Tool("syscount", "-i", 1, "-d", 2, "-p", os.getpid(), json=False, ends=True) as tool:
        for _ in range(2000):
            os.getppid()
        tool.wait()
    assert "SYSCALL" in tool.text and "COUNT" in tool.text
    assert "getppid" in {row["SYSCALL"] for row in tool.table}
