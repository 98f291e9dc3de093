"""reset-trace: in an instance of tracefs that is the test's own, and with probes that nobody has
enabled. All of tracefs is only reset where it is the test's: in a kernel of its own."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from toolbox import SKEP, TOP

ROOT = Path("/sys/kernel/tracing")
NAME = f"skep-test-{os.getpid()}"
UPROBES = ROOT / "uprobe_events"


def reset_trace(*args, status=0):
    """The rows as (file, done, said), and what was said beside them."""
    done = subprocess.run([SKEP, "tool", TOP / "tools/misc/reset-trace.bt", "--json", *args],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    rows = [json.loads(line)["data"] for line in done.stdout.splitlines()]
    return [(row["file"], row["done"], row["said"]) for row in rows], done.stderr


@pytest.fixture(name="instance")
def own_instance():
    folder = ROOT / "instances" / NAME
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"needs an instance of tracefs: {error}")
    try:
        (folder / "tracing_on").write_text("0")
        (folder / "set_event_pid").write_text("1")
        (folder / "events/sched/sched_process_exit/enable").write_text("1")
        yield folder
    finally:
        (folder / "events/enable").write_text("0")
        folder.rmdir()


MINE = {("set_event", "sched:sched_process_exit"), ("tracing_on", "0"), ("set_event_pid", "1")}


def state(folder):
    return [(folder / name).read_text().strip()
            for name in ("tracing_on", "set_event_pid", "set_event")]


def told(rows, done):
    return {(file, said) for file, how, said in rows if how == done}


def test_nothing_is_reset_unasked(instance):
    rows, said = reset_trace("-i", NAME)
    assert told(rows, "left") == MINE
    assert "note B0039: left as found: 3" in said and "-F resets them" in said
    assert state(instance) == ["0", "1", "sched:sched_process_exit"]


def test_all_is_reset_when_asked(instance):
    rows, said = reset_trace("-i", NAME, "-F")
    assert told(rows, "reset") == MINE and said == ""
    assert state(instance) == ["1", "", ""]
    assert [row for row in reset_trace("-i", NAME)[0] if row[1] != "unread"] == []


def test_at_rest_and_in_silence(instance):
    assert reset_trace("-i", NAME, "-F", "-q") == ([], "")
    assert state(instance) == ["1", "", ""]
    assert ("tracing_on", "at rest", "1") in reset_trace("-i", NAME, "-v")[0]


def test_text(instance):
    done = subprocess.run([SKEP, "tool", "reset-trace", "-i", NAME], check=True,
                          capture_output=True, text=True)
    heading, *lines = done.stdout.splitlines()
    assert heading.split() == ["FILE", "DONE", "SAID"]
    assert ["set_event_pid", "left", "1"] in [line.split() for line in lines]


def gone():
    """The number of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
        return process.pid


def command(text):
    """One more for the file, whose end cannot be sought."""
    fd = os.open(UPROBES, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


@pytest.fixture(name="probe")
def own_probe():
    """Makes a probe of that name, which nobody enables."""
    made = []

    def make(name):
        command(f"p:skeptest/{name} /bin/true:0x2000\n")
        made.append(name)

    if not UPROBES.exists():
        pytest.skip("needs uprobes in tracefs")
    yield make
    for name in made:
        if f"skeptest/{name} " in UPROBES.read_text():
            command(f"-:skeptest/{name}\n")


@pytest.mark.parametrize("name", ["p_true_0x2000_bcc_{}", "libbpf_{}_true_0x2000_0"])
def test_probes_of_dead_tracers(probe, name):
    dead, alive, nobodys = name.format(gone()), name.format(os.getpid()), "bcc_of_old"
    for one in (dead, alive, nobodys):
        probe(one)
    rows, _ = reset_trace()
    mine = {said.split()[0].partition("/")[2]: done for file, done, said in rows
            if file == "uprobe_events" and "skeptest" in said}
    assert mine == {dead: "removed", alive: "left", nobodys: "left"}
    left = UPROBES.read_text()
    assert dead not in left and alive in left and nobodys in left


@pytest.mark.parametrize("name", ["nosuch", "..", "a/b", ""])
def test_an_instance_that_is_none(name):
    assert "there is no such instance" in reset_trace("-i", name, status=1)[1]


def test_all_of_tracefs(probe):
    """Not on a machine where others trace."""
    if not Path("/run/skep/command").exists():
        pytest.skip("only in a kernel of the test's own")
    probe("of_somebody")
    (ROOT / "tracing_on").write_text("0")
    (ROOT / "events/sched/sched_process_exit/enable").write_text("1")
    rows, _ = reset_trace("-F")
    done = {(file, how) for file, how, _ in rows}
    assert {("set_event", "reset"), ("uprobe_events", "removed"), ("tracing_on", "reset")} <= done
    assert "of_somebody" not in UPROBES.read_text()
    assert (ROOT / "tracing_on").read_text() == "1\n"
    assert [row for row in reset_trace()[0] if row[1] not in ("unread", "at rest")] == []
