"""execsnoop: every program that a workload starts, with its arguments and what came of it."""

import errno
import os
import subprocess

from toolbox import Tool


def of_this(tool):
    return [row for row in tool.rows if row["ppid"] == os.getpid()]


def test_arguments():
    with Tool("execsnoop", "-P", os.getpid()) as tool:
        echo = subprocess.Popen(["/bin/echo", "a bee", "", "hive"], stdout=subprocess.DEVNULL)
        echo.wait()
        subprocess.run(["true"], check=True)
    assert [(row["pcomm"], row["ret"], row["args"]) for row in tool.rows] == [
        ("echo", 0, "/bin/echo a bee  hive"), ("true", 0, "true")]
    assert tool.rows[0]["pid"] == echo.pid


def test_what_could_not_be_started(tmp_path):
    (tmp_path / "text").write_text("no program")
    with Tool("execsnoop", "-x", "-U", "-P", os.getpid()) as tool:
        for name in ("absent", "text"):
            try:
                subprocess.run([tmp_path / name, "an argument"], check=False)
            except OSError:
                pass
    rows = [(row["ret"], row["args"]) for row in of_this(tool)]
    assert (-errno.ENOENT, f"{tmp_path}/absent an argument") in rows
    assert (-errno.EACCES, f"{tmp_path}/text an argument") in rows
    assert {row["uid"] for row in tool.rows} == {os.getuid()}


def test_only_some_arguments():
    with Tool("execsnoop", "-l", "needle", "--max-args=2", "-P", os.getpid()) as tool:
        subprocess.run(["true", "needle", "x", "y"], check=True)
        subprocess.run(["true", "x", "needle"], check=True)
    assert [row["args"] for row in tool.rows] == ["true needle ..."]


def test_only_a_name():
    with Tool("execsnoop", "-n", "head", "-P", os.getpid()) as tool:
        subprocess.run(["head", "/dev/null"], check=True)
        subprocess.run(["tail", "/dev/null"], check=True)
    assert [row["args"] for row in tool.rows] == ["head /dev/null"]


def test_text():
    with Tool("execsnoop", "-Tt", "-P", os.getpid(), json=False) as tool:
        subprocess.run(["true", "a", "b"], check=True)
    assert tool.text.split("\n")[0].split() == [
        "TIME", "TIME(s)", "PCOMM", "PID", "PPID", "RET", "ARGS"]
    row, = tool.table
    assert row["ARGS"] == "true a b"
    assert row["PPID"] == str(os.getpid())
