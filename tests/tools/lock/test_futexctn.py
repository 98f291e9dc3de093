"""futexctn: how often and how long threads wait for a lock, and where."""

import pytest

from toolbox import Tool, compile_c, hist_between, started, until_done

PROGRAM = r"""
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
pthread_mutex_t hive = PTHREAD_MUTEX_INITIALIZER;
__attribute__((noinline)) int wait_for_hive(void)
{
	pthread_mutex_lock(&hive);
	return pthread_mutex_unlock(&hive) + 1;
}
volatile int is_there;
void *bee(void *x) { is_there = 1; wait_for_hive(); return x; }
int main(void)
{
	pthread_t thread;
	printf("%p\n", (void *)&hive);
	fflush(stdout);
	getchar();
	for (int i = 0; i < 5; i++) {
		pthread_mutex_lock(&hive);
		is_there = 0;
		pthread_create(&thread, NULL, bee, NULL);
		while (!is_there)
			usleep(1000);
		usleep(50000);
		pthread_mutex_unlock(&hive);
		pthread_join(thread, NULL);
	}
	puts("done");
	fflush(stdout);
	getchar();
	return 0;
}
"""


@pytest.fixture(name="run")
def running(tmp_path):
    with started(compile_c(tmp_path, "bees", PROGRAM)) as process:
        yield process


def test_a_lock(run):
    hive = int(run.stdout.readline(), 16)
    with Tool("futexctn", "-p", run.pid, "-m", 5000, "-H") as tool:
        until_done(run)
    row, = (row for row in tool.rows if int(row["lock"], 16) == hive)
    assert row["waits"] == 5
    assert 200 <= row["total_ms"] < 2000
    assert 40000 <= row["avg_us"] <= row["max_us"]
    assert (row["pid"], row["comm"]) == (run.pid, "bees")
    assert hist_between(tool.maps["@usecs"][f"{run.pid},bees"], 32768, 2**40) == 5


def test_only_this_lock_and_where(run):
    hive = int(run.stdout.readline(), 16)
    with Tool("futexctn", "-s", "-l", hive, "-n", 3) as tool:
        until_done(run)
    rows = [row for row in tool.rows if row["pid"] == run.pid]
    assert {int(row["lock"], 16) for row in rows} == {hive}
    assert sum(row["waits"] for row in rows) >= 5
    assert any("wait_for_hive" in row["stack"] or "bee" in row["stack"] for row in rows)


def test_text(run):
    run.stdout.readline()
    with Tool("futexctn", "-p", run.pid, json=False) as tool:
        until_done(run)
    assert tool.text.split("\n")[0].split() == [
        "PID", "COMM", "LOCK", "TOTAL(ms)", "WAITS", "AVG(us)", "MAX(us)"]
