"""killsnoop: who sends which signal to whom, and whether that worked."""

import errno
import os
import signal
import subprocess

from toolbox import Tool

ABSENT = 4194304 - 1


def kill_some(target):
    os.kill(target, 0)
    os.kill(target, signal.SIGTERM)
    try:
        os.kill(ABSENT, signal.SIGUSR1)
    except ProcessLookupError:
        pass


def rows_of(*options):
    target = subprocess.Popen(["sleep", "100"])
    with Tool("killsnoop", "-p", os.getpid(), *options) as tool:
        kill_some(target.pid)
        target.wait()
    return target.pid, [(row["sig"], row["tpid"], row["result"]) for row in tool.rows
                        if row["tpid"] != tool.process.pid]  # its own Ctrl-C


def test_signals():
    target, rows = rows_of()
    assert rows == [(0, target, 0), (signal.SIGTERM, target, 0),
                    (signal.SIGUSR1, ABSENT, -errno.ESRCH)]


def test_only_failed():
    _, rows = rows_of("-x")
    assert rows == [(signal.SIGUSR1, ABSENT, -errno.ESRCH)]


def test_only_a_signal_or_a_target():
    target, rows = rows_of("-s", "SIGTERM")
    assert rows == [(signal.SIGTERM, target, 0)]
    target, rows = rows_of("-s", "0")
    assert rows == [(0, target, 0)]
    _, rows = rows_of("-T", ABSENT)
    assert rows == [(signal.SIGUSR1, ABSENT, -errno.ESRCH)]


def test_text():
    with Tool("killsnoop", "-p", os.getpid(), json=False) as tool:
        os.kill(os.getpid(), 0)
    assert tool.text.split("\n")[0].split() == ["TIME", "PID", "COMM", "SIG", "TPID", "RESULT"]
    row = tool.table[0]
    assert row["TPID"] == row["PID"] == str(os.getpid())
    assert (row["SIG"], row["RESULT"]) == ("0", "0")
