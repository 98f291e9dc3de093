"""cpuwalk, cpuunclaimed, loads, cpufreq, numasched, criticalstat, llcstat."""

import subprocess
import time
from pathlib import Path

from toolbox import SKEP, Tool, hist_between, hist_count, needs, reason_against
from work import last_cpu, spinning


def idle_seconds(cpu):
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{cpu} "):
            return sum(map(int, line.split()[4:6])) / 100
    return 0


def test_cpuwalk():
    cpu = last_cpu()
    with spinning("walker", 1, cpu) as (walker,):
        with Tool("cpuwalk", "-p", walker.pid, 1, ends=True) as tool:
            pass
    buckets = tool.maps["@cpu"]
    assert hist_count(buckets) == hist_between(buckets, cpu, cpu + 1) >= 10


def test_cpuunclaimed():
    """Two processes are bound to one CPU: what the others are idle could be one's."""
    cpu = last_cpu()
    n_cpus = len(list(Path("/sys/devices/system/cpu").glob("cpu[0-9]*")))
    with spinning("bound", 2, cpu):
        before = [idle_seconds(i) for i in range(n_cpus)]
        with Tool("cpuunclaimed", 2, 1, ends=True) as tool:
            pass
        idle = sum(idle_seconds(i) - before[i] for i in range(n_cpus)) / 2
    row, = tool.rows
    share = min(1, idle) * 100 / n_cpus
    assert abs(row["unclaimed"] - share) <= 15
    assert row["cpu"] >= 100 / n_cpus - 5


def test_loads():
    needs('interval:s:1 /kaddr("avenrun")/')
    with Tool("loads", 1, 1, ends=True) as tool:
        pass
    row, = tool.rows
    wanted = [float(word) for word in Path("/proc/loadavg").read_text().split()[:3]]
    for name, value in zip(("1min", "5min", "15min"), wanted):
        assert abs(row[name] - value) <= 0.2 + value / 10


def test_cpufreq_ends_and_tells_what_is_not_known():
    with spinning("freq", 1):
        with Tool("cpufreq", "-d", 1, "-n", "freq", ends=True) as tool:
            pass
    seen = hist_count(tool.maps.get("@mhz", []))
    assert 10 <= seen + tool.maps.get("@unknown", 0) <= 250


def test_numasched():
    nodes = list(Path("/sys/devices/system/node").glob("node[0-9]*"))
    with Tool("numasched") as tool:
        subprocess.run(["sh", "-c", "for i in 1 2 3 4; do (:); done"], check=True)
        time.sleep(0.2)
    assert (tool.rows == []) or len(nodes) > 1


def test_criticalstat():
    if reason_against("tracepoint:preemptirq:irq_disable"):
        done = subprocess.run([SKEP, "tool", "./tools/cpu/criticalstat.bt"], check=False,
                              capture_output=True, text=True, cwd=SKEP.parent.parent)
        assert done.returncode == 1 and "preemptirq" in done.stderr
        return
    with Tool("criticalstat", "-d", 1) as tool:
        time.sleep(0.5)
    assert tool.rows and all(row["irqoff_us"] >= 1 and row["stack"] for row in tool.rows)


def test_llcstat():
    if reason_against("hardware:cache-references:100"):
        with Tool("llcstat", 1, ends=True, status=1) as tool:
            pass
        assert "no such counter" in tool.errors
        return
    with spinning("cached", 1) as (process,):
        with Tool("llcstat", "-p", process.pid, 1, ends=True) as tool:
            pass
    assert tool.rows and all(0 <= row["hit"] <= 100 for row in tool.rows)
