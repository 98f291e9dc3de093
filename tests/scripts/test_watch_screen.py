"""The screen of skep watch, in terminals of several sizes and kinds."""

import json
import os
import re
import signal
import subprocess
import termios
import time
from pathlib import Path

import pytest

pytest.importorskip("pyte")

from screen import Terminal
from watching import SKEP

TITLES = ["1 CPU", "2 Memory", "3 Disks", "4 Network", "5 Processes", "6 Syscalls"]


def watch(*options, **kwargs):
    return Terminal([SKEP, "watch", *options], **kwargs)


def has_data(terminal):
    """The first reading is on the screen."""
    return lambda: "events/s at" in terminal.line(0) and re.search(r"busy \d", terminal.text)


def quit_it(terminal):
    """It ends, and the terminal is as it was: its modes, its screen, its cursor, its colours."""
    terminal.press("q")
    assert terminal.wait_end() == 0
    assert termios.tcgetattr(terminal.fd) == terminal.before
    assert terminal.bytes.rstrip().endswith((b"\x1b[?1049l", b"\x1b>", b"t\r\x1b[?1l\x1b>")), \
        terminal.bytes[-80:]
    assert b"\x1b[?1049l" in terminal.bytes[-80:]


@pytest.mark.parametrize("columns,lines", [(80, 24), (120, 40), (200, 60), (300, 80)])
def test_all_panels_are_there(columns, lines):
    with watch(columns=columns, lines=lines) as terminal:
        terminal.wait_for(has_data(terminal))
        for title in TITLES:
            assert f" {title} " in terminal.text, terminal.text
        assert "q quit" in terminal.line(lines - 1)
        heads = ["PROCESS", "CPU"] + (["FUNCTION", "p99 WAIT"] if columns >= 120 else [])
        # functions are there once something was met on a CPU
        terminal.wait_for(lambda: all(head in terminal.text for head in heads))
        quit_it(terminal)


def test_columns_stand_below_their_headings():
    with watch(columns=80, lines=24) as terminal:
        terminal.wait_for(has_data(terminal))
        heading = next(line for line in terminal.screen.display if "PROCESS" in line and "CPU" in line)
        below = terminal.screen.display[terminal.screen.display.index(heading) + 1]
        end = heading.index(" CPU") + 4
        assert re.match(r"\d+\.\d%$", below[:end].split()[-1]), (heading, below)


@pytest.mark.parametrize("columns,lines", [(40, 24), (60, 10), (20, 6), (10, 3), (1, 1)])
def test_small_terminals(columns, lines):
    with watch(columns=columns, lines=lines) as terminal:
        terminal.read(2.5)
        if lines >= 6:
            assert "1 CPU" in terminal.text
        terminal.press("\t\t\t\t\n?sst")
        terminal.read(1.2)
        quit_it(terminal)


def test_a_new_size_while_it_runs():
    with watch(columns=80, lines=24) as terminal:
        terminal.wait_for(has_data(terminal))
        terminal.resize(200, 60)
        terminal.wait_for(lambda: "p g filter" in terminal.line(59))
        assert all(f" {title} " in terminal.text for title in TITLES)
        terminal.resize(80, 24)
        terminal.wait_for(lambda: "q quit" in terminal.line(23))
        assert all(f" {title} " in terminal.text for title in TITLES)
        quit_it(terminal)


def test_keys():
    with watch(columns=120, lines=40) as terminal:
        terminal.wait_for(has_data(terminal))
        terminal.press("2\n")
        terminal.wait_for(lambda: "2 Memory" in terminal.text and "1 CPU" not in terminal.text)
        assert "most page faults" in terminal.text
        terminal.press("s")
        terminal.wait_for("most page faults by PID")
        terminal.press("t")
        terminal.wait_for("waits until memory is freed")
        terminal.press("\n")
        terminal.wait_for(" 1 CPU ")
        terminal.press("?")
        terminal.wait_for("drill down: run the tool")
        terminal.press("?")
        terminal.wait_for(" 1 CPU ")
        terminal.press("+")
        terminal.wait_for("every 2.0 s")
        terminal.press("--")
        terminal.wait_for("every 0.5 s")
        quit_it(terminal)


