"""Runs one block: workload, skep, trigger, end; gives back what was printed and the exit status.

Order: REQUIRES (else skipped), SETUP, BEFORE (running beside), skep; once skep says
that its probes are attached, AFTER; when AFTER has ended, SIGINT to skep, which must
then have printed everything that happened. Where skep ends before, so does AFTER. A block
without AFTER ends by itself.
"""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from blocks import expectation_met

FOLDER = Path(__file__).resolve().parent
TOP = FOLDER.parent.parent
sys.path.append(str(TOP / "tests"))
from patience import Patience  # noqa: E402, found by the line above

SKEP = Path(os.environ.get("SKEP", TOP / "build" / "skep")).resolve()
ATTACHED = "__SKEP_NOTIFY_PROBES_ATTACHED"


def shell(command, **kwargs):
    return subprocess.Popen(["bash", "-c", command], cwd=FOLDER, stdin=subprocess.DEVNULL,
                            start_new_session=True, **kwargs)


def end(process):
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.wait()


class Output:
    """Collects what a process prints; knows when the line of attachment came."""

    def __init__(self, process):
        self.lines = []
        self.attached = threading.Event()
        self.process = process
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            if line.strip() == ATTACHED:
                self.attached.set()
            else:
                self.lines.append(line)
        self.attached.set()  # or ended without: nobody need wait any longer

    def text(self):
        Patience(5).waits_for_thread(self.thread)
        return "".join(self.lines)


class Run:
    """One block being run; `with` ends whatever is left of it."""

    def __init__(self, block):
        self.block = block
        self.started = []
        self.patience = Patience(block.TIMEOUT * float(os.environ.get("SLOW", "1")))
        self.scratch = tempfile.TemporaryDirectory(prefix="skep-test-")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.started):
            end(process)
        for command in self.block.CLEANUP:
            shell(self.fill(command)).wait(30)
        self.scratch.cleanup()

    def fill(self, text):
        """Placeholders: what only the run knows."""
        pid = str(self.started[0].pid) if self.started else ""
        return (text.replace("{{SKEP}}", str(SKEP)).replace("{{TMP}}", self.scratch.name)
                .replace("{{PROGRAMS}}", str(SKEP.parent / "tests" / "programs"))
                .replace("{{TOP}}", str(TOP)).replace("{{BEFORE_PID}}", pid))

    def command(self):
        block = self.block
        if block.RUN:
            return self.fill(block.RUN)
        words = [str(SKEP), "trace", *shlex.split(self.fill(block.OPTIONS))]
        words += ["-e", self.fill(block.PROG)] if block.PROG else [self.fill(block.FILE)]
        return "exec " + shlex.join(words)

    def environment(self):
        return os.environ | {"SKEP_NOTIFY_ATTACHED": "1", "NO_COLOR": "1", "LC_ALL": "C.UTF-8"} | {
            name: value for name, _, value in
            (self.fill(word).partition("=") for word in shlex.split(self.block.ENV))}

    def prepare(self):
        for command in self.block.REQUIRES:
            needed = shell(self.fill(command), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                           text=True, errors="replace")
            said = " ".join(needed.communicate(timeout=30)[1].split())
            if needed.returncode:
                pytest.skip(f"needs: {command}{': ' * bool(said)}{said}")
        for command in self.block.SETUP:
            assert shell(self.fill(command)).wait(30) == 0, f"SETUP failed: {command}"
        for command in self.block.BEFORE:
            self.started.append(shell("exec " + self.fill(command), stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL))
            self.wait_until_begun(self.started[-1])

    def wait_until_begun(self, process):
        """Until bash has become the workload."""
        while process.poll() is None:
            if Path(f"/proc/{process.pid}/cmdline").read_bytes()[:8] not in (b"", b"bash\0-c\0"):
                return
            assert self.patience.left(), "the workload does not begin"
            time.sleep(0.01)

    def trigger(self, skep, output):
        """AFTER, once attached; then the end, unless the script has ended itself meanwhile."""
        assert self.patience.waits(output.attached.wait), "not attached in time"
        if skep.poll() is not None:
            return
        after = shell(self.fill(self.block.AFTER), stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL)
        self.started.append(after)
        assert self.patience.waits_for(after, skep), "neither AFTER nor the script ends"
        if skep.poll() is None:
            skep.send_signal(signal.SIGINT)

    def go(self):
        self.prepare()
        skep = shell(self.command(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                     errors="replace", env=self.environment())
        self.started.append(skep)
        output = Output(skep)
        if self.block.AFTER:
            self.trigger(skep, output)
        if self.patience.waits_for(skep):
            return skep.returncode, output.text()
        end(skep)
        return f"none, stopped after {self.block.TIMEOUT} s", output.text()


def check(block):
    with Run(block) as run:
        status, output = run.go()
        problems = [] if status == block.EXPECT_EXIT else [
            f"exit status {status}, not {block.EXPECT_EXIT}"]
        problems += [f"{kind}: {run.fill(value)}" for kind, value in block.expects
                     if not expectation_met(kind, run.fill(value), output, FOLDER / "expect")]
    if problems:
        what = block.PROG or block.FILE or block.RUN
        # The first line has to tell enough where no more than it is shown.
        pytest.fail(f"{block.place}: {problems[0]}\n{block.NAME}\n{what}\n--- unmet\n" +
                    "\n".join(problems) + f"\n--- output\n{output}", pytrace=False)
