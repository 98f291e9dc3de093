"""tplist: what the kernel and ELF files have, as they say themselves."""

import contextlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from toolbox import SKEP, TOP

PROGRAM = SKEP.parent / "tests" / "programs" / "usdt"
PROBES = ["skep_test:done", "skep_test:many", "skep_test:round"]


def tplist(*args, status=0):
    done = subprocess.run([SKEP, "tool", TOP / "tools/misc/tplist.bt", *map(str, args)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return done.stderr if status else done.stdout


def rows(*args):
    return [json.loads(line)["data"] for line in tplist("--json", *args).splitlines()]


def events(pattern):
    """As tracefs has them."""
    root = Path("/sys/kernel/tracing/events")
    return sorted(":".join(path.parts[-3:-1]) for path in root.glob(f"{pattern}/format"))


def test_tracepoints_of_a_category():
    assert sorted(tplist("sched:*").splitlines()) == events("sched/*")
    assert sorted(row["name"] for row in rows("*:sched_sw*")) == events("*/sched_sw*")


def test_all_tracepoints():
    # What ftrace writes itself cannot be traced.
    assert sorted(tplist().splitlines()) == [name for name in events("*/*")
                                             if not name.startswith("ftrace:")]


def test_arguments():
    lines = tplist("-v", "sched:sched_process_exit").splitlines()
    assert lines[0] == "sched:sched_process_exit"
    assert "    pid_t pid" in lines and "    char comm[16]" in lines
    row, = rows("-v", "sched:sched_process_exit")
    assert row["arguments"] == [line.strip() for line in lines[1:]]


def test_probes_of_a_program():
    assert tplist("-l", PROGRAM).splitlines() == [f"{PROGRAM} {name}" for name in PROBES]
    assert [row["name"] for row in rows("-l", PROGRAM, "skep_test:*n*")] == PROBES[:2] + PROBES[2:]
    assert tplist("-v", "-l", PROGRAM, "*:round") == \
        f"{PROGRAM} skep_test:round\n    int32 arg0\n    uint64 arg1\n"


@contextlib.contextmanager
def held(*command):
    """The command, which cannot end, as nobody takes what it prints."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    os.set_blocking(writer, True)
    with subprocess.Popen(command, stdout=writer) as process:
        try:
            yield process
        finally:
            process.kill()
    os.close(reader)
    os.close(writer)


def test_probes_of_a_process():
    with held(PROGRAM) as process:
        found = rows("-p", process.pid, "skep_test:*")
    assert [(row["file"], row["name"]) for row in found] == [(str(PROGRAM), name) for name in PROBES]


@pytest.mark.parametrize("args, status, said", [
    (["no_such:thing"], 1, "nothing matches"),
    (["-l", "nolibraryhere"], 1, "no program or library nolibraryhere"),
    (["-p", "bees"], 2, "takes the number of a process, not bees"),
    (["a:b", "c:d"], 2, "has no use for c:d")])
def test_what_is_wrong(args, status, said):
    assert said in tplist(*args, status=status)
