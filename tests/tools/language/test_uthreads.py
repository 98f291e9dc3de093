"""uthreads: a line for each thread."""

import subprocess

import pytest
from interpreters import java
from toolbox import Tool, compile_c

C = """
#include <pthread.h>
#include <unistd.h>
void *first_function(void *unused) { usleep(20000); return NULL; }
int main(void)
{
    pthread_t thread;
    for (int i = 0; i < 5; i++) { pthread_create(&thread, NULL, first_function, NULL); pthread_join(thread, NULL); }
    sleep(1);
    return 0;
}
"""


@pytest.fixture(name="work")
def compiled(tmp_path):
    return compile_c(tmp_path, "work", C)


def test_pthreads(work):
    with Tool("uthreads", "-c", work, ends=True) as tool:
        pass
    assert [(row["type"], row["description"]) for row in tool.rows] == 5 * [
        ("pthread", "first_function")]
    pid, = {row["pid"] for row in tool.rows}
    assert all(row["id"] > 0 and row["id"] != pid for row in tool.rows)
    assert len({row["id"] for row in tool.rows}) == 5
    times = [row["time"] for row in tool.rows]
    assert times[4] - times[0] >= 0.08


def test_java(tmp_path):
    command = java(tmp_path, "public class Work { static void f() { } public static void "
                   "main(String[] a) throws Exception { for (int i = 0; i < 3; i++) { Thread t = "
                   "new Thread(Work::f, \"worker-\" + i); t.start(); t.join(); } } }")
    with Tool("uthreads", "-l", "java", "-c", command, ends=True) as tool:
        pass
    ours = [row for row in tool.rows if row["description"].startswith("worker-")]
    assert [(row["type"], row["description"]) for row in ours] == [
        (kind, f"worker-{i}") for i in range(3) for kind in ("start", "stop")]
    assert {row["type"] for row in tool.rows} == {"start", "stop"}
    assert all(row["java"] > 0 and row["id"] > 0 for row in ours)


def test_only_that_name_and_text(work):
    with Tool("uthreads", "-l", "c", "-n", "other", "-c", work, ends=True) as tool:
        pass
    assert not tool.rows
    with Tool("uthreads", "-c", work, ends=True, json=False) as tool:
        pass
    assert tool.text.splitlines()[0].split() == ["TIME", "PID", "ID", "JAVA", "TYPE", "DESCRIPTION"]
    assert len(tool.table) == 5
