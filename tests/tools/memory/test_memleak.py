"""memleak: memory that is out, to the byte, by the function that took it."""

import itertools
import os
import subprocess

import pytest

from toolbox import Tool, compile_c, needs, started, until_done

PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
void *volatile kept;
__attribute__((noinline)) void *leak(size_t n) { void *p = malloc(n); kept = p; return p; }
__attribute__((noinline)) void *leak_zeroed(size_t n) { void *p = calloc(2, n); kept = p; return p; }
__attribute__((noinline)) void *leak_again(void *p, size_t n) { p = realloc(p, n); kept = p; return p; }
__attribute__((noinline)) void *leak_aligned(size_t n)
{
	void *p = NULL;
	posix_memalign(&p, 64, n);
	kept = p;
	return p;
}
__attribute__((noinline)) void *leak_mapped(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	kept = p;
	return p;
}
int main(void)
{
	getchar();
	for (int i = 0; i < 7; i++)
		leak(1000);
	for (int i = 0; i < 3; i++)
		leak_zeroed(500);
	for (int i = 0; i < 50; i++)
		free(leak(333));
	leak_again(leak(16), 20000);
	leak_aligned(3000);
	leak_mapped(8192);
	munmap(leak_mapped(4096), 4096);
	puts("done");
	fflush(stdout);
	getchar();
	return 0;
}
"""
WANTED = {"leak": (7000, 7), "leak_zeroed": (3000, 3), "leak_again": (20000, 1),
          "leak_aligned": (3000, 1), "leak_mapped": (8192, 1)}


@pytest.fixture(name="run")
def running(tmp_path):
    needs("uretprobe:libc:malloc")
    with started(compile_c(tmp_path, "leaky", PROGRAM)) as process:
        yield process


def by_function(tool):
    """Bytes and pieces by the function on top of the stack."""
    found = {}
    for row in tool.rows:
        if "stack" not in row:
            continue
        top = row["stack"].split()[0].split("+")[0]
        size, pieces = found.get(top, (0, 0))
        found[top] = (size + row["bytes"], pieces + row["pieces"])
    return found


def test_what_is_left(run):
    with Tool("memleak", "-p", run.pid, "-o", 0, "-T", 0, 600) as tool:
        until_done(run)
    found = by_function(tool)
    assert {name: found.get(name) for name in WANTED} == WANTED
    sizes = [row["bytes"] for row in tool.rows]
    assert sizes == sorted(sizes, reverse=True)


def test_sizes_and_pieces(run):
    with Tool("memleak", "-p", run.pid, "-o", 0, "-z", 1000, "-Z", 3000, "-a", 600) as tool:
        until_done(run)
    found = by_function(tool)
    assert found["leak"] == (7000, 7)
    assert "leak_again" not in found and "leak_mapped" not in found
    pieces = [row for row in tool.rows if "address" in row]
    assert len([row for row in pieces if row["bytes"] == 1000]) == 10
    assert len({row["address"] for row in pieces}) == len(pieces)


def test_what_is_young_is_not_shown(run):
    with Tool("memleak", "-p", run.pid, "-o", 600000, 600) as tool:
        until_done(run)
    assert tool.rows == []


def test_of_the_kernel():
    pipes = []
    with Tool("memleak", "-T", 5, "-o", 0, 1, 1, json=False, ends=True) as tool:
        pipes += [os.pipe() for _ in range(200)]
        tool.wait()
    for end in itertools.chain(*pipes):
        os.close(end)
    assert tool.text.split("\n")[0].split() == ["BYTES", "PIECES"]
    assert "entry_SYSCALL_64" in tool.text or "exc_page_fault" in tool.text


def test_each_call(run):
    with Tool("memleak", "-p", run.pid, "-t", "-z", 333, "-Z", 333, 600) as tool:
        until_done(run)
    assert tool.printed.count("takes 333 bytes") == 50
    assert tool.printed.count("gives back") == 50
