"""Workloads of the tests here: processes with known names that use a CPU, or wait."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

SPIN = """
import os, sys, time
open("/proc/self/comm", "w").write(sys.argv[1])
if sys.argv[2] != "any": os.sched_setaffinity(0, {int(sys.argv[2])})
print("ready", flush=True)
end = time.monotonic() + 60
while time.monotonic() < end: pass
"""


def python(program, *args, **kwargs):
    return subprocess.Popen([sys.executable, "-c", program, *map(str, args)],
                            stdout=subprocess.PIPE, text=True, **kwargs)


@contextlib.contextmanager
def spinning(name, how_many=1, cpu="any"):
    """Processes that do nothing but use the CPU; ended with the block."""
    processes = [python(SPIN, name, cpu) for _ in range(how_many)]
    try:
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def last_cpu():
    return max(os.sched_getaffinity(0))


def cpu_seconds(pid):
    """What a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def table_of_proc(path):
    """The sums over all CPUs of /proc/softirqs, by kind, or of /proc/interrupts, by handler."""
    sums = {}
    heading, *lines = Path(path).read_text().splitlines()
    n_cpus = len(heading.split())
    for line in lines:
        words = line.split()
        counts = [int(word) for word in words[1:1 + n_cpus] if word.isdigit()]
        name = words[0].rstrip(":") if path == "/proc/softirqs" else words[-1]
        sums[name] = sums.get(name, 0) + sum(counts)
    return sums
