"""exitsnoop: what processes end with, and how old they became."""

import os
import signal
import subprocess
import sys

from toolbox import Tool


def row_of(tool, pid):
    return [row for row in tool.rows if row["pid"] == pid]


def test_status_signal_and_age():
    with Tool("exitsnoop") as tool:
        fine = subprocess.Popen(["sleep", "0.5"])
        bad = subprocess.Popen(["sh", "-c", "exit 7"])
        killed = subprocess.Popen(["sleep", "100"])
        killed.send_signal(signal.SIGKILL)
        for process in (fine, bad, killed):
            process.wait()
    row, = row_of(tool, fine.pid)
    assert (row["pcomm"], row["ppid"], row["exit_code"], row["signal"]) == (
        "sleep", os.getpid(), 0, "")
    assert 0.5 <= row["age_s"] < 5
    row, = row_of(tool, bad.pid)
    assert (row["exit_code"], row["signal"], row["core"]) == (7, "", "no")
    row, = row_of(tool, killed.pid)
    assert (row["exit_code"], row["signal"]) == (0, signal.strsignal(signal.SIGKILL))


def test_only_what_failed():
    with Tool("exitsnoop", "-x", "--label=hive", "-n", "sh") as tool:
        fine = subprocess.Popen(["sh", "-c", "exit 0"])
        bad = subprocess.Popen(["sh", "-c", "exit 1"])
        fine.wait()
        bad.wait()
    assert not row_of(tool, fine.pid)
    row, = row_of(tool, bad.pid)
    assert row["label"] == "hive"


THREADS = """
import os, threading
threads = [threading.Thread(target=lambda: None) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
os._exit(3)
"""


def test_a_process_with_threads_ends_once():
    with Tool("exitsnoop") as tool:
        process = subprocess.Popen([sys.executable, "-c", THREADS])
        process.wait()
    row, = row_of(tool, process.pid)
    assert row["exit_code"] == 3


def test_threads():
    with Tool("exitsnoop", "--per-thread") as tool:
        process = subprocess.Popen([sys.executable, "-c", THREADS])
        process.wait()
    rows = row_of(tool, process.pid)
    assert len({row["tid"] for row in rows}) == len(rows) == 4


def test_the_first_thread_may_end_first():
    program = """
import ctypes, os, threading, time
def work():
    time.sleep(0.3)
    os._exit(5)
threading.Thread(target=work, daemon=True).start()
ctypes.CDLL(None).syscall(60, 9)
"""
    with Tool("exitsnoop") as tool:
        process = subprocess.Popen([sys.executable, "-c", program])
        process.wait()
    row, = row_of(tool, process.pid)
    assert row["exit_code"] == process.returncode == 5
    assert row["tid"] != process.pid


def test_text():
    with Tool("exitsnoop", "-t", json=False) as tool:
        process = subprocess.Popen(["true"])
        process.wait()
    assert tool.text.split("\n")[0].split() == [
        "TIME", "PCOMM", "PID", "PPID", "TID", "AGE(s)", "EXIT_CODE", "CORE", "SIGNAL"]
    assert str(process.pid) in {row["PID"] for row in tool.table}
