"""threadsnoop: the threads that a program starts, and what they run."""

import os
import subprocess

import pytest

from toolbox import Tool, compile_c

PROGRAM = r"""
#include <pthread.h>
#include <stdio.h>
void *work_of_bees(void *x) { return x; }
int main(void)
{
	pthread_t threads[3];
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, work_of_bees, NULL);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	getchar();
	return 0;
}
"""


@pytest.fixture(name="program")
def compiled(tmp_path):
    return compile_c(tmp_path, "bees", PROGRAM)


def test_functions(program):
    with Tool("threadsnoop", "-n", "bees") as tool:
        bees = subprocess.Popen([program], stdin=subprocess.PIPE)
        while len(tool.out.lines) < 3 and bees.poll() is None:
            tool.out.join(0.05)
        bees.communicate(b"\n")
    assert [row["func"].split("+")[0] for row in tool.rows] == ["work_of_bees"] * 3
    assert {row["pid"] for row in tool.rows} == {bees.pid}


def test_text_and_another_process(program):
    with Tool("threadsnoop", "-p", os.getpid(), json=False) as tool:
        subprocess.run([program], stdin=subprocess.DEVNULL, check=True)
    assert tool.table == [] if tool.text.strip() else True
    assert str(program) not in tool.text
