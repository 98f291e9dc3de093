"""deadlock: mutexes that two threads take in different orders, and no others."""

import pytest

from toolbox import Tool, compile_c, needs, started, until_done

PROGRAM = r"""
#include <pthread.h>
#include <stdio.h>
pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t c = PTHREAD_MUTEX_INITIALIZER;
static int both(pthread_mutex_t *x, pthread_mutex_t *y)
{
	pthread_mutex_lock(x);
	pthread_mutex_lock(y);
	pthread_mutex_unlock(x); /* not in the order of a stack */
	return pthread_mutex_unlock(y);
}
__attribute__((noinline)) int take_ab(void) { return both(&a, &b) + 1; }
__attribute__((noinline)) int take_ba(void) { return both(&b, &a) + 1; }
__attribute__((noinline)) int take_bc(void) { return both(&b, &c) + 1; }
__attribute__((noinline)) int take_cb(void) { return both(&c, &b) + 1; }
void *one(void *x) { take_ab(); take_bc(); take_cb(); return x; }
void *two(void *x) { take_ba(); return x; }
int main(void)
{
	pthread_t thread;
	printf("%p %p\n", (void *)&a, (void *)&b);
	fflush(stdout);
	getchar();
	pthread_create(&thread, NULL, one, NULL);
	pthread_join(thread, NULL);
	pthread_create(&thread, NULL, two, NULL);
	pthread_join(thread, NULL);
	puts("done");
	fflush(stdout);
	getchar();
	return 0;
}
"""


@pytest.fixture(name="run")
def running(tmp_path):
    needs("uprobe:libc:pthread_mutex_lock")
    with started(compile_c(tmp_path, "locks", PROGRAM)) as process:
        yield process


def work(process):
    a, b = (int(word, 16) for word in process.stdout.readline().split())
    until_done(process)
    return a, b


def test_one_pair(run):
    with Tool("deadlock", "-p", run.pid) as tool:
        a, b = work(run)
    row, = tool.rows  # b and c in both orders by one thread only are none
    assert (int(row["first"], 16), int(row["second"], 16), row["pid"]) == (b, a, run.pid)
    assert row["tid"] != row["other_tid"]
    assert "take_ba" in row["here"] or "two" in row["here"]
    assert "take_ab" in row["there"] or "one" in row["there"]
    assert tool.printed.startswith("4 pairs")


def test_text(run):
    with Tool("deadlock", "-p", run.pid, json=False) as tool:
        work(run)
    assert tool.text.split("\n")[0].split() == [
        "PID", "FIRST", "SECOND", "TID", "COMM", "OTHER_TID", "OTHER_COMM"]
