"""cpudist: turns on a CPU, and times off it, that are known."""

import subprocess

from toolbox import Tool, hist_between
from unseen import Unseen
from work import python

NAPS = """
import time
open("/proc/self/comm", "w").write("naps")
input()
start = time.process_time()
for _ in range(20):
    time.sleep(0.02)
    until = time.process_time() + 0.005
    while time.process_time() < until: pass
print(time.process_time() - start, flush=True)
input()
"""


def run_naps(*options):
    naps = python(NAPS, stdin=subprocess.PIPE)
    with Tool("cpudist", "-p", naps.pid, *options) as tool:
        naps.stdin.write("\n")
        naps.stdin.flush()
        used = float(naps.stdout.readline())
    naps.communicate("\n")
    return tool, naps.pid, used


def test_times_off_the_cpu():
    with Unseen("sched/sched_switch") as unseen:
        tool, pid, _ = run_naps("-O", "-P")
    buckets = tool.maps["@usecs_of"][f"{pid},naps"]
    hidden = sum(f"next_pid={pid} " in line for line in unseen.lines)
    assert hist_between(buckets, 16384, 2**40) >= 20 - hidden - tool.missed


def test_time_on_the_cpu():
    tool, pid, used = run_naps("-e", "-L")
    stats = tool.maps["@stats_of"][f"{pid},naps"]
    assert used * 0.85e6 <= stats["total"] <= used * 1.2e6 + 30000
    assert stats["count"] >= 20


def test_milliseconds():
    tool, _, _ = run_naps("-O", "-m")
    assert set(tool.maps) == {"@msecs"}
    assert hist_between(tool.maps["@msecs"], 16, 2**30) >= 20


def test_text_and_idle():
    with Tool("cpudist", "-I", "-T", 1, 1, json=False, ends=True) as tool:
        pass
    assert tool.text.splitlines()[1] == "@usecs:"
