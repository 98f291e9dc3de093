#!/usr/bin/python3
"""What probes on the kernel's functions cost, on whatever kernel this is.

    ./dev kernel makes kernels; then: tests/kernel/run KERNEL bench/attach.py [READS]

Per event: what one more byte read by dd takes with a probe on it, less what it takes
without; and the run time of its program alone by the kernel's own count
(bpf_stats_enabled). The rest of an event is the way to the program: a breakpoint or
ftrace, saved registers, a trampoline. The least of five rounds, in ns: whatever else
the machine does only adds. Where instructions are emulated, a nanosecond is about one
of them, and only ratios mean something.

Then how long a thousand functions by one wildcard take to attach: until skep says so,
less the same with nothing attached (--dry-run), which is reading, compiling, loading.
"""

import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
SKEP = os.environ.get("SKEP", str(TOP / "build" / "skep"))
STATS = Path("/proc/sys/kernel/bpf_stats_enabled")
FUNCTIONS = Path("/sys/kernel/tracing/available_filter_functions")
ROUNDS = 5
PROBES = [
    ("tracepoint", "tracepoint:syscalls:sys_enter_read"),
    ("rawtracepoint", "rawtracepoint:sys_enter"),
    ("kprobe", "kprobe:vfs_read"),
    ("kretprobe", "kretprobe:vfs_read"),
    ("kprobe.multi", "kprobe:vfs_rea*"),
    ("kretprobe.multi", "kretprobe:vfs_rea*"),
    ("fentry", "fentry:vfs_read"),
    ("fexit", "fexit:vfs_read"),
]


def reads_ns(n):
    """Nanoseconds of processor time that dd takes for one byte."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["dd", "if=/dev/zero", "of=/dev/null", "bs=1", f"count={n}"], check=True,
                   stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used * 1e9 / n


class Attached:
    """skep with its probes in place."""

    def __init__(self, script):
        self.began = time.monotonic()
        self.process = subprocess.Popen([SKEP, "trace", "-q", "-e", script],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        env=os.environ | {"SKEP_NOTIFY_ATTACHED": "1"}, text=True)

    def __enter__(self):
        for line in self.process.stdout:
            if "PROBES_ATTACHED" in line:
                self.took = time.monotonic() - self.began
                return self
            self.said = line
        raise RuntimeError(self.said)

    def __exit__(self, *_):
        self.process.send_signal(2)
        self.process.communicate()


def program_ns():
    """Run time of the newest program that has run, by the kernel's count."""
    programs = json.loads(subprocess.run(["bpftool", "-j", "prog", "list"], check=True,
                                         capture_output=True).stdout)
    ran = [p for p in programs if p.get("run_cnt", 0) > 100]
    return ran[-1]["run_time_ns"] / ran[-1]["run_cnt"] if ran else float("nan")


def measure(probe, n):
    script = probe + " { @ = count(); }"
    with Attached(script):
        each = [reads_ns(n) for _ in range(ROUNDS)]
        STATS.write_text("1")
        reads_ns(n)
        alone = program_ns()
        STATS.write_text("0")
    return min(each), alone


def events(n):
    floor = min(reads_ns(n) for _ in range(ROUNDS))
    print(f"{'':16} {'an event':>9} {'program':>9}   (without a probe: {floor:.0f} ns a byte)")
    for name, probe in PROBES:
        try:
            each, alone = measure(probe, n)
            print(f"{name:16} {each - floor:9.0f} {alone:9.0f}", flush=True)
        except RuntimeError as error:
            print(f"{name:16} not here: {error}", end="", flush=True)


def thousand():
    """Wildcards that mean a thousand functions, more or less."""
    names = sorted({line.split()[0] for line in FUNCTIONS.read_text().splitlines()
                    if "[" not in line})
    chosen, n = [], 0
    for prefix in ("tcp_", "udp_", "inet_", "sched_", "ext4_", "vfs_", "cgroup_", "bpf_", "sock_",
                   "skb_", "net_", "mm_", "page_", "folio_", "perf_", "trace_", "blk_"):
        found = sum(re.match(prefix, name) is not None for name in names)
        if n + found <= 1050:
            chosen.append(f"kprobe:{prefix}*")
            n += found
    return ",".join(chosen), n


def wildcard():
    probes, n = thousand()
    script = probes + " /0/ { @ = count(); }"
    whole, without = [], []
    for _ in range(3):
        with Attached(script) as attached:
            whole.append(attached.took)
        began = time.monotonic()
        subprocess.run([SKEP, "trace", "--dry-run", "-q", "-e", script], check=True)
        without.append(time.monotonic() - began)
    took = statistics.median(whole) - statistics.median(without)
    print(f"{n} functions by wildcard: {1e3 * took:.0f} ms, after "
          f"{1e3 * statistics.median(without):.0f} ms of reading, compiling and loading")


def main():
    events(int(sys.argv[1]) if len(sys.argv) > 1 else 20000)
    if FUNCTIONS.exists():
        wildcard()


if __name__ == "__main__":
    main()
