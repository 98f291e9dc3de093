"""ttysnoop: what is written to one terminal, and to no other."""

import os
import pty
import subprocess

from toolbox import Tool


def terminal():
    master, slave = pty.openpty()
    return master, slave, os.ttyname(slave)


def test_what_is_written_there():
    master, slave, name = terminal()
    other_master, other_slave, _ = terminal()
    try:
        with Tool("ttysnoop", "-C", name) as tool:
            os.write(slave, b"\x1b[1mthe hive\r\n")
            os.write(other_slave, b"elsewhere\n")
            subprocess.run(["sh", "-c", "echo out of sh"], stdout=slave, check=True)
            os.writev(slave, [b"first ", b"second ", b"third\n"])
    finally:
        for fd in (master, slave, other_master, other_slave):
            os.close(fd)
    assert tool.printed == "\x1b[1mthe hive\r\nout of sh\nfirst second third\n"


def test_by_its_other_name():
    master, slave, name = terminal()
    try:
        with Tool("ttysnoop", name) as tool:
            subprocess.run(["setsid", "--ctty", "sh", "-c", "echo by tty >/dev/tty"], stdin=slave,
                           check=True)
    finally:
        os.close(master)
        os.close(slave)
    assert tool.printed == "by tty\n"


def test_no_terminal():
    with Tool("ttysnoop", "/no/such/terminal", ends=True, status=2) as tool:
        tool.wait()
    assert "no device at /no/such/terminal" in tool.errors
