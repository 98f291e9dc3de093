"""ustat: events of programs in seven languages, counted by process."""

import subprocess

import pytest
from interpreters import java, node, program, python, script
from toolbox import Tool

LONG = 600  # seconds; the command ends before, and the table is printed then


def row_of(language, command, *options, env=None):
    with Tool("ustat", "-l", language, *options, LONG, "-c", command, ends=True, env=env,
              seconds=60) as tool:
        pass
    row, = tool.rows
    return row


def test_perl(tmp_path):
    script(tmp_path, "Mine.pm", "1;")
    path = script(tmp_path, "work.pl", "sub f { 1 } f() for 1..1000; eval { die 'so' } for 1..5;"
                  f"require '{tmp_path}/Mine.pm' for 1..3;")
    row = row_of("perl", f"{program('perl')} {path}")
    assert (row["comm"], row["method"], row["excp"], row["cload"]) == ("perl", 1000, 5, 3)


def test_php(tmp_path):
    path = script(tmp_path, "work.php", "<?php function f() { throw new Exception('so'); } "
                  "for ($i = 0; $i < 7; $i++) { try { f(); } catch (Exception $e) { } }")
    row = row_of("php", f"{program('php')} {path}", env={"USE_ZEND_DTRACE": "1"})
    assert (row["method"], row["excp"], row["cload"]) == (8, 7, 1)  # the file is a function


def test_python(tmp_path):
    def row(n):
        path = script(tmp_path, "work.py", f"""
import gc, threading
gc.disable()
def f(): raise ValueError
for i in range({n}):
    try: f()
    except ValueError: pass
    gc.collect()
    thread = threading.Thread(target=int); thread.start(); thread.join()
""")
        return row_of("python", f"{python()} {path}")
    few, many = row(2), row(9)
    assert many["gc"] - few["gc"] == 7
    assert many["thread"] - few["thread"] == 7
    assert many["excp"] - few["excp"] >= 7
    assert many["cload"] == few["cload"] > 0


def test_ruby(tmp_path):
    def row(n):
        path = script(tmp_path, "work.rb", f"""
class Thing; end
GC.disable
{n}.times {{ Thing.new }}
{n}.times {{ begin; raise "so"; rescue; end }}
{n}.times {{ GC.start }}
require "set" if {n} > 2
""")
        return row_of("ruby", f"{program('ruby')} --disable-gems {path}")
    few, many = row(2), row(9)
    assert many["excp"] - few["excp"] == 7
    assert many["gc"] - few["gc"] >= 7
    assert many["cload"] - few["cload"] >= 1
    assert many["objnew"] - few["objnew"] >= 7
    assert many["method"] > few["method"]


def test_tcl(tmp_path):
    path = script(tmp_path, "work.tcl", "proc f {} { return 1 }\n"
                  "for {set i 0} {$i < 300} {incr i} { f }")
    with Tool("ustat", LONG, "-c", f"{program('tclsh')} {path}", ends=True) as tool:
        pass
    row, = tool.rows
    assert row["method"] >= 300
    assert row["cload"] >= 1
    assert row["objnew"] > 0


def test_java(tmp_path):
    command = java(tmp_path, "public class Work { static void f() { } public static void "
                   "main(String[] a) throws Exception { for (int i = 0; i < 3; i++) System.gc(); "
                   "for (int i = 0; i < 1000; i++) f(); for (int i = 0; i < 5; i++) "
                   "{ Thread t = new Thread(Work::f); t.start(); t.join(); } } }")
    row = row_of("java", command)
    assert row["gc"] == 3
    assert row["method"] >= 1000
    assert row["thread"] >= 5
    assert row["cload"] > 300
    assert row["objnew"] > 5


def test_node(tmp_path):
    def row(n):
        path = script(tmp_path, "work.js", f"for (let i = 0; i < {n}; i++) {{ gc(); "
                      "try { throw new Error() } catch (e) { } }")
        return row_of("node", f"{node()} --expose-gc {path}")
    few, many = row(2), row(9)
    assert many["gc"] - few["gc"] == 7
    assert many["excp"] - few["excp"] == 7


@pytest.mark.parametrize("sort, first", [("method", "many calls"), ("excp", "many errors")])
def test_sorted_with_a_number_of_tables(tmp_path, sort, first):
    perl = program("perl")
    script(tmp_path, "calls.pl", "$0 = 'many calls'; sub f { 1 } while (1) "
           "{ f() for 1..50; eval { die 'so' }; select(undef, undef, undef, 0.01) }")
    script(tmp_path, "errors.pl", "$0 = 'many errors'; while (1) "
           "{ eval { die 'so' } for 1..20; select(undef, undef, undef, 0.01) }")
    command = f"sh -c '{perl} {tmp_path}/calls.pl & a=$!; {perl} {tmp_path}/errors.pl & b=$!; " \
              "read x; kill $a $b; wait'"
    with subprocess.Popen(command, shell=True, stdin=subprocess.PIPE) as work:
        try:
            with Tool("ustat", "-l", "perl", "-S", sort, "-r", "1", 1, 2, ends=True) as tool:
                pass
        finally:
            work.communicate(b"\n")
    assert [row["comm"] for row in tool.rows][-1:] == [first]
    assert len(tool.rows) <= 2


def test_text(tmp_path):
    path = script(tmp_path, "work.pl", "sub f { 1 } f() for 1..10;")
    with Tool("ustat", "-C", LONG, "-c", f"{program('perl')} {path}", ends=True,
              json=False) as tool:
        pass
    row, = tool.table
    assert (row["COMM"], row["METHOD"], row["THREAD"]) == ("perl", "10", "0")
