"""naptime: who sleeps, how long they asked for and how long they did."""

import os
import subprocess
import time

from toolbox import Tool


def test_asked_and_slept():
    with Tool("naptime", "-n", "sleep") as tool:
        short = subprocess.Popen(["sleep", "0.25"])
        short.wait()
        cut = subprocess.Popen(["sleep", "90"])
        while not tool.out.lines:
            time.sleep(0.01)
        time.sleep(0.3)
        cut.terminate()
        cut.wait()
    row, = (row for row in tool.rows if row["pid"] == short.pid)
    assert row["seconds"] == 0.25
    assert 0.25 <= row["slept_s"] < 5
    assert (row["ppid"], row["comm"], row["ret"]) == (os.getpid(), "sleep", 0)
    row, = (row for row in tool.rows if row["pid"] == cut.pid)
    assert row["seconds"] == 90
    assert row["slept_s"] < 30
    assert row["ret"] < 0


def test_only_long_ones():
    with Tool("naptime", "-m", 100, "-n", "sleep") as tool:
        subprocess.run(["sleep", "0.02"], check=True)
        subprocess.run(["sleep", "0.11"], check=True)
    assert 0.11 in {row["seconds"] for row in tool.rows}
    assert min(row["seconds"] for row in tool.rows) >= 0.1


def test_who_sleeps_on():
    with Tool("naptime", "-n", "sleep", json=False) as tool:
        sleeping = subprocess.Popen(["sleep", "60"])
        subprocess.run(["sleep", "0.2"], check=True)
    sleeping.kill()
    sleeping.wait()
    assert tool.text.split("\n")[0].split() == [
        "TIME", "PPID", "PCOMM", "PID", "COMM", "SECONDS", "SLEPT(s)", "RET"]
    assert "still asleep" in tool.text
