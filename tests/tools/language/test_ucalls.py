"""ucalls: functions of programs in six languages are counted, each as often as it was called."""

import pytest
from interpreters import calls, java, program, python, script
from toolbox import Tool

JAVA = """
public class Work {
    static int work(int i) { return i + 1; }
    static void nap() throws Exception { Thread.sleep(50); }
    public static void main(String[] args) throws Exception {
        int sum = 0;
        for (int i = 0; i < 1000; i++) sum = work(sum);
        nap();
    }
}
"""
PERL = """
sub work { my $x = shift; return $x + 1; }
sub nap { select(undef, undef, undef, 0.05); }
sub odd { my $n = shift; $n ? even($n - 1) : 0 } sub even { my $n = shift; $n ? odd($n - 1) : 1 }
package Thing; sub new { bless {} } sub used { 1 } package main;
my $sum = 0; $sum = work($sum) for 1..1000;
my $thing = Thing->new; $thing->used for 1..50;
my $nameless = sub { 2 }; $nameless->() for 1..20;
even(6); nap(); eval { die_of_it() }; sub die_of_it { die "so" }
"""
PHP = """<?php
function work($i) { return $i + 1; }
function nap() { usleep(50000); }
class Thing { function used() { return 1; } }
$sum = 0; for ($i = 0; $i < 1000; $i++) $sum = work($sum);
$thing = new Thing; for ($i = 0; $i < 50; $i++) $thing->used();
nap();
"""
PYTHON_WORK = """
import time
def work(i): return i + 1
def nap(): time.sleep(0.05)
def deep(n): return n and deep(n - 1)
for i in range(1000): work(i)
deep(9)
nap()
"""
RUBY = """
TracePoint.new(:call, :return) { }.enable if ARGV[0]
class Thing
  def work(i) i + 1 end
  def nap() sleep 0.05 end
end
thing = Thing.new; sum = 0
1000.times { sum = thing.work(sum) }
30.times { "a-b".tr("-", "+") }
thing.nap
"""
TCL = """
proc work {x} { return [expr {$x + 1}] }
proc nap {} { after 50 }
proc bad {} { error oops }
set sum 0
for {set i 0} {$i < 1000} {incr i} { set sum [work $sum] }
for {set i 0} {$i < 7} {incr i} { catch {bad} }
nap
"""


def time_of(tool, name, unit="time_us"):
    row, = (row for row in tool.rows if row["method"] == name)
    return row[unit]


def run(language, command, *options, env=None):
    with Tool("ucalls", "-l", language, *options, "-c", command, ends=True, env=env) as tool:
        pass
    return tool


def test_perl(tmp_path):
    path = script(tmp_path, "work.pl", PERL)
    tool = run("perl", f"{program('perl')} {path}", "-L")
    found = calls(tool)
    assert {name: found[name] for name in ("work", "new", "used", "__ANON__", "nap")} == {
        "work": 1000, "new": 1, "used": 50, "__ANON__": 20, "nap": 1}
    assert (found["even"], found["odd"], found["die_of_it"]) == (4, 3, 1)
    assert {row["where"] for row in tool.rows if row["method"] == "work"} == {str(path)}
    assert 50_000 <= time_of(tool, "nap") < 5_000_000
    assert time_of(tool, "work") > 0


def test_tcl(tmp_path):
    tool = run("tcl", f"{program('tclsh')} {script(tmp_path, 'work.tcl', TCL)}", "-L", "-m")
    found = calls(tool)
    assert (found["work"], found["bad"], found["nap"]) == (1000, 7, 1)
    assert 50 <= time_of(tool, "nap", "time_ms") < 5000
    assert time_of(tool, "bad", "time_ms") > 0


def test_php(tmp_path):
    path = script(tmp_path, "work.php", PHP)
    tool = run("php", f"{program('php')} {path}", "-L", env={"USE_ZEND_DTRACE": "1"})
    found = calls(tool)
    assert (found["work"], found["used"], found["nap"]) == (1000, 50, 1)
    assert {row["where"] for row in tool.rows if row["method"] in ("work", "used")} == {
        str(path), "Thing"}
    assert 50_000 <= time_of(tool, "nap") < 5_000_000


def test_python(tmp_path):
    """Its probes are silent unless a profiler is on: from 3.11 on."""
    path = script(tmp_path, "work.py", PYTHON_WORK)
    tool = run("python", f"{python()} -m cProfile -o {tmp_path / 'profile'} {path}", "-L")
    found = calls(tool)
    assert (found["work"], found["deep"], found["nap"]) == (1000, 10, 1)
    assert {row["where"] for row in tool.rows if row["method"] == "work"} == {str(path)}
    assert 50_000 <= time_of(tool, "nap") < 5_000_000
    assert time_of(tool, "deep") < time_of(tool, "nap")


@pytest.mark.parametrize("traced", [True, False])
def test_ruby(tmp_path, traced):
    """Methods in C always, those in Ruby while a TracePoint is enabled."""
    path = script(tmp_path, "work.rb", RUBY)
    tool = run("ruby", f"{program('ruby')} --disable-gems {path} {'yes' if traced else ''}", "-L")
    found = calls(tool)
    assert found["tr"] == 30
    assert found.get("work", 0) == (1000 if traced else 0)
    assert 50_000 <= time_of(tool, "nap" if traced else "sleep") < 5_000_000


def test_java(tmp_path):
    command = java(tmp_path, JAVA)
    tool = run("java", command, "-L")
    row, = (row for row in tool.rows if row["where"] == "Work" and row["method"] == "work")
    assert row["calls"] == 1000
    assert 50_000 <= time_of(tool, "nap") < 5_000_000


def test_without_a_language_all_of_them(tmp_path):
    path = script(tmp_path, "work.tcl", TCL)
    with Tool("ucalls", "-c", f"{program('tclsh')} {path}", ends=True) as tool:
        pass
    assert calls(tool)["work"] == 1000


def test_system_calls_and_top(tmp_path):
    path = script(tmp_path, "work.tcl", "for {set i 0} {$i < 200} {incr i} { file exists /x }")
    with Tool("ucalls", "-S", "-T", "1", "-l", "tcl", "-c", f"{program('tclsh')} {path}",
              ends=True) as tool:
        pass
    row, = tool.rows
    assert row["where"] == "(system call)"
    assert row["method"] in ("access", "faccessat", "newfstatat", "stat")
    assert row["calls"] >= 200


def test_another_language_than_that_of_the_command():
    with Tool("ucalls", "-l", "tcl", "-c", f"{program('perl')} -e 1", ends=True, status=1) as tool:
        pass
    assert "L0126" in tool.errors
    assert "uprobe:*:TclNRInterpProc" in tool.errors
    assert "Perl" not in tool.errors


def test_text(tmp_path):
    path = script(tmp_path, "work.tcl", TCL)
    with Tool("ucalls", "-l", "tcl", "-c", f"{program('tclsh')} {path}", ends=True,
              json=False) as tool:
        pass
    assert tool.text.splitlines()[0].split() == ["WHERE", "METHOD", "CALLS"]
    assert any(line.split() == ["work", "1000"] for line in tool.text.splitlines())
