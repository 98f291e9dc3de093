"""klockstat: a mutex of the kernel that processes wait for: that of a pipe."""

import subprocess
import sys

from toolbox import Tool, needs

# Several processes write to one pipe, page by page, while it is read: they wait for its mutex.
CROWD = """
import os, sys
read, write = os.pipe()
for _ in range(16):
    if not os.fork():
        open('/proc/self/comm', 'w').write('bees')
        for _ in range(2000):
            os.write(write, bytes(65536))
        os._exit(0)
os.close(write)
while os.read(read, 1 << 16):
    pass
for _ in range(16):
    os.wait()
"""


def crowd():
    subprocess.run([sys.executable, "-c", CROWD], check=True)


def test_where_a_mutex_is_waited_for():
    needs("tracepoint:lock:contention_begin")
    with Tool("klockstat", "--name=bees", "-k", "mutex", "-n", 0, seconds=60) as tool:
        crowd()
    rows = [row for row in tool.rows if "pipe" in row["stack"] or "write" in row["stack"]]
    assert sum(row["waits"] for row in rows) > 10
    assert {row["kind"] for row in tool.rows} == {"mutex"}
    for row in tool.rows:
        assert row["total_us"] >= row["max_us"] >= 0
        assert row["avg_us"] <= row["max_us"] + 0.1


def test_by_thread():
    needs("tracepoint:lock:contention_begin")
    with Tool("klockstat", "-P", "-n", 0, "--name=bees", seconds=60) as tool:
        for _ in range(4):  # who meets whom is luck
            crowd()
    assert {row["comm"] for row in tool.rows} == {"bees"}
    assert len({row["tid"] for row in tool.rows if row["kind"] == "mutex"}) >= 2
    totals = [row["total_us"] for row in tool.rows]
    assert totals == sorted(totals, reverse=True)


def test_text_and_duration():
    needs("tracepoint:lock:contention_begin")
    with Tool("klockstat", "-d", 2, "-s", 2, json=False, ends=True) as tool:
        crowd()
        tool.wait()
    assert ["KIND", "TOTAL(us)", "WAITS", "AVG(us)", "MAX(us)"] == tool.text.split("\n")[0].split()