def test_selecting():
    with watch(columns=120, lines=40) as terminal:
        terminal.wait_for(has_data(terminal))

        def is_selected(title):
            for y, line in enumerate(terminal.screen.display):
                if (x := line.find(f" {title} ")) >= 0:
                    return terminal.screen.buffer[y][x + 1].reverse
            return False

        for keys, title in (("", "1 CPU"), ("\t", "2 Memory"), ("\x1b[B", "4 Network"),
                            ("\x1bOB", "6 Syscalls"), ("\x1bOD", "5 Processes"),
                            ("\x1bOA", "3 Disks"), ("\x1b[Z", "2 Memory"), ("6", "6 Syscalls")):
            if keys == "\x1b[B":
                keys = "\x1bOB"
            terminal.press(keys)
            terminal.wait_for(lambda title=title: is_selected(title), 5)
        quit_it(terminal)


def test_filtering_by_name():
    burn = "open('/proc/self/comm', 'w').write('picked')\nwhile True: pass"
    with subprocess.Popen(["/usr/bin/python3", "-c", burn]) as burner:
        try:
            with watch(columns=120, lines=40) as terminal:
                terminal.wait_for(has_data(terminal))
                terminal.press("/pick\x7fked\n")
                terminal.wait_for("[name: picked]")
                terminal.wait_for(lambda: re.search(rf"{burner.pid} +picked", terminal.text))
                terminal.press("\n")
                terminal.wait_for("busiest processes")
                cpu = terminal.text.split("busiest processes")[1].splitlines()[2:4]
                assert "picked" in cpu[0] and "functions" in cpu[1], cpu
                terminal.press(f"p{burner.pid}\n")
                terminal.wait_for(f"[process: {burner.pid} picked]")
                terminal.press("p99999999\n")
                terminal.wait_for("there is no process 99999999")
                terminal.press("/\x1b")
                terminal.press("/\n")
                terminal.wait_for(lambda: "[" not in terminal.line(0))
                quit_it(terminal)
        finally:
            burner.kill()


SLEEPERS = """
import os, time
for i in range(30):
    if not os.fork():
        open('/proc/self/comm', 'w').write(f'scroll{i:02d}')
        while True: time.sleep(0.02)
while True: time.sleep(1)
"""


def test_scrolling_an_enlarged_panel():
    """All rows can be come by, once each page, and the first again."""
    with subprocess.Popen(["/usr/bin/python3", "-c", SLEEPERS], start_new_session=True) as sleepers:
        try:
            with watch("-n", "scroll", columns=80, lines=24) as terminal:
                def names():
                    return re.findall(r"\b(scroll\d\d)\b", terminal.text)

                terminal.press("\n")
                terminal.wait_for(lambda: names() and "busiest processes" in terminal.text)
                terminal.press(" ")
                terminal.wait_for("PAUSED")
                assert "[name: scroll]" in terminal.line(0)
                overview, seen = names()[:4], set()
                for first in (1, 15, 29):
                    terminal.press("\x1b[6~")
                    terminal.wait_for(f"busiest processes, from {first} of 30")
                    seen |= set(names())
                assert seen == {f"scroll{i:02d}" for i in range(30)}
                assert "wait for a CPU, us" not in terminal.text
                terminal.press("\x1b[6~")  # the end: no further
                terminal.press("\x1bOA")
                terminal.wait_for("from 29 of 30")
                terminal.press("\x1b[1~")
                terminal.wait_for("from 1 of 30")
                assert names()[:4] == overview
                terminal.press("\x1b[5~")
                terminal.wait_for("wait for a CPU, us")
                assert names()[:4] == overview
                quit_it(terminal)
        finally:
            os.killpg(sleepers.pid, signal.SIGKILL)


def test_pausing():
    with watch(columns=80, lines=24) as terminal:
        terminal.wait_for(has_data(terminal))
        terminal.press(" ")
        terminal.wait_for("PAUSED")
        stands = terminal.screen.display[3:]
        terminal.read(2.5)
        assert terminal.screen.display[3:] == stands
        terminal.press(" ")
        terminal.wait_for(lambda: terminal.screen.display[3:] != stands)
        quit_it(terminal)


def test_saving(tmp_path):
    with watch(columns=80, lines=24, cwd=tmp_path) as terminal:
        terminal.wait_for(has_data(terminal))
        terminal.press(" ")
        terminal.wait_for("PAUSED")
        shown = terminal.text.splitlines()
        terminal.press("w")
        terminal.wait_for("this screen is in skep-watch-")
        (saved,) = tmp_path.iterdir()
        lines = saved.read_text().splitlines()
        assert lines[3:23] == shown[3:23]
        quit_it(terminal)


