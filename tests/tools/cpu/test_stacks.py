"""profile, offcputime, wakeuptime, offwaketime: stacks and times that are known."""

import os
import re
import subprocess
import sys
import time

from toolbox import SKEP, Tool
from unseen import Traced
from work import cpu_seconds, last_cpu, spinning

CALLS = SKEP.parent / "tests" / "programs" / "calls"
FOLDED = re.compile(r"([^;\n]+)((?:;[^;\n]+)*) (\d+)")
PING_PONG = """
import os, time
first, second = os.pipe(), os.pipe()
if os.fork() == 0:
    open("/proc/self/comm", "w").write("ping")
    for _ in range(5):
        os.read(first[0], 1)
        time.sleep(0.1)
        os.write(second[1], b"x")
    os._exit(0)
open("/proc/self/comm", "w").write("pong")
for _ in range(5):
    os.write(first[1], b"x")
    os.read(second[0], 1)
"""


def folded(text):
    return [FOLDED.fullmatch(line).groups() for line in text.splitlines() if line]


def test_profile_counts_the_time_of_a_process():
    with subprocess.Popen([CALLS, "100000000000"], stdout=subprocess.DEVNULL) as calls:
        try:
            before = cpu_seconds(calls.pid)
            with Tool("profile", "-F", 199, "-p", calls.pid) as tool:
                time.sleep(1.5)
            used = cpu_seconds(calls.pid) - before
        finally:
            calls.kill()
    assert {row["pid"] for row in tool.rows} == {calls.pid}
    assert used * 199 * 0.6 <= sum(row["samples"] for row in tool.rows) <= used * 199 * 1.2 + 5
    assert any("main+" in row["user"] for row in tool.rows)


def test_profile_folded():
    with subprocess.Popen([CALLS, "100000000000"], stdout=subprocess.DEVNULL) as calls:
        try:
            with Tool("profile", "-f", "-a", "-F", 499, "-p", calls.pid, 1, json=False,
                      ends=True) as tool:
                pass
        finally:
            calls.kill()
    lines = folded(tool.text)
    assert {name for name, _, _ in lines} == {"calls"}
    assert any(";main;" in stack for _, stack, _ in lines)
    assert sum(int(n) for _, _, n in lines) >= 100
    assert all(stack.index(";main;") > stack.find("_start") for _, stack, _ in lines
               if ";main;" in stack)  # outermost first


def test_profile_user_kernel_cpu():
    with spinning("prspin", 1, last_cpu()):
        with Tool("profile", "-K", "-C", last_cpu(), "-n", "prspin", 1, ends=True) as kernel:
            pass
        with Tool("profile", "-U", "-C", last_cpu() + 1, "-n", "prspin", 1, ends=True) as none:
            pass
    assert kernel.rows and all(row["user"].strip() == "" for row in kernel.rows)
    assert none.rows == []


def test_offcputime_of_a_command():
    with Tool("offcputime", "-m", 100000, "-c", "sleep 0.3", ends=True) as tool:
        pass
    row, = tool.rows
    assert row["comm"] == "sleep"
    assert 299000 <= row["off_us"] <= 900000
    assert "nanosleep" in row["kernel"]
    assert "nanosleep" in row["user"]


def test_offcputime_folded_and_states():
    with Tool("offcputime", "-f", "-K", "--state", 1, "-c", "sleep 0.2", json=False,
              ends=True) as tool:
        pass
    lines = folded(tool.text)
    total = sum(int(us) for name, stack, us in lines if ";hrtimer_nanosleep" in stack)
    assert 199000 <= total <= 800000
    assert lines[0][1].startswith(";entry_SYSCALL") or lines[0][1].startswith(";")
    with Tool("offcputime", "--state", 2, "-m", 100000, "-c", "sleep 0.2", ends=True) as none:
        pass
    assert none.rows == []


def test_offcputime_kernel_threads():
    with Tool("offcputime", "-k", 1, ends=True) as tool:
        pass
    assert tool.rows
    assert all(not os.path.exists(f"/proc/{row['pid']}/exe")
               or not os.path.realpath(f"/proc/{row['pid']}/exe").startswith("/usr")
               for row in tool.rows)


def test_offcputime_text():
    with Tool("offcputime", "-c", "sleep 0.1", json=False, ends=True) as tool:
        pass
    heading, row, *frames = tool.text.splitlines()
    assert heading.split() == ["COMM", "PID", "OFF(us)"]
    assert row.split()[0] == "sleep" and frames[0].startswith("        ")
    assert "        --" in frames


def ping_pong(tool_name, *options, json=True):
    """pong sleeps five times until ping, after 0.1 s, writes to its pipe. The end of a sleep is told
    while who ran until then still does, and of some processes nobody is told anything (unseen.py):
    how often pong left a CPU, but for its end, and did not come back. That is tool.unseen_us."""
    pong = 'prev_comm == "pong" || next_comm == "pong"'
    with Traced("sched/sched_switch", pong) as traced:
        with Tool(tool_name, "-n", "pong", *options, json=json) as tool:
            subprocess.run([sys.executable, "-c", PING_PONG], check=True)
        left = sum("prev_comm=pong " in line for line in traced.lines())
        back = sum("next_comm=pong " in line for line in traced.lines())
    tool.unseen_us = 100000 * max(0, left - 1 - back)
    return tool


def test_wakeuptime():
    rows = [row for row in ping_pong("wakeuptime").rows if row["waker"] == "ping"]
    assert {row["sleeper"] for row in rows} == {"pong"}
    assert all("write" in row["waker_stack"] for row in rows)
    assert 490000 <= sum(row["slept_us"] for row in rows) <= 1500000


def test_wakeuptime_folded_and_longer_sleeps():
    lines = folded(ping_pong("wakeuptime", "-f", "-m", 50000, json=False).text)
    lines = [line for line in lines if line[0] == "ping"]
    assert all(stack.endswith(";pong") for _, stack, _ in lines)
    assert 490000 <= sum(int(us) for _, _, us in lines) <= 1500000
    assert ping_pong("wakeuptime", "-m", 60000000).rows == []


def test_offwaketime():
    tool = ping_pong("offwaketime", "-K")
    rows = [row for row in tool.rows if row["waker"] == "ping"]
    assert {row["sleeper"] for row in rows} == {"pong"}
    assert 490000 - tool.unseen_us <= sum(row["off_us"] for row in rows) <= 1500000
    assert all("read" in row["kernel"] and "write" in row["waker_kernel"] for row in rows)
    assert all(row["user"].strip() == "" for row in rows)


def test_offwaketime_folded():
    tool = ping_pong("offwaketime", "-f", json=False)
    lines = [line for line in folded(tool.text) if line[1].endswith(";ping")]
    assert {name for name, _, _ in lines} == {"pong"}
    assert all(";--;" in stack for _, stack, _ in lines)
    assert 490000 - tool.unseen_us <= sum(int(us) for _, _, us in lines) <= 1500000
