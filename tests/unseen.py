"""Events that no BPF program can see: some kernels run none while process 1 does.

Interrupts that come in its time are among them, so whoever counts packets or requests of a disk
misses those, without any count of it: such a kernel does not call the program at all. The kernel's
own tracing has them, so a test that holds our counts against the kernel's knows how many they are.

    with Unseen("tcp/tcp_retransmit_skb") as unseen:
        ...
    assert len(rows) == sent - len(unseen.lines)
"""

import os
import re
import signal
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
SKEP = os.environ.get("SKEP", str(TOP / "build" / "skep"))
TRACEFS = Path("/sys/kernel/tracing")


class Traced:
    """@event, one of tracefs, as the kernel's own tracing has it: lines(). @only: a filter of its
    fields. @threads: while these run, or what they start. None are known where tracefs has no room."""

    def __init__(self, event, only="", threads=()):
        self.event, self.only, self.threads = event, only, threads
        self.folder = TRACEFS / "instances" / f"skep-test-{os.getpid()}-{id(self)}"

    def __enter__(self):
        try:
            self.folder.mkdir()
        except OSError:
            self.folder = None
            return self
        if self.threads:
            (self.folder / "options" / "event-fork").write_text("1")
            (self.folder / "set_event_pid").write_text(" ".join(self.threads))
        if self.only:
            (self.folder / "events" / self.event / "filter").write_text(self.only)
        (self.folder / "events" / self.event / "enable").write_text("1")
        return self

    def lines(self):
        if not self.folder:
            return []
        text = (self.folder / "trace").read_text()
        return [line for line in text.splitlines() if not line.startswith("#")]

    def __exit__(self, *_):
        if self.folder:
            (self.folder / "events" / self.event / "enable").write_text("0")
            self.folder.rmdir()


class Unseen:
    """`lines`: an event, as it was traced while a thread of process 1 ran, between the begin and the
    end of the block; none where programs see those as any others. That is tried in the same time:
    a program counts the software interrupts in the time of process 1."""

    COUNT = "rawtracepoint:softirq_entry /pid == 1/ { @n = count(); }"

    def __init__(self, event):
        threads = os.listdir("/proc/1/task")
        self.seen, self.interrupts = Traced(event, "", threads), Traced("irq/softirq_entry", "", threads)
        self.lines = []

    def __enter__(self):
        self.trace = subprocess.Popen([SKEP, "trace", "-q", "-e", self.COUNT],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                      env=os.environ | {"SKEP_NOTIFY_ATTACHED": "1"})
        self.trace.stderr.readline()
        self.interrupts.__enter__()
        self.seen.__enter__()
        return self

    def __exit__(self, *how):
        lines, interrupts = self.seen.lines(), self.interrupts.lines()
        self.seen.__exit__(*how)
        self.interrupts.__exit__(*how)
        self.trace.send_signal(signal.SIGINT)
        said = self.trace.communicate(timeout=60)[0]
        is_hidden = interrupts and not re.search(r"^@n: [1-9]", said, re.M)
        self.lines = lines if is_hidden else []
