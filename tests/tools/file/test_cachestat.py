"""cachestat, cachetop and readahead: the pages of a file that is read, twice; of one that is
written; of one that is read ahead and not used. On newer kernels one folio may be several pages."""

import os
import re

import pytest
from toolbox import Tool, hist_count, needs

PAGE = os.sysconf("SC_PAGESIZE")
PAGES = 64
HAS_LARGE_FOLIOS = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) >= (6, 16)


@pytest.fixture
def cold(folder):
    """A file of 64 pages, of which none is in memory."""
    needs("fentry:folio_mark_accessed")
    path = folder / "cold"
    path.write_bytes(bytes(PAGES * PAGE))
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    yield fd
    os.close(fd)


def read_all(fd):
    for i in range(PAGES):
        assert len(os.pread(fd, PAGE, i * PAGE)) == PAGE


def is_all(count):
    return 0 < count <= PAGES if HAS_LARGE_FOLIOS else count == PAGES


def test_misses_then_hits(cold):
    for times, column in ((1, "misses"), (2, "hits")):
        with Tool("cachestat", 1000, "-p", os.getpid()) as tool:
            read_all(cold)
        row, = tool.rows
        assert is_all(row[column])
        assert row["misses" if times == 2 else "hits"] == 0
        assert row["hitratio"] == (0 if times == 1 else 100)


def test_new_pages_are_no_misses(folder, cold):
    fd = os.open(folder / "new", os.O_WRONLY | os.O_CREAT, 0o600)
    with Tool("cachestat", 1000, "-T", "-p", os.getpid()) as tool:
        for _ in range(PAGES):
            os.write(fd, bytes(PAGE))
    os.close(fd)
    row, = tool.rows
    assert row["dirties"] >= (1 if HAS_LARGE_FOLIOS else PAGES)
    assert row["misses"] <= 8  # of the file system's own, which say where the file is


def test_intervals_and_text(cold):
    with Tool("cachestat", 1, 2, json=False, ends=True) as tool:
        pass
    lines = tool.text.splitlines()
    assert lines[0].split() == ["HITS", "MISSES", "DIRTIES", "HITRATIO"]
    assert len(lines) == 4  # two intervals and the end


def test_cachetop(cold):
    with Tool("cachetop", 1000, "-p", os.getpid()) as tool:
        read_all(cold)
        read_all(cold)
    row, = tool.rows
    assert row["pid"] == os.getpid()
    assert is_all(row["misses"])
    assert row["accesses"] == 2 * PAGES or HAS_LARGE_FOLIOS
    with Tool("cachetop", "-C", 1000, "-p", os.getpid(), json=False) as tool:
        read_all(cold)
    assert tool.text.splitlines()[0].split() == [
        "PID", "UID", "CMD", "ACCESSES", "MISSES", "DIRTIES"]


def test_readahead_used(cold):
    with Tool("readahead") as tool:
        read_all(cold)
    row, = tool.rows
    least = 1 if HAS_LARGE_FOLIOS else PAGES
    assert row["read"] >= row["used"] >= least
    assert hist_count(tool.maps["@msecs"]) == row["used"]


def test_readahead_for_nothing(cold):
    with Tool("readahead") as tool:
        os.posix_fadvise(cold, 0, 0, os.POSIX_FADV_WILLNEED)
        os.pread(cold, 1, (PAGES - 1) * PAGE)  # it is there then
        os.posix_fadvise(cold, 0, 0, os.POSIX_FADV_DONTNEED)
    row, = tool.rows
    assert row["thrown_out"] >= (1 if HAS_LARGE_FOLIOS else PAGES - 1)


def test_readahead_ends_by_itself(cold):
    with Tool("readahead", "-d", 1, json=False, ends=True) as tool:
        pass
    assert tool.text.splitlines()[0].split() == ["READ", "USED", "THROWN_OUT", "UNUSED"]
