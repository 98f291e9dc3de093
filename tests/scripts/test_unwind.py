"""User stacks by call frame information begin where the kernel says that the process was."""

import platform
import re
import signal
import subprocess

import pytest

from runner import SKEP

PROGRAMS = SKEP.parent / "tests" / "programs"
PAIR = re.compile(r"^at ([0-9a-f]+)\s+([0-9a-f]+)$", re.MULTILINE)


def pairs(probe, own, rounds):
    """What the probe's own registers say, and the innermost frame, of each hit in user space."""
    if platform.machine() != "x86_64":
        pytest.skip("only x86-64 has such stacks")
    script = (f'config = {{ unwind = "cfi" }} {probe} /pid == cpid/ '
              f'{{ if ({own} < 0x7fffffffffff) {{ printf("at %lx%s\\n", {own}, ustack(raw, 1)); }} }}')
    done = subprocess.run([SKEP, "trace", "-q", "-c", f"{PROGRAMS}/frameless {rounds}", "-e", script],
                          text=True, capture_output=True, timeout=60, check=True)
    return PAIR.findall(done.stdout)


@pytest.mark.parametrize("probe, rounds", [
    ("profile:hz:999", 20_000_000),
    (f"uprobe:{PROGRAMS}/frameless:fib", 50),
])
def test_innermost_frame(probe, rounds):
    found = pairs(probe, 'reg("ip")', rounds)
    assert len(found) > 20
    assert all(own == frame for own, frame in found)


def test_callers_frame_at_return():
    """A uretprobe runs behind the return: the caller's frame is the innermost."""
    found = pairs(f"uretprobe:{PROGRAMS}/frameless:fib", 'reg("ip")', 50)
    assert len(found) > 20
    assert all(own == frame for own, frame in found)


WARM, ROUNDS = 150, 60


def run_frameless():
    with subprocess.Popen([PROGRAMS / "frameless", "1"], stdout=subprocess.DEVNULL) as process:
        return str(process.pid)


def test_short_lives():
    """A program that lives a millisecond has whole stacks, once its files are known."""
    if platform.machine() != "x86_64":
        pytest.skip("only x86-64 has such stacks")
    script = (f'config = {{ unwind = "cfi" }} begin {{ printf("ready\\n"); }} '
              f'uprobe:{PROGRAMS}/frameless:fib {{ @[pid, folded(ustack)] = count(); }}')
    with subprocess.Popen([SKEP, "trace", "-q", "-e", script], text=True,
                          stdout=subprocess.PIPE) as trace:
        assert trace.stdout.readline() == "ready\n"
        pids = [run_frameless() for _ in range(WARM + ROUNDS)][WARM:]
        trace.send_signal(signal.SIGINT)
        out = trace.communicate(timeout=60)[0]
    stacks = re.findall(r"^@\[(\d+), (.*)\]: \d+$", out, re.MULTILINE)
    cut = {pid for pid, stack in stacks if "[broken" in stack}
    assert {pid for pid, _ in stacks} >= set(pids)
    assert len(cut & set(pids)) <= ROUNDS / 10, [stack for pid, stack in stacks if pid in pids]


RETURNING = """
import os, signal
signal.signal(signal.SIGUSR1, lambda *_: None)
for _ in range(20000):
    os.kill(os.getpid(), signal.SIGUSR1)
"""


def test_return_from_signal():
    """The call to the kernel that ends it is the last of its function: behind that is no other."""
    if platform.machine() != "x86_64":
        pytest.skip("only x86-64 has such stacks")
    script = ('config = { unwind = "cfi" } tracepoint:syscalls:sys_enter_rt_sigreturn /pid == cpid/ '
              '{ @[folded(ustack)] = count(); }')
    with subprocess.Popen([SKEP, "trace", "-q", "-e", script, "-c",
                           f"/usr/bin/python3 -c '{RETURNING}'"],
                          text=True, stdout=subprocess.PIPE) as trace:
        out = trace.communicate(timeout=60)[0]
    stacks = [(stack, int(n)) for stack, n in re.findall(r"^@\[(.*)\]: (\d+)$", out, re.MULTILINE)]
    whole = sum(n for stack, n in stacks if "[broken" not in stack and "kill" in stack)
    assert sum(n for _, n in stacks) == 20000
    assert "not describe" not in out, stacks
    assert whole > 1000, stacks


THREADS = """
import threading
for _ in range(2000):
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
"""


def test_new_thread():
    """One that has not run yet begins where its clone3() returns, which nothing describes."""
    if platform.machine() != "x86_64":
        pytest.skip("only x86-64 has such stacks")
    script = ('config = { unwind = "cfi" } tracepoint:syscalls:sys_exit_clone3 '
              '/pid == cpid && args.ret == 0/ { @[folded(ustack)] = count(); }')
    done = subprocess.run([SKEP, "trace", "-q", "-e", script, "-c",
                           f"/usr/bin/python3 -c '{THREADS}'"],
                          text=True, capture_output=True, timeout=60, check=True)
    stacks = [(stack, int(n)) for stack, n in
              re.findall(r"^@\[(.*)\]: (\d+)$", done.stdout, re.MULTILINE)]
    assert sum(n for _, n in stacks) == 2000, done.stdout
    assert "not describe" not in done.stdout, stacks
    assert sum(n for stack, n in stacks if "[broken" not in stack) > 1000, stacks


WAYS = 10


def test_stacks_of_one_place():
    """Of a thousand stacks some thirty are of the same place in the kernel's map of 16,384."""
    script = (f'config = {{ unwind = "fp" }} uprobe:{PROGRAMS}/paths:leaf '
              '{ @[ustack(raw)] = count(); }')
    done = subprocess.run([SKEP, "trace", "-q", "-c", f"{PROGRAMS}/paths {WAYS}", "-e", script],
                          text=True, capture_output=True, timeout=60, check=True)
    lost = re.search(r"(\d+) stacks could not be taken", done.stderr)
    assert len(re.findall(r"^@\[.*?\]: 1$", done.stdout, re.MULTILINE | re.DOTALL)) >= 2 ** WAYS - 5
    assert not lost or int(lost[1]) < 5, done.stderr
