"""Runs a tool beside a workload and reads what it printed.

    from toolbox import Tool, needs

    def test_counts_opens(tmp_path):
        with Tool("opensnoop", "-n", "cat") as tool:     # attached when this returns
            subprocess.run(["cat", tmp_path / "x"])
        assert [row["path"] for row in tool.rows] == [...]

At the end of the block the tool gets Ctrl-C, unless it has ended by itself, and must then end in
time, whatever it was doing. A tool is run from its file in tools/, so that a script that was
changed need not be built into the program first; an alias is run by its name.
"""

import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from patience import Patience

TOP = Path(__file__).resolve().parent.parent.parent
SKEP = Path(os.environ.get("SKEP", TOP / "build" / "skep")).resolve()
ATTACHED = "__SKEP_NOTIFY_PROBES_ATTACHED"
ENVIRONMENT = {"SKEP_NOTIFY_ATTACHED": "1", "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
SLOW = float(os.environ.get("SLOW", "1"))  # how much longer everything may take here


def find(name):
    """The script of a tool; its name where there is none: an alias."""
    found = [name] if "/" in name else sorted((TOP / "tools").glob(f"*/{name}.bt"))
    return str(found[0]) if found else name


class Reader(threading.Thread):
    """Collects the lines of a stream; knows when the line of attachment came."""

    def __init__(self, stream):
        super().__init__(daemon=True)
        self.stream = stream
        self.lines = []
        self.attached = threading.Event()
        self.start()

    def run(self):
        for line in self.stream:
            if line.strip() == ATTACHED:
                self.attached.set()
            else:
                self.lines.append(line)
        self.attached.set()  # or ended without

    def text(self):
        Patience(5).waits_for_thread(self)
        return "".join(self.lines)


class Tool:
    """A running tool. @json: False for text; @ends: it ends by itself, so no Ctrl-C; @status: what
    its exit status must be, None: anything; @seconds: how long it may take in all."""

    def __init__(self, name, *args, json=True, ends=False, status=0, seconds=30, env=None):
        self.json = json
        self.ends = ends
        self.wanted_status = status
        self.seconds = seconds * SLOW
        self.patience = Patience(self.seconds)
        words = [*self.called(name), *(["--json"] if json else []), *map(str, args)]
        self.process = subprocess.Popen(
            words, executable=SKEP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, errors="replace",
            env=os.environ | ENVIRONMENT | (env or {}), start_new_session=True)
        self.out, self.err = Reader(self.process.stdout), Reader(self.process.stderr)

    @staticmethod
    def called(name):
        """The words that it is called by."""
        return [str(SKEP), "tool", find(name)]

    def __enter__(self):
        if not self.patience.waits(self.err.attached.wait):
            self.kill()
            pytest.fail(f"not attached in {self.seconds} s:\n{self.errors}")
        if not self.ends and self.process.poll() is not None and self.wanted_status == 0:
            pytest.fail(f"ended with {self.process.returncode} before its work began:\n"
                        f"{self.text}{self.errors}")
        return self

    def __exit__(self, kind, *_):
        try:
            if kind or not self.ends:
                self.interrupt()
            self.wait()
        finally:
            self.kill()
        if not kind and self.wanted_status is not None:
            assert self.status == self.wanted_status, f"{self.text}{self.errors}"

    def interrupt(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)

    def wait(self):
        """Until it has ended; the time is that of the whole run."""
        if not Patience(self.seconds).waits_for(self.process):
            self.kill()
            pytest.fail(f"did not end in {self.seconds} s:\n{self.text}{self.errors}")

    def kill(self):
        if self.process.poll() is None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    @property
    def status(self):
        return self.process.returncode

    @property
    def text(self):
        """All it printed."""
        return self.out.text()

    @property
    def errors(self):
        return self.err.text()

    @property
    def objects(self):
        """The lines as JSON."""
        assert self.json, "it was run for text"
        return [json.loads(line) for line in self.text.splitlines() if line.strip()]

    def of_type(self, *types):
        return [item["data"] for item in self.objects if item["type"] in types]

    @property
    def rows(self):
        """Of row() and table(): a dict each."""
        return self.of_type("row")

    @property
    def missed(self):
        """Hits that the kernel did not run its programs for, as another one was running, and that are told."""
        return sum(data["hits"] for data in self.of_type("missed_hits"))

    def rows_until(self, is_enough, seconds=10):
        """Waits until @is_enough says so of the rows that it has printed so far, or for so long."""
        patience = Patience(seconds * SLOW)
        while patience.left():
            items = [json.loads(line) for line in list(self.out.lines) if line.strip()]
            if is_enough([item["data"] for item in items if item["type"] == "row"]):
                return
            time.sleep(0.1)

    @property
    def maps(self):
        """By name, what was printed of each map last: a value, a dict by key, buckets."""
        found = {}
        for data in self.of_type("map", "hist", "lhist", "stats"):
            found.update(data)
        return found

    @property
    def printed(self):
        """What printf() printed."""
        return "".join(self.of_type("printf"))

    @property
    def table(self):
        """Of text: a dict for each line under the (first) heading, by the heading's words. The
        last column may have blanks."""
        assert not self.json, "it was run for JSON"
        heading, *lines = [line for line in self.text.splitlines() if line.strip()]
        names = heading.split()
        return [dict(zip(names, line.split(None, len(names) - 1))) for line in lines
                if line != heading]


@functools.lru_cache(None)
def reason_against(probe):
    """What skep says where @probe cannot be attached; "" where it can."""
    done = subprocess.run([SKEP, "trace", "-q", "--for=1ms", "-e", f"{probe} {{ @ = 1; }}"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, errors="replace", check=False,
                          timeout=60 * SLOW, env=os.environ | {"NO_COLOR": "1"})
    return done.stderr.partition("\n")[0] if done.returncode else ""


def needs(*probes):
    """Skips the test where one of @probes cannot be attached, and says why."""
    for probe in probes:
        reason = reason_against(probe)
        if reason:
            pytest.skip(f"needs {probe}: {reason}")


def hist_count(buckets):
    """How many values a histogram of tool.maps holds."""
    return sum(bucket["count"] for bucket in buckets)


def hist_between(buckets, low, high):
    """How many of them are in buckets that lie between @low and @high."""
    return sum(bucket["count"] for bucket in buckets
               if bucket.get("min", -2**63) >= low and bucket.get("max", 2**63) <= high)


def compile_c(folder, name, source):
    """A program of @source, with frame pointers and nothing optimised away; its path."""
    path = folder / name
    path.with_suffix(".c").write_text(source)
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("needs a C compiler")
    subprocess.run([compiler, "-g", "-O0", "-fno-omit-frame-pointer", "-pthread", "-o", path,
                    path.with_suffix(".c")], check=True)
    return path


@contextlib.contextmanager
def started(path):
    """A program that waits for a line before it begins its work: see until_done()."""
    process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until_done(process):
    """Let it do its work, until it says "done"."""
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"
