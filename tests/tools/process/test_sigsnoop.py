"""sigsnoop: signals of processes and of the kernel, and what becomes of them."""

import os
import signal
import subprocess

from toolbox import Tool

ABSENT = 4194304 - 1


def test_delivered_ignored_and_pending():
    ignoring = subprocess.Popen(["sh", "-c", "trap '' USR1; echo; exec sleep 100"],
                                stdout=subprocess.PIPE)
    ignoring.stdout.readline()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    try:
        with Tool("sigsnoop", "-p", os.getpid()) as tool:
            os.kill(ignoring.pid, signal.SIGUSR1)
            os.kill(os.getpid(), signal.SIGUSR2)
            os.kill(os.getpid(), signal.SIGUSR2)
            os.kill(ignoring.pid, signal.SIGKILL)
            ignoring.wait()
    finally:
        signal.sigtimedwait([signal.SIGUSR2], 1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR2])
        ignoring.stdout.close()
    rows = [(row["sig"], row["tpid"], row["result"]) for row in tool.rows
            if row["sig"] != signal.SIGCHLD]
    assert rows[:4] == [(signal.SIGUSR1, ignoring.pid, "ignored"),
                        (signal.SIGUSR2, os.getpid(), "delivered"),
                        (signal.SIGUSR2, os.getpid(), "pending"),
                        (signal.SIGKILL, ignoring.pid, "delivered")]


def test_a_crash_by_name():
    with Tool("sigsnoop", "-n", "-s", "SIGSEGV") as tool:
        crashing = subprocess.Popen(["sh", "-c", "kill -SEGV $$"])
        crashing.wait()
    row, = (row for row in tool.rows if row["tpid"] == crashing.pid)
    assert row["name"] == signal.strsignal(signal.SIGSEGV)
    assert row["sig"] == signal.SIGSEGV


def test_calls_that_failed():
    with Tool("sigsnoop", "-k", "-x", "-p", os.getpid()) as tool:
        os.kill(os.getpid(), 0)
        try:
            os.kill(ABSENT, signal.SIGTERM)
        except ProcessLookupError:
            pass
    row, = tool.rows
    assert (row["sig"], row["tpid"], row["result"]) == (signal.SIGTERM, ABSENT, -3)


def test_text():
    with Tool("sigsnoop", "-k", "-T", os.getpid(), json=False) as tool:
        os.kill(os.getpid(), 0)
    assert tool.text.split("\n")[0].split() == ["TIME", "PID", "COMM", "SIG", "TPID", "RESULT"]
    assert [row["RESULT"] for row in tool.table] == ["0"]
