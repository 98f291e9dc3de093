"""skep watch beside a workload: what it says in the end, as JSON; and what the kernel counted."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.append(str(TOP / "tests"))
from unseen import Unseen  # noqa: E402, found by the line above

SKEP = os.environ.get("SKEP", str(TOP / "build" / "skep"))
NOTIFY = "__SKEP_NOTIFY_PROBES_ATTACHED"
LONGEST = 120


class Watch:
    """Its probes are in place when this is entered; `said` is there when it is left."""

    def __init__(self, *options, env=None, seconds=LONGEST):
        self.command = [SKEP, "watch", "--for", f"{seconds:.0f}s", "--json", *options]
        self.env = os.environ | {"SKEP_NOTIFY_ATTACHED": "1"} | (env or {})

    def __enter__(self):
        self.process = subprocess.Popen(self.command, env=self.env, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = self.process.stderr.readline()
        assert NOTIFY in line, line + self.process.stderr.read()
        return self

    def __exit__(self, kind, *_):
        if not kind:
            time.sleep(1.5)  # the kernel lets go of processes that ended a moment later
        self.process.send_signal(signal.SIGINT)
        try:
            output, self.errors = self.process.communicate(timeout=60)
        finally:
            self.process.kill()
        if kind:
            return
        assert self.process.returncode == 0, self.errors
        self.said = json.loads(output)
        self.findings = [finding["text"] for finding in self.said["findings"]]

    def fact(self, panel, name):
        """A rate, as what it was in all."""
        return round(self.said["panels"][panel][name] * self.said["seconds"])

    def rows(self, panel, table, **wanted):
        return [row for row in self.said["panels"][panel][table]
                if all(row[name] == value for name, value in wanted.items())]

    def total(self, panel, table, column, **wanted):
        """The sum of a rate over the rows wanted, as what it was in all."""
        rows = self.rows(panel, table, **wanted)
        return round(sum(row[column] for row in rows) * self.said["seconds"])


class Within:
    """What was counted by us lies between what the kernel counted inside of our time and around it:
    with Within(read) as kernel: with Watch() as watch: with kernel.inside(): …"""

    def __init__(self, read):
        self.read = read

    def __enter__(self):
        self.around = -self.read()
        return self

    def __exit__(self, *_):
        self.around += self.read()

    def inside(self):
        return Inside(self)

    def check(self, counted, lost=None, unseen=0):
        """@lost: what was said of losses, for who looks into it. @unseen: how many no program sees."""
        least = self.least - unseen
        assert least <= counted <= self.around, (least, unseen, counted, self.around, lost)
        assert least > 0


class Inside:
    def __init__(self, within):
        self.within = within

    def __enter__(self):
        self.within.least = -self.within.read()

    def __exit__(self, *_):
        self.within.least += self.within.read()


def stat(name):
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith(name + " "):
            return int(line.split()[1])
    raise KeyError(name)


def vmstat(name):
    for line in Path("/proc/vmstat").read_text().splitlines():
        if line.startswith(name + " "):
            return int(line.split()[1])
    raise KeyError(name)


def tcp(name):
    """A counter of /proc/net/snmp."""
    lines = [line.split()[1:] for line in Path("/proc/net/snmp").read_text().splitlines()
             if line.startswith("Tcp:")]
    return int(dict(zip(*lines))[name])


def diskstats(column, disk=None):
    """Of @disk, or all disks without their partitions: 0 reads, 2 sectors read, 4 writes, 6 sectors
    written."""
    disks = {disk} if disk else set(os.listdir("/sys/block"))
    rows = [line.split() for line in Path("/proc/diskstats").read_text().splitlines()]
    return sum(int(row[3 + column]) for row in rows if row[2] in disks)


class UnseenRequests(Unseen):
    """Requests that disks ended while no program could see it."""

    DONE = re.compile(r"block_rq_complete: \d+,\d+ (\w+) .*\) \d+ \+ (\d+) ")

    def __init__(self):
        super().__init__("block/block_rq_complete")

    def column(self, number):
        """What of a column of diskstats() they are."""
        letter = "RW"[number // 4]
        ended = [found for line in self.lines if (found := self.DONE.search(line))]
        counted = [int(found[2]) for found in ended if letter in found[1]]
        return sum(counted) if number % 4 else len(counted)
