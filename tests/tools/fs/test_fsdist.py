"""fsdist: as many operations as were made, of the type of file system that is asked for."""

import contextlib
import ctypes
import os
import signal
import subprocess

import pytest
from io_uring import FSYNC, READ, WRITE, Ring
from toolbox import Tool, hist_count

FILE_OF_TYPE = {"sysfs": "/sys/kernel/uevent_seqnum", "proc": "/proc/uptime"}


def type_of(path):
    return subprocess.run(["findmnt", "-n", "-o", "FSTYPE", "-T", path], capture_output=True,
                          text=True, check=True).stdout.split()[-1]


def work(path):
    fd = os.open(path / "file", os.O_RDWR | os.O_CREAT, 0o600)
    for _ in range(7):
        os.write(fd, b"x")
    os.writev(fd, [b"x", b"y"])
    os.pwrite(fd, b"x", 0)
    for _ in range(3):
        os.pread(fd, 1, 0)
    os.preadv(fd, [bytearray(1)], 0)
    os.fsync(fd)
    os.fdatasync(fd)
    os.fstat(fd)
    os.close(fd)
    os.listdir(path)


class Worker:
    """A process that does @work each time it is asked to, and reads nothing else meanwhile, as the
    one of the tests does that waits for a tool."""

    def __init__(self, work):
        asked, self.ask_fd = os.pipe()
        self.done_fd, done = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            with contextlib.suppress(BaseException):
                while os.read(asked, 1):
                    work()
                    os.write(done, b"x")
            os._exit(1)
        os.close(asked)
        os.close(done)

    def do(self):
        os.write(self.ask_fd, b"x")
        assert os.read(self.done_fd, 1), "the work has failed"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.ask_fd)
        os.close(self.done_fd)


def counts(tool, name="@usecs"):
    return {kind: hist_count(buckets) for kind, buckets in tool.maps[name].items()}


def test_every_operation(tmp_path):
    work(tmp_path)  # once, so that nothing is imported later
    with Tool("fsdist", "--type", type_of(tmp_path), "-p", os.getpid()) as tool:
        work(tmp_path)
    found = counts(tool)
    assert (found["write"], found["read"], found["fsync"]) == (9, 4, 2)
    assert found["open"] == 2  # the file and its folder
    assert found["stat"] == 2  # opendir() asks, too
    assert found["readdir"] == 2  # all, and the end


def test_only_of_that_type(tmp_path):
    def read_all():
        for path in FILE_OF_TYPE.values():
            for _ in range(5):
                with open(path, "rb", buffering=0) as file:
                    file.read(100)

    def read_and_work():
        read_all()
        work(tmp_path)

    with Worker(read_and_work) as worker:
        worker.do()  # once, so that nothing is imported later
        check_types(worker)


def check_types(worker):
    for name in FILE_OF_TYPE:
        with Tool("fsdist", "-m", "-t", name, "-p", worker.pid) as tool:
            worker.do()
        found = counts(tool, "@msecs")
        assert found["open"] == found["read"] == 5
        assert "write" not in found and "fsync" not in found


def test_alias_and_text():
    with Tool("xfsdist", "-T", "-p", os.getpid(), 1, 1, json=False, ends=True) as tool:
        pass
    assert "@usecs" not in tool.text
    assert tool.text.count(":") == 2  # the time of the one interval


def test_io_uring(tmp_path):
    ring = Ring()
    if not ring.works:
        pytest.skip("needs io_uring")
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT, 0o600)
    buffer = ctypes.create_string_buffer(1000)
    with Tool("fsdist", "-t", type_of(tmp_path), "-p", os.getpid()) as tool:
        with Tool("fsslower", "-p", os.getpid(), 0) as slower:
            assert [ring.run(WRITE, fd, buffer, 1000, 0) for _ in range(5)] == [1000] * 5
            assert [ring.run(READ, fd, buffer, 500, 0) for _ in range(3)] == [500] * 3
            assert ring.run(FSYNC, fd, None, 0, 0) == 0
    os.close(fd)
    found = counts(tool)
    assert (found["write"], found["read"], found["fsync"]) == (5, 3, 1)
    assert [(row["t"], row["bytes"]) for row in slower.rows if row["filename"] == "file"] == [
        *[("W", 1000)] * 5, *[("R", 500)] * 3, ("F", 0)]
