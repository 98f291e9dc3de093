"""pidpersec: how many processes and threads are made, told apart."""

import subprocess
import threading

from toolbox import Tool


def test_processes_and_threads():
    with Tool("pidpersec", 2, 3, ends=True) as tool:
        for _ in range(40):
            subprocess.run(["true"], check=True)
        for _ in range(60):
            thread = threading.Thread(target=lambda: None)
            thread.start()
            thread.join()
        tool.wait()
    rows = tool.rows
    assert len(rows) == 3
    assert 2 * sum(row["processes"] for row in rows) >= 40
    assert 2 * sum(row["threads"] for row in rows) >= 60
    for row in rows:
        assert abs(row["pids_sec"] - row["processes"] - row["threads"]) < 0.11


def test_text():
    with Tool("pidpersec", 1, 1, json=False, ends=True) as tool:
        tool.wait()
    assert tool.text.split("\n")[0].split() == ["TIME", "PIDS/SEC", "PROCESSES", "THREADS"]
