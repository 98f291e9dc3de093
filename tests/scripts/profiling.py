"""skep profile beside programs of which it is known where they spend what."""

import collections
import os
import re
import signal
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
SKEP = os.environ.get("SKEP", str(TOP / "build" / "skep"))
NOTIFY = "__SKEP_NOTIFY_PROBES_ATTACHED"
SLOW = float(os.environ.get("SLOW", "1"))
TIME = 120 * SLOW
ENV = os.environ | {"NO_COLOR": "1", "LC_ALL": "C.UTF-8"}


def build(path, text, *options):
    """A program of C, with frame pointers."""
    source = path.with_suffix(".c")
    source.write_text(text)
    subprocess.run(["gcc", "-O1", "-g", "-fno-omit-frame-pointer", "-fno-inline",
                    "-fno-optimize-sibling-calls", "-mno-omit-leaf-frame-pointer", "-pthread", *options, "-o", path, source],
                   check=True)
    return path


def run(*args, **kwargs):
    return subprocess.run([SKEP, "profile", *map(str, args)], capture_output=True, text=True,
                          timeout=TIME, env=ENV, check=False, **kwargs)


class Stacks:
    """A file of folded stacks: [frames, outermost first] and the value of each."""

    def __init__(self, path):
        self.rows = []
        for line in Path(path).read_text().splitlines():
            frames, value = line.rsplit(" ", 1)
            self.rows.append((frames.split(";"), int(value)))

    def of(self, *functions):
        """What all stacks have that go through these functions."""
        return sum(value for frames, value in self.rows if set(functions) <= set(frames))

    def total(self):
        return sum(value for _, value in self.rows)

    def by_root(self):
        roots = collections.Counter()
        for frames, value in self.rows:
            roots[frames[0]] += value
        return roots


def folded(tmp_path, *args, command=(), value=None):
    """Profile @command; the stacks, and what was said beside."""
    path = tmp_path / "out.folded"
    options = ["--value", value] if value else []
    done = run(*args, *options, "-o", path, *(["--", *command] if command else []))
    assert done.returncode == 0, done.stderr
    return Stacks(path), done


class Profile:
    """A profile that Ctrl-C ends: its probes are in place when this is entered."""

    def __init__(self, *args):
        self.command = [SKEP, "profile", *map(str, args)]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, env=ENV | {"SKEP_NOTIFY_ATTACHED": "1"},
                                        text=True, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        line = self.process.stderr.readline()
        if NOTIFY not in line:
            self.process.kill()
            raise AssertionError(line + self.process.stderr.read())
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.output, self.errors = self.process.communicate(timeout=TIME)
        finally:
            self.process.kill()


def numbers(text):
    """name=number of what a program printed."""
    return {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", text)}