def test_ctrl_z_and_back():
    """In a shell with job control, which shows its prompt between."""
    shell = ["/bin/bash", "--norc", "--noprofile", "-i"]
    with Terminal(shell, env={"PS1": "PROMPT>"}) as terminal:
        terminal.wait_for("PROMPT>")
        terminal.press(f"{SKEP} watch\n")
        terminal.wait_for(has_data(terminal))
        terminal.press("\x1a")
        terminal.wait_for(lambda: "Stopped" in terminal.text)
        terminal.press("echo in'-between'\n")
        terminal.wait_for("in-between")
        seen = len(terminal.bytes)
        terminal.press("fg\n")
        terminal.wait_for(lambda: b" Syscalls " in terminal.bytes[seen:])
        terminal.press("q")
        terminal.wait_for(lambda: terminal.bytes.endswith(b"PROMPT>"))
        assert b"\x1b[?1049l" in terminal.bytes[-200:]
        terminal.press("exit\n")
        terminal.wait_end()


def test_a_slow_reader():
    """Nobody reads for some seconds; then all is drawn, and keys still work."""
    with watch(columns=200, lines=60) as terminal:
        terminal.wait_for(has_data(terminal))
        for _ in range(40):
            terminal.press("\t\x0c")
        time.sleep(3)
        terminal.wait_for(has_data(terminal))
        terminal.press("?")
        terminal.wait_for("drill down: run the tool")
        quit_it(terminal)


@pytest.mark.parametrize("nr", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_leave_a_clean_terminal(nr):
    with watch() as terminal:
        terminal.wait_for(has_data(terminal))
        os.kill(terminal.pid, nr)
        assert terminal.wait_end() == 0
        assert b"\x1b[?1049l" in terminal.bytes[-80:]
        assert termios.tcgetattr(terminal.fd) == terminal.before


def test_without_colours_and_without_utf8():
    with watch(env={"NO_COLOR": "1", "LC_ALL": "C"}) as terminal:
        terminal.wait_for(has_data(terminal))
        assert terminal.bytes.isascii()
        assert not re.search(rb"\x1b\[[0-9;]*3[0-7]m", terminal.bytes)
        quit_it(terminal)
    with watch() as terminal:
        terminal.wait_for(has_data(terminal))
        assert re.search(rb"\x1b\[[0-9;]*3[0-7]m", terminal.bytes)
        # The background stays the terminal's own, whichever it is.
        assert not re.search(rb"\x1b\[[0-9;]*4[0-7]m", terminal.bytes)
        quit_it(terminal)


@pytest.mark.parametrize("term", ["vt100", "linux", "screen", "tmux-256color", "xterm"])
def test_terminals(term):
    with watch(term=term) as terminal:
        terminal.wait_for(lambda: " 6 Syscalls " in terminal.text)
        terminal.press("q")
        assert terminal.wait_end() == 0
        assert termios.tcgetattr(terminal.fd) == terminal.before


def test_an_unknown_terminal_gets_the_summary():
    with watch(term="no-such-terminal", columns=200, lines=150) as terminal:
        terminal.wait_for("Findings", 40)
        assert terminal.wait_end() == 0


def programs_of(pid):
    """The programs that a process holds, by their numbers in the kernel."""
    text = "".join(path.read_text() for path in Path(f"/proc/{pid}/fdinfo").iterdir())
    return set(map(int, re.findall(r"^prog_id:\s*(\d+)", text, re.M)))


def programs():
    listed = subprocess.run(["bpftool", "-j", "prog", "list"], capture_output=True, check=True)
    return {program["id"] for program in json.loads(listed.stdout)}


def test_nothing_is_left_after_kill_9():
    with watch() as terminal:
        terminal.wait_for(has_data(terminal))
        held = programs_of(terminal.pid)
        assert len(held) >= 10 and held <= programs()
        os.kill(terminal.pid, signal.SIGKILL)
        terminal.wait_end()
    deadline = time.monotonic() + 10
    while held & programs() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not held & programs()
    assert Path("/proc/sys/kernel/bpf_stats_enabled").read_text().strip() == "0"


def sees_true(terminal, says):
    """Whether the tool, which may not be attached yet, has seen a program start."""
    subprocess.run(["true"], check=True)
    shown = terminal.bytes.split(says)[-1]
    return b"PCOMM" in shown and b"true" in shown


def test_drilling_down_and_back():
    says = b"skep tool execsnoop: q or Ctrl-C comes back"
    with watch(columns=120, lines=40) as terminal:
        terminal.wait_for(has_data(terminal))
        for n, key in enumerate("q\x03", 1):
            terminal.press("5d")
            terminal.wait_for(lambda n=n: terminal.bytes.count(says) == n)
            terminal.wait_for(lambda: sees_true(terminal, says))
            terminal.press(key)
            terminal.wait_for(lambda: b"6 Syscalls" in terminal.bytes.split(says)[-1])
        quit_it(terminal)
