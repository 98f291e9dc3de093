"""hardirqs, softirqs, softirqslower, wqlat: against the kernel's own counts."""

import os
import subprocess
import time

import pytest

from toolbox import SKEP, Tool, hist_count
from unseen import Unseen
from work import table_of_proc


def bounded(tool_args, path, work=lambda: time.sleep(0.5), json=True):
    """The tool's output, and the kernel's counts: within its time at least, and at most."""
    outer = table_of_proc(path)
    with Tool(*tool_args, json=json) as tool:
        before = table_of_proc(path)
        work()
        after = table_of_proc(path)
    end = table_of_proc(path)
    return (tool, {name: after[name] - before.get(name, 0) for name in after},
            {name: end[name] - outer.get(name, 0) for name in end})


def write_much(path):
    for i in range(20):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(fd, b"x" * 4096)
        os.fsync(fd)
        os.close(fd)


def test_softirqs_counts():
    tool, least, most = bounded(["softirqs"], "/proc/softirqs")
    found = {row["softirq"]: row for row in tool.rows}
    for name in ("timer", "sched", "rcu"):
        # while one count is read, others change
        count = found[name]["count"]
        assert least[name.upper()] * 0.95 - 5 <= count <= most[name.upper()] * 1.05 + 5
        assert 0 < found[name]["total_usecs"] < 1e6
    assert set(found) <= {name.lower() for name in most}


def test_softirqs_as_histograms_and_events():
    tool, least, most = bounded(["softirqs", "-d", "-N"], "/proc/softirqs")
    n = hist_count(tool.maps["@nsecs"]["timer"])
    assert least["TIMER"] * 0.95 - 5 <= n <= most["TIMER"] * 1.05 + 5
    with Tool("softirqs", "-C", "-T", 1, 1, json=False, ends=True) as text:
        pass
    assert text.text.splitlines()[1].split() == ["SOFTIRQ", "TOTAL_count"]


def test_softirqslower():
    tool, least, most = bounded(["softirqslower", 0], "/proc/softirqs")
    runs = [row for row in tool.rows if row["stage"] == "run" and row["softirq"] == "timer"]
    assert least["TIMER"] * 0.95 - 5 <= len(runs) <= most["TIMER"] * 1.05 + 5
    assert any(row["stage"] == "raise" for row in tool.rows)
    with Tool("softirqslower", 50000000) as none:
        time.sleep(0.2)
    assert none.rows == []


def test_hardirqs(tmp_path):
    with Unseen("irq/irq_handler_entry") as unseen:
        tool, least, most = bounded(["hardirqs"], "/proc/interrupts",
                                    lambda: write_much(tmp_path / "x"))
    if not tool.rows:
        pytest.skip("no interrupt with a handler came while files were written")
    for row in tool.rows:
        name = row["hardirq"]
        hidden = sum(line.endswith(f" name={name}") for line in unseen.lines)
        if name in most:
            assert least[name] - hidden - tool.missed <= row["count"] <= most[name]
        assert 0 < row["total_usecs"] + 1 < 1e6


def test_wqlat(tmp_path):
    counter = subprocess.Popen(
        [SKEP, "trace", "-q", "-f", "json", "-e",
         "tracepoint:workqueue:workqueue_execute_start { @n = count(); }"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=os.environ | {"SKEP_NOTIFY_ATTACHED": "1"})
    time.sleep(0.5)
    with Tool("wqlat", "-W") as tool:
        write_much(tmp_path / "x")
        time.sleep(0.3)
    counter.send_signal(2)
    said = counter.communicate()[0]
    n = sum(hist_count(buckets) for buckets in tool.maps["@usecs_of"].values())
    assert 0 < n <= int(said.rsplit(":", 1)[1].strip(" }\n"))


def test_wqlat_of_one_queue():
    with Tool("wqlat", "-w", "no-such-queue", 1, 1, ends=True) as tool:
        pass
    assert tool.maps == {"@usecs": []}
