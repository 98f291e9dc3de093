"""uobjnew: objects and blocks of known number and size."""

import subprocess

import pytest
from interpreters import java, program, script
from toolbox import Tool, compile_c

C = """
#include <stdlib.h>
void *volatile kept;
int main(void)
{
    for (int i = 0; i < 1000; i++) { kept = malloc(777); free(kept); }
    for (int i = 0; i < 10; i++) { kept = calloc(3, 1111); free(kept); }
    for (int i = 0; i < 5; i++) { kept = realloc(NULL, 5555); kept = realloc(kept, 8888); free(kept); }
    return 0;
}
"""


def rows_of(*options, key="type"):
    with Tool("uobjnew", *options, ends=True) as tool:
        pass
    return {row[key]: (row["allocs"], row["bytes"]) for row in tool.rows}


@pytest.fixture(name="work")
def compiled(tmp_path):
    return compile_c(tmp_path, "work", C)


def test_c(work):
    found = rows_of("-l", "c", "-c", work, key="size")
    assert found[777] == (1000, 777_000)
    assert found[3333] == (10, 33_330)
    assert found[5555] == (5, 27_775)
    assert 8888 not in found
    top = rows_of("-l", "c", "-S", "2", "-c", work, key="size")
    assert sorted(top) in ([777, 3333], [777, max(found, key=lambda size: found[size][1])])
    assert list(rows_of("-l", "c", "-C", "1", "-c", work, key="size")) == [777]


def test_ruby(tmp_path):
    def found(objects, arrays, hashes):
        path = script(tmp_path, "work.rb", f"class Thing; end; {objects}.times {{ Thing.new }}; "
                      f"{arrays}.times {{ [1, 2, 3] }}; {hashes}.times {{ {{a: 1}} }}")
        return rows_of("-c", f"{program('ruby')} --disable-gems {path}")
    few, many = found(100, 100, 100), found(1000, 600, 200)
    assert (few["Thing"], many["Thing"]) == ((100, 0), (1000, 0))
    assert many["array"][0] - few["array"][0] == 500
    assert many["array"][1] - few["array"][1] == 1500
    assert many["hash"][0] - few["hash"][0] == 100


def test_java(tmp_path):
    command = java(tmp_path, "public class Work { long a, b; static Work kept; "
                   "public static void main(String[] x) { for (int i = 0; i < 1000; i++) "
                   "kept = new Work(); int[][] more = new int[100][]; "
                   "for (int i = 0; i < 100; i++) more[i] = new int[1000]; } }")
    found = rows_of("-l", "java", "-c", command)
    assert found["Work"][0] == 1000
    assert found["[I"][0] >= 100
    assert found["[I"][1] >= 400_000
    assert found["[[I"][0] >= 1


def test_tcl(tmp_path):
    def found(n):
        path = script(tmp_path, "work.tcl", "proc work {x} { return [expr {$x + 1}] }\n"
                      f"for {{set i 0}} {{$i < {n}}} {{incr i}} {{ work 1 }}")
        return rows_of("-l", "tcl", "-c", f"{program('tclsh')} {path}")
    few, many = found(100), found(400)
    assert many["Tcl_NewWideIntObj"][0] - few["Tcl_NewWideIntObj"][0] == 300
    assert all(size == 48 * n for n, size in many.values())


def test_text(work):
    with Tool("uobjnew", "-l", "c", "-C", "1", "-c", work, ends=True, json=False) as tool:
        pass
    assert [line.split() for line in tool.text.splitlines()] == [
        ["SIZE", "ALLOCS", "BYTES"], ["777", "1000", "777000"]]
