"""A terminal of a given size with a program in it, its keyboard, and what stands on its screen.

pyte knows neither xterm's repeated characters nor its second screen, so the terminal is one
that is not said to have the former. What it does not know of scrolling is below."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

import pyte


class Screen(pyte.Screen):
    def scroll(self, n, edge, step):
        margins, y = self.margins, self.cursor.y
        self.cursor.y = (margins or (0, self.lines - 1))[edge]
        for _ in range(n or 1):
            step()
        self.cursor.y = y

    def scroll_up(self, n=1):
        self.scroll(n, 1, self.index)

    def scroll_down(self, n=1):
        self.scroll(n, 0, self.reverse_index)


class Stream(pyte.ByteStream):
    csi = pyte.ByteStream.csi | {"S": "scroll_up", "T": "scroll_down"}
    events = pyte.ByteStream.events | {"scroll_up", "scroll_down"}


class Terminal:
    """The program runs when this is entered; it is ended, if it has not, when it is left."""

    def __init__(self, command, columns=80, lines=24, term="screen-256color", env=None, cwd=None):
        self.command, self.term, self.cwd = command, term, cwd
        self.env = {"LANG": "C.UTF-8"} | (env or {})
        self.screen = Screen(columns, lines)
        self.stream = Stream(self.screen)
        self.bytes = b""
        self.size = (columns, lines)
        self.status = None

    def __enter__(self):
        ready, go = os.pipe()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.read(ready, 1)  # the size is set first
            if self.cwd:
                os.chdir(self.cwd)
            os.environ.pop("NO_COLOR", None)
            os.execve(self.command[0], self.command, os.environ | {"TERM": self.term} | self.env)
        self.resize(*self.size, signalled=False)
        self.before = termios.tcgetattr(self.fd)
        os.write(go, b"x")
        os.close(ready)
        os.close(go)
        return self

    def __exit__(self, *_):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def resize(self, columns, lines, signalled=True):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        if signalled:
            self.screen.resize(lines, columns)

    def read(self, seconds):
        """What comes in this time. What pyte does not know is left out: window operations."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.fd], [], [], left)[0]:
                break
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                return  # nobody has the other side any more
            if not data:
                return
            self.bytes += data
            self.stream.feed(re.sub(rb"\x1b\[[0-9;]*t", b"", data))

    @property
    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.display)

    def line(self, number):
        return self.screen.display[number].rstrip()

    def wait_for(self, wanted, seconds=20):
        """Until it is on the screen: a text, or what says so of the screen."""
        is_there = wanted if callable(wanted) else lambda: wanted in self.text
        end = time.monotonic() + seconds
        while not is_there():
            assert time.monotonic() < end, f"{wanted} is not there:\n{self.text}"
            self.read(0.2)
            time.sleep(0.01)

    def press(self, keys):
        os.write(self.fd, keys.encode() if isinstance(keys, str) else keys)

    def wait_end(self, seconds=20):
        """Its exit status."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(0.1)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
                self.read(0.2)
                return os.waitstatus_to_exitcode(status)
        raise AssertionError(f"it does not end:\n{self.text}")
