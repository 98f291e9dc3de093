"""capable: the capabilities that a program is asked for, and the answers."""

import subprocess
import sys

from toolbox import Tool, needs, reason_against

CAP_SYS_CHROOT, CAP_SYS_NICE = 18, 23
PROGRAM = """
import os
open('/proc/self/comm', 'w').write('bees')
if %r:
    os.setgroups([])
    os.setresuid(65534, 65534, 65534)
for _ in range(3):
    try:
        os.chroot('/')
    except PermissionError:
        pass
"""


def rows_of(is_denied, *options, **how):
    if reason_against("tracepoint:capability:cap_capable"):
        needs("kretprobe:cap_capable")
    with Tool("capable", "-n", "bees", *options, **how) as tool:
        process = subprocess.Popen([sys.executable, "-c", PROGRAM % is_denied])
        process.wait()
    return tool, process.pid


def test_allowed():
    tool, pid = rows_of(False)
    rows = [row for row in tool.rows if row["cap"] == CAP_SYS_CHROOT]
    assert len(rows) == 3
    assert {(row["pid"], row["uid"], row["name"], row["ret"]) for row in rows} == {
        (pid, 0, "CAP_SYS_CHROOT", 0)}


def test_denied():
    tool, pid = rows_of(True, "-D", "-K", "-U", "-x")
    rows = [row for row in tool.rows if row["cap"] == CAP_SYS_CHROOT]
    assert len(rows) == 3
    assert {(row["tid"], row["uid"], row["ret"]) for row in rows} == {(pid, 65534, -1)}
    assert "chroot" in rows[0]["kstack"]
    assert {row["ret"] for row in tool.rows} == {-1}


def test_once_each_and_text():
    tool, pid = rows_of(False, "--unique", json=False)
    assert tool.text.split("\n")[0].split() == [
        "TIME", "UID", "PID", "COMM", "CAP", "NAME", "AUDIT", "RET"]
    rows = [row for row in tool.table if row["NAME"] == "CAP_SYS_CHROOT"]
    assert [row["PID"] for row in rows] == [str(pid)]
