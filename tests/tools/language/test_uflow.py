"""uflow: calls and returns in order, each as deep as it is."""

import subprocess

from interpreters import java, program, python, script, wait_for_library
from toolbox import Tool

TCL = """
proc inner {x} { return $x }
proc outer {x} { inner $x; inner $x }
gets stdin
outer 1
outer 2
"""
ONE_OUTER = [("->", "outer"), ("  ->", "inner"), ("  <-", "inner"), ("  ->", "inner"),
             ("  <-", "inner"), ("<-", "outer")]


def flow(tool, *names):
    return [(row["flow"], row["method"]) for row in tool.rows if row["method"] in names]


def test_a_running_tcl_program(tmp_path):
    path = script(tmp_path, "work.tcl", TCL)
    with subprocess.Popen([program("tclsh"), path], stdin=subprocess.PIPE) as work, \
            subprocess.Popen([program("tclsh"), path], stdin=subprocess.PIPE) as other:
        for each in (work, other):
            wait_for_library(each, "libtcl")
        with Tool("uflow", "-l", "tcl", "-p", work.pid) as tool:
            other.communicate(b"\n")
            work.communicate(b"\n")
    assert flow(tool, "outer", "inner") == ONE_OUTER * 2
    assert {row["pid"] for row in tool.rows} == {work.pid}
    times = [row["time_us"] for row in tool.rows]
    assert times == sorted(times)


def test_perl_and_only_one_function(tmp_path):
    path = script(tmp_path, "work.pl", "sub inner { 1 } sub outer { return inner() } outer();")
    with Tool("uflow", "-c", f"{program('perl')} {path}", ends=True) as tool:
        pass
    assert flow(tool, "outer", "inner") == [ONE_OUTER[0], *ONE_OUTER[1:3], ONE_OUTER[5]]
    with Tool("uflow", "-M", "inn", "-c", f"{program('perl')} {path}", ends=True) as tool:
        pass
    assert [(row["flow"], row["method"]) for row in tool.rows] == [("->", "inner"), ("<-", "inner")]


def test_php_class(tmp_path):
    path = script(tmp_path, "work.php", "<?php class A { function f() { return g(); } } "
                  "function g() { return 1; } $a = new A; $a->f();")
    with Tool("uflow", "-C", "A", "-c", f"{program('php')} {path}", ends=True,
              env={"USE_ZEND_DTRACE": "1"}) as tool:
        pass
    assert [(row["flow"], row["method"], row["where"]) for row in tool.rows] == [
        ("->", "f", "A"), ("<-", "f", "A")]


def test_python(tmp_path):
    path = script(tmp_path, "work.py", "def inner(): pass\ndef outer(): inner(); inner()\nouter()\n")
    command = f"{python()} -m cProfile -o {tmp_path / 'profile'} {path}"
    with Tool("uflow", "-C", tmp_path, "-c", command, ends=True) as tool:
        pass
    indented = [("  " + arrow, name) for arrow, name in ONE_OUTER]
    assert flow(tool, "outer", "inner") == indented


def test_java(tmp_path):
    command = java(tmp_path, "public class Work { static void inner() { } static void outer() "
                   "{ inner(); inner(); } public static void main(String[] a) { outer(); } }")
    with Tool("uflow", "-l", "java", "-C", "Work", "-c", command, ends=True) as tool:
        pass
    assert flow(tool, "outer", "inner") == [("  " + arrow, name) for arrow, name in ONE_OUTER]


def test_ruby_and_text(tmp_path):
    path = script(tmp_path, "work.rb", "TracePoint.new(:call, :return) { }.enable\n"
                  "def inner() end\ndef outer() inner; inner end\nouter\n")
    with Tool("uflow", "-C", "Object", "-c", f"{program('ruby')} --disable-gems {path}", ends=True,
              json=False) as tool:
        pass
    lines = tool.text.splitlines()
    assert lines[0].split() == ["CPU", "PID", "TID", "TIME(us)", "FLOW", "METHOD", "WHERE"]
    assert [line.split()[4:] for line in lines[1:]] == [
        [arrow.strip(), name, "Object"] for arrow, name in ONE_OUTER]
