"""What the benchmarks share: contenders, running them until attached, medians, ratios, tables."""

import contextlib
import json
import os
import pty
import select
import signal
import statistics
import subprocess
import tempfile
import time
import tty
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
STATS = Path("/proc/sys/kernel/bpf_stats_enabled")
NOTIFY = {"skep": ("SKEP_NOTIFY_ATTACHED", b"__SKEP_NOTIFY_PROBES_ATTACHED"),
          "bpftrace": ("__BPFTRACE_NOTIFY_PROBES_ATTACHED", b"__BPFTRACE_NOTIFY_PROBES_ATTACHED")}


@dataclass
class Contender:
    """A program that attaches probes; @sign is what it prints when they are in place."""

    name: str
    command: list
    sign: bytes
    env: dict = field(default_factory=dict)


def memlock_shim():
    """LD_PRELOAD for programs that insist on a limit that cannot be raised here."""
    import resource
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY,) * 2)
        return {}
    except (ValueError, OSError):
        out = Path(tempfile.gettempdir()) / f"skep-memlock-{os.getuid()}.so"
        subprocess.run(["gcc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", str(out),
                        str(TOP / "bench" / "memlock.c")], check=True)
        return {"LD_PRELOAD": str(out)}


def skep(script, *options):
    variable, sign = NOTIFY["skep"]
    return Contender("skep", [str(TOP / "dist" / "skep"), "trace", *options, "-e", script], sign,
                     {variable: "1"})


def bpftrace(script, shim, *options):
    variable, sign = NOTIFY["bpftrace"]
    return Contender("bpftrace", ["bpftrace", *options, "-e", script], sign,
                     {variable: "1", **shim})


def open_terminal():
    """A terminal in raw mode: who prints to it does not hold lines back."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    return ours, theirs


def cpu_s(pid):
    """What all threads of a process have run so far, to the nanosecond."""
    spent = 0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):  # a thread that has ended
            spent += int(path.read_text(encoding="ascii").split()[0])
    return spent / 1e9


class Attached:
    """A contender running with its probes in place.

    It prints to a terminal, and start_s is from exec to the line that says it is
    attached, start_cpu_s what it ran for that; or, with @settle_s, to a pipe, and is given so long. After the `with`:
    stop_s, peak_kib, cpu_s and output.
    """

    def __init__(self, contender, settle_s=None, limit_s=60):
        self.contender, self.settle_s, self.limit_s = contender, settle_s, limit_s
        self.output = b""
        self.peak_kib = 0

    def __enter__(self):
        self.fd, theirs = os.pipe() if self.settle_s else open_terminal()
        begin = time.perf_counter()
        self.process = subprocess.Popen(
            self.contender.command, stdout=theirs, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, env=os.environ | self.contender.env)
        os.close(theirs)
        if self.settle_s:
            time.sleep(self.settle_s)
            return self
        while self.contender.sign not in self.output:
            if time.perf_counter() - begin > self.limit_s or not self.read(1):
                self.process.kill()
                self.process.wait()
                raise RuntimeError(f"{self.contender.name} did not attach: {self.output.decode()}")
        self.start_s = time.perf_counter() - begin
        self.start_cpu_s = cpu_s(self.process.pid)
        self.output = b""
        self.note_peak()
        return self

    def note_peak(self):
        """Not ru_maxrss: that begins with what this interpreter had when it forked."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        for line in status.splitlines():
            if line.startswith("VmHWM:"):
                self.peak_kib = max(self.peak_kib, int(line.split()[1]))

    def read(self, wait_s):
        """Whether the end is not reached; waits at most @wait_s for something to read."""
        if not select.select([self.fd], [], [], wait_s)[0]:
            return True
        try:
            data = os.read(self.fd, 1 << 20)
        except OSError:  # how a terminal ends
            return False
        self.output += data
        return bool(data)

    def drain(self):
        """Take what is there to read now."""
        while select.select([self.fd], [], [], 0)[0] and self.read(0):
            pass

    def __exit__(self, *_):
        begin, again_s = time.perf_counter(), 2
        self.process.send_signal(signal.SIGINT)
        while self.read(0.05):
            self.note_peak()
            # bpftrace may lose a signal that comes just after it attached.
            quiet_s = time.perf_counter() - begin
            if quiet_s > self.limit_s:
                self.process.kill()
            elif int(quiet_s) > again_s:
                again_s = int(quiet_s) + 10
                self.process.send_signal(signal.SIGINT)
        os.close(self.fd)
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.stop_s = time.perf_counter() - begin
        self.cpu_s = usage.ru_utime + usage.ru_stime


@contextlib.contextmanager
def bpf_stats():
    """The kernel counts runs and time of each program; the setting is put back after."""
    before = STATS.read_text()
    STATS.write_text("1")
    try:
        yield
    finally:
        STATS.write_text(before)


def programs():
    """id → (run_cnt, run_time_ns) of all loaded programs."""
    listed = subprocess.run(["bpftool", "-j", "prog", "show"], check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    return {program["id"]: (program.get("run_cnt", 0), program.get("run_time_ns", 0))
            for program in json.loads(listed)}


def median(values):
    return statistics.median(values)


def ratios(ours, theirs):
    """Pairwise: how many times less ours is; median and range as text."""
    pairs = sorted(theirs_one / ours_one for ours_one, theirs_one in zip(ours, theirs) if ours_one)
    return f"{median(pairs):.2f}x ({pairs[0]:.2f}-{pairs[-1]:.2f})"


def table(title, head, rows):
    rows = [head, *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    print(f"\n{title}\n")
    for n, row in enumerate(rows):
        print("  " + "  ".join(cell.ljust(widths[i]) if i == 0 else cell.rjust(widths[i])
                               for i, cell in enumerate(row)).rstrip())
        if n == 0:
            print("  " + "  ".join("-" * width for width in widths), flush=True)
