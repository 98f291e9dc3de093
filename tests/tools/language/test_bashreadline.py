"""bashreadline: what is typed into a bash of the test's own, on a terminal of its own."""

import os
import pty
import subprocess

import pytest
from toolbox import Tool


def type_into_bash(*lines):
    """Return the shell's process."""
    if subprocess.run("nm -D /bin/bash | grep -q ' T readline$'", shell=True,
                      check=False).returncode:
        pytest.skip("/bin/bash takes readline() from a library")
    master, slave = pty.openpty()
    environment = os.environ | {"PS1": "prompt> ", "HISTFILE": "/dev/null", "TERM": "dumb"}
    with subprocess.Popen(["/bin/bash", "--norc", "--noprofile", "-i"], stdin=slave, stdout=slave,
                          stderr=slave, env=environment, start_new_session=True) as shell:
        os.close(slave)
        for line in [*lines, "exit"]:
            read_until(master, b"prompt> ")
            os.write(master, line.encode() + b"\n")
        shell.wait(20)
    os.close(master)
    return shell


def read_until(fd, wanted):
    seen = b""
    while wanted not in seen:
        seen += os.read(fd, 1000)


def test_lines_as_typed():
    with Tool("bashreadline") as tool:
        shell = type_into_bash("echo one", "no-such-command  two", "")
    ours = [row["command"] for row in tool.rows if row["pid"] == shell.pid]
    assert ours == ["echo one", "no-such-command  two", "", "exit"]


def test_another_process_and_text():
    with Tool("bashreadline", "-p", os.getpid(), json=False) as other, \
            Tool("bashreadline", "/bin/bash", json=False) as tool:
        shell = type_into_bash("echo one")
    assert str(shell.pid) not in other.text
    assert tool.text.splitlines()[0].split() == ["TIME", "PID", "COMMAND"]
    assert ["echo one", "exit"] == [row["COMMAND"] for row in tool.table
                                    if row["PID"] == str(shell.pid)]
