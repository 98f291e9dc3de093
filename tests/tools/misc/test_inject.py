"""inject: what it lets fail fails, nothing else does, and it says so.

Reads and writes are of a disk of the test's own, past the page cache: one request each.
"""

import errno
import os
import select

import pytest

from toolbox import Tool, needs

BLOCK = 4096


def outcome(action, *args):
    """0, or the number of its error."""
    try:
        action(*args)
    except OSError as error:
        return error.errno
    return 0


@pytest.fixture(name="bio")
def bio_mode(disk):
    needs("kprobe:should_fail_bio")
    yield disk


def inject(*args, **more):
    return Tool("inject", "--unsafe", *args, "-p", os.getpid(), **more)


def test_each_request(bio):
    with inject("bio") as tool:
        found = [outcome(bio.read, 0, BLOCK), outcome(bio.write, BLOCK, BLOCK)]
    assert found == [errno.EIO, errno.EIO]
    assert [(row["pid"], row["failed"]) for row in tool.rows] == 2 * [(os.getpid(), "bio")]
    assert sum(tool.maps["@failures"].values()) == 2
    assert outcome(bio.read, 0, BLOCK) == 0  # when it is over


def test_of_others_none(bio):
    with Tool("inject", "--unsafe", "bio", "-p", os.getppid()) as tool:
        found = outcome(bio.read, 0, BLOCK)
    assert found == 0 and tool.rows == []


def test_so_many(bio):
    with inject("bio", "-c", 2, ends=True) as tool:
        found = [outcome(bio.read, 0, BLOCK) for _ in range(2)]
        tool.wait()
    assert found == [errno.EIO, errno.EIO]
    assert len(tool.rows) == 2


def test_by_chance(bio):
    with inject("bio", "-P", 50, "-q") as tool:
        found = [outcome(bio.read, 0, BLOCK) for _ in range(64)]
    assert set(found) == {0, errno.EIO}
    assert tool.rows == []
    assert sum(tool.maps["@failures"].values()) == found.count(errno.EIO)


def tried(disk):
    """A read by preadv2() at two places, a write by pwritev()."""
    return [outcome(disk.read, 0, BLOCK), outcome(disk.read, BLOCK, BLOCK),
            outcome(disk.write, 0, BLOCK)]


@pytest.mark.parametrize("callers, expected", [
    (["blkdev_read_iter"], [errno.EIO, errno.EIO, 0]),
    (["blkdev_read_iter()", "__x64_sys_preadv2()"], [errno.EIO, errno.EIO, 0]),
    (["blkdev_read_iter", "__x64_sys_pread64"], [0, 0, 0]),
    (["__x64_sys_preadv2", "blkdev_read_iter"], [0, 0, 0]),
    (["blkdev_read_iter(struct kiocb *iocb) (iocb->ki_pos == 4096)"], [0, errno.EIO, 0])])
def test_within_functions(bio, callers, expected):
    needs("kprobe:blkdev_read_iter", "kprobe:__x64_sys_preadv2")
    with inject("bio", *callers) as tool:
        found = [tried(bio), tried(bio)]
    assert found == [expected, expected]
    assert len(tool.rows) == 2 * expected.count(errno.EIO)


def test_without_leave_nothing_is_done(bio):
    with Tool("inject", "bio", ends=True, status=2) as tool:
        pass
    assert "inject is unsafe: " in tool.errors and "--unsafe" in tool.errors
    assert outcome(bio.read, 0, BLOCK) == 0


def test_memory():
    needs("kprobe:should_failslab", "kprobe:__x64_sys_epoll_create1")
    with inject("kmalloc", "__x64_sys_epoll_create1") as tool:
        found = outcome(os.eventfd, 0), outcome(select.epoll)
    assert found == (0, errno.ENOMEM)
    assert {row["failed"] for row in tool.rows} == {"kmalloc"}
