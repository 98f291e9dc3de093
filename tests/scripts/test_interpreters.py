"""What interpreters run is in stacks as the program itself sees it: functions, files and lines."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from profiling import Profile, Stacks, build, folded, run

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interp"))
import pythons  # noqa: E402  pylint: disable=wrong-import-position

PYTHONS = pythons.installed()
EVALUATORS = ("_PyEval_EvalFrameDefault", "execute_ex", "rb_vm_exec", "Perl_runops")

# Each stop prints what its stack is, then sleeps in the same line: some times, as a thread that has to
# make room for another one just before it would sleep may find that the time is over.
STOPS = r"""
import asyncio, ctypes, functools, json, os, re, sys, threading, time

# Tables of what was mapped just now come some milliseconds after the first stacks.
for _ in range(4):
    time.sleep(0.2)

nap = functools.partial(time.sleep, 0.02)

def stack(frame):
    rows = []
    while frame:
        code = frame.f_code
        rows.append([getattr(code, "co_qualname", code.co_name), frame.f_lineno])
        frame = frame.f_back
    return rows

def stop(label):
    os.write(1, (json.dumps([label, stack(sys._getframe())]) + "\n").encode()); nap(); nap(); nap()

def recurse(n):
    if n:
        return recurse(n - 1)
    stop("recursion")

def numbers(label):
    for i in range(2):
        stop(label)
        yield i

def delegate():
    yield from numbers("delegated")

def key(label, x):
    stop(label)
    return x

class Thing:
    stop("class body")

    def __repr__(self):
        stop("repr")
        return ""

    def __del__(self):
        stop("del")

    @property
    def value(self):
        return stop("property")

@functools.lru_cache
def cached(x):
    stop("cached")

async def inner():
    await asyncio.sleep(0)
    stop("coroutine")

async def outer():
    async for _ in numbers_later():
        await inner()

async def numbers_later():
    stop("asynchronous generator")
    yield 1

def many_lines(
    label,
    number,
):
    return [
        number,
        stop(
            label,
        ),
        number,
    ]

def compare(a, b):
    stop("from C")
    return 0

def sort_in_c():
    values = (ctypes.c_int * 2)(2, 1)
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    ctypes.CDLL(None).qsort(values, 2, 4, kind(compare))

def worker(n):
    stop(f"thread {n}")

def main():
    recurse(30)
    list(numbers("generator"))
    list(delegate())
    sorted([2, 1], key=lambda x: key("key", x))
    [stop("comprehension") for _ in range(1)]
    list(map(functools.partial(key, "map"), [1]))
    re.sub("a", lambda match: stop("sub") or "", "a")
    repr([Thing()])
    Thing().value
    cached(1)
    json.dumps({1: object()}, default=lambda it: stop("default"))
    many_lines(
        "many lines",
        1,
    )
    exec("\n\nstop('exec')")
    try:
        raise ValueError
    except ValueError:
        stop("except")
    finally:
        stop("finally")
    sort_in_c()
    asyncio.run(outer())
    threads = [threading.Thread(target=worker, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

main()
# What was met last is named while there is a process: a machine with much else to do needs a moment.
time.sleep(1)
"""

BUSY = r"""
import sys, time

def leaf(n):
    total = 0
    for i in range(n):
        total += i * i
    return total

def key(x):
    return -leaf(100 + x)

def values(n):
    for i in range(n):
        yield leaf(100) + i

class Worker:
    def work(self, depth):
        if depth:
            return self.work(depth - 1)
        return sum(values(20)) + len(sorted(range(20), key=key))

def whole():
    end = time.process_time() + float(sys.argv[1])
    while time.process_time() < end:
        Worker().work(5)

whole()
"""


@pytest.fixture(params=sorted(PYTHONS), ids=lambda version: "python%d.%d" % version)
def python(request):
    return PYTHONS[request.param]


def interpreted(sample):
    """The program's frames of it, innermost first, and those of Python's own function."""
    return tuple((frame["name"], frame.get("line", 0)) for frame in sample["frames"]
                 if frame["kind"] == "interpreted" or frame["name"].startswith(EVALUATORS))


def samples_of(path):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line for line in lines if line["type"] == "stack"]


def check_stops(command, tmp_path, least):
    """The program prints its stacks; @least of them, all of which must have been seen."""
    out = tmp_path / "out.json"
    with Profile("--off-cpu", "-U", "-f", "json", "-o", out, "--", *command) as profile:
        text, errors = profile.process.communicate(timeout=100)
    told = [json.loads(line) for line in text.splitlines()]
    found = {interpreted(sample) for sample in samples_of(out)}
    assert len(told) >= least
    missing = [(label, rows) for label, rows in told if tuple(map(tuple, rows)) not in found]
    near = [stack for stack in found if "stop" in {name for name, _ in stack}]
    assert not missing, f"{missing}\n{near}\n{errors}"


def test_stacks_are_those_that_the_program_sees(python, tmp_path):
    program = tmp_path / "stops.py"
    program.write_text(STOPS)
    check_stops([python, program], tmp_path, 25)


def test_share_of_whole_stacks(python, tmp_path):
    program, out = tmp_path / "busy.py", tmp_path / "out.json"
    program.write_text(BUSY)
    done = run("-F", "997", "-U", "-o", out, "--", python, program, "2")
    assert done.returncode == 0, done.stderr
    total = good = 0
    for sample in samples_of(out):
        names = [name for name, _ in interpreted(sample)][::-1]
        if "whole" not in names:  # it begins, or ends
            continue
        total += sample["samples"]
        works = sum(name in ("work", "Worker.work") for name in names)
        good += (sample["samples"] if names[:2] == ["<module>", "whole"]
                 and "[not read]" not in names and (works == 6 or "leaf" not in names) else 0)
    assert total > 1200, done.stderr
    assert good >= 0.99 * total, (good, total, done.stderr)


def test_interpreters_own_frames(python, tmp_path):
    program = tmp_path / "busy.py"
    program.write_text(BUSY)
    stacks, _ = folded(tmp_path, "--no-interpreters", "-U", command=[python, program, "0.3"])
    assert not stacks.of("leaf") and not stacks.of("whole", "<module>")


def test_processes_that_were_there_before_and_many_at_once(tmp_path):
    python = PYTHONS[sorted(PYTHONS)[-1]]
    program, out = tmp_path / "busy.py", tmp_path / "out.folded"
    program.write_text(BUSY)
    children = [subprocess.Popen([python, program, "1"]) for _ in range(4)]
    try:
        pids = ",".join(str(child.pid) for child in children)
        done = run("-U", "-p", pids, "--per-process", "-o", out)
        assert done.returncode == 0, done.stderr
    finally:
        for child in children:
            child.kill()
            child.wait()
    stacks = Stacks(out)
    roots = {frames[0] for frames, _ in stacks.rows if "leaf" in frames}
    assert {root.rsplit("-", 1)[1] for root in roots} == {str(child.pid) for child in children}
    assert stacks.of("leaf") > 0.5 * stacks.total()


NAMED_SO = r"""
/* Not the interpreter's. */
int _PyEval_EvalFrameDefault(int (*callback)(int), int x)
{
	return callback(x) + 1;
}
"""

NAMED = r"""
import ctypes, sys, time

named = ctypes.CDLL(sys.argv[1])._PyEval_EvalFrameDefault

@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)
def inner(x):
    total = 0
    for i in range(20000):
        total += i * i
    return x

def work_for(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        named(inner, 1)

def outer():
    work_for(1)

# The first stacks through the library ask for its table, which comes a moment later.
work_for(0.2)
time.sleep(0.5)
outer()
"""


def test_function_of_the_same_name_elsewhere(python, tmp_path):
    """A library has a function of that name: what it calls is not what it interprets."""
    program = tmp_path / "named.py"
    program.write_text(NAMED)
    library = build(tmp_path / "named.so", NAMED_SO, "-shared", "-fPIC")
    stacks, _ = folded(tmp_path, "-U", command=[python, program, library])
    name = "_PyEval_EvalFrameDefault"
    orders = [([frame for frame in frames if frame in ("outer", name, "inner")], n)
              for frames, n in stacks.rows if "inner" in frames and "outer" in frames]
    total = sum(n for _, n in orders)
    right = sum(n for order, n in orders if order == ["outer", name, "inner"])
    assert total and right >= 0.9 * total, orders


# What is evaluated is gone with its end: a machine with much else to do reads its names in time.
PHP = r"""<?php
function stack($line) {
    $rows = [];
    foreach (array_slice(debug_backtrace(), 1) as $call) {
        $name = isset($call["class"]) ? "$call[class]::$call[function]" : $call["function"];
        $rows[] = [$name, $line];
        $line = $call["line"] ?? 0;
    }
    return [...$rows, ["{main}", $line]];
}

function stop($label) {
    echo json_encode([$label, [["usleep", 0], ...stack(__LINE__)]]), "\n"; for ($i = 0; $i < 10; $i++) usleep(20000);
}

function recurse($n) {
    if ($n)
        return recurse($n - 1);
    stop("recursion");
}

function numbers() {
    stop("generator");
    yield 1;
}

class Base {
    function method($label) {
        stop($label);
    }

    static function of_class() {
        stop("static");
    }

    function __toString() {
        stop("string");
        return "";
    }

    function __get($name) {
        stop("get");
    }

    function __destruct() {
        stop("destructor");
    }
}

class Derived extends Base {
}

function main() {
    recurse(30);
    foreach (numbers() as $i)
        ;
    (new Derived)->method("method");
    Base::of_class();
    array_map(fn($x) => stop("map"), [1]);
    $values = [2, 1];
    usort($values, function ($a, $b) {
        stop("sort");
        return $a - $b;
    });
    $object = new Base;
    $text = "a" . $object;
    $object->nothing;
    preg_replace_callback("/a/", fn($found) => stop("replace") ?? "",
                          "a");
    call_user_func_array("stop", ["call"]);
    eval("\n\nstop('eval');");
    try {
        throw new Exception;
    } catch (Exception $e) {
        stop("catch");
    } finally {
        stop("finally");
    }
    $object = null;
}

main();
"""


@pytest.mark.skipif(not shutil.which("php"), reason="not here: php")
def test_php(tmp_path):
    program = tmp_path / "stops.php"
    program.write_text(PHP)
    check_stops(["php", program], tmp_path, 15)


# Methods that are written in C are on the stack of the processor, not on this one.
RUBY = r"""
require "json"

OWN = /^block|^<|^stop$|^recurse$|^key$|^numbers$|^by_class$|^lines$|^main$|^method_missing$|^rescue|^ensure|^define/

def rows(locations)
  locations.select { |at| at.label =~ OWN }.map { |at| [at.label, at.lineno] }
end

def stop(name)
  $stdout.syswrite(JSON.generate([name, rows(caller_locations(0))]) + "\n"); sleep 0.02; sleep 0.02; sleep 0.02
end

def recurse(n)
  return recurse(n - 1) if n > 0
  stop("recursion")
end

def key(x)
  stop("key")
  x
end

def numbers
  yield 1
  stop("yielded")
end

class Thing
  stop("class")

  def self.by_class
    stop("of class")
  end

  define_method(:defined) { stop("defined") }

  def method_missing(name, *args)
    name == :nothing ? stop("missing") : super
  end

  def respond_to_missing?(*)
    false
  end
end

def lines(name,
          number)
  [
    number,
    stop(
      name
    ),
    number
  ]
end

def main
  recurse(30)
  [2, 1].sort_by { |x| key(x) }
  [1].map { |x| stop("block") }
  [1].each do |x|
    [2].each { |y| stop("nested") }
  end
  numbers { |x| stop("in") }
  Thing.by_class
  Thing.new.defined
  Thing.new.nothing
  lines("lines", 1)
  "a".gsub("a") { stop("gsub") || "" }
  ->(x) { stop("lambda") }.call(1)
  eval("\n\nstop('eval')")
  begin
    raise "no"
  rescue StandardError
    stop("rescue")
  ensure
    stop("ensure")
  end
  Fiber.new { stop("fiber") }.resume
  Enumerator.new { |to| stop("enumerator"); to << 1 }.next
  Hash.new { |hash, k| stop("default") }[1]
  big = 0
  big += 0
  big += 1
  big += 2
  big += 3
  big += 4
  big += 5
  big += 6
  big += 7
  big += 8
  big += 9
  big += 10
  big += 11
  big += 12
  big += 13
  big += 14
  big += 15
  big += 16
  big += 17
  big += 18
  big += 19
  big += 20
  big += 21
  big += 22
  big += 23
  big += 24
  big += 25
  big += 26
  big += 27
  big += 28
  big += 29
  big += 30
  big += 31
  big += 32
  big += 33
  big += 34
  big += 35
  big += 36
  big += 37
  big += 38
  big += 39
  big += 40
  big += 41
  big += 42
  big += 43
  big += 44
  big += 45
  big += 46
  big += 47
  big += 48
  big += 49
  big += 50
  big += 51
  big += 52
  big += 53
  big += 54
  big += 55
  big += 56
  big += 57
  big += 58
  big += 59
  big += 60
  big += 61
  big += 62
  big += 63
  big += 64
  big += 65
  big += 66
  big += 67
  big += 68
  big += 69
  big += 70
  big += 71
  big += 72
  big += 73
  big += 74
  big += 75
  big += 76
  big += 77
  big += 78
  big += 79
  big += 80
  big += 81
  big += 82
  big += 83
  big += 84
  big += 85
  big += 86
  big += 87
  big += 88
  big += 89
  big += 90
  big += 91
  big += 92
  big += 93
  big += 94
  big += 95
  big += 96
  big += 97
  big += 98
  big += 99
  big += 100
  big += 101
  big += 102
  big += 103
  big += 104
  big += 105
  big += 106
  big += 107
  big += 108
  big += 109
  big += 110
  big += 111
  big += 112
  big += 113
  big += 114
  big += 115
  big += 116
  big += 117
  big += 118
  big += 119
  big += 120
  big += 121
  big += 122
  big += 123
  big += 124
  big += 125
  big += 126
  big += 127
  big += 128
  big += 129
  big += 130
  big += 131
  big += 132
  big += 133
  big += 134
  big += 135
  big += 136
  big += 137
  big += 138
  big += 139
  big += 140
  big += 141
  big += 142
  big += 143
  big += 144
  big += 145
  big += 146
  big += 147
  big += 148
  big += 149
  stop("far")
  (1..3).map { |n| Thread.new(n) { |m| stop("thread #{m}") } }.each(&:join)
end

main
"""


@pytest.mark.skipif(not shutil.which("ruby"), reason="not here: ruby")
def test_ruby(tmp_path):
    program = tmp_path / "stops.rb"
    program.write_text(RUBY)
    check_stops(["ruby", "--disable-gems", program], tmp_path, 20)


# The lines that caller() tells are those of calls; outside of the outermost is the file, if that runs or is
# compiled. What runs a block to sort by is there natively, if an eval in it is run by itself; and
# what ran a subroutine before an eval in it.
PERL = r"""
use strict;
use warnings;
use utf8;
use List::Util;
use threads;

sub rows {
    my ($line) = @_;
    my ($i, @rows) = (1);
    while (my @call = caller($i++)) {
        push @rows, sprintf('["%s", %d]', $call[3], $line);
        $line = $call[2];
    }
    push @rows, sprintf('["(main)", %d]', $line)
        if $line && !threads->tid && ${^GLOBAL_PHASE} ne "END";
    return join(", ", @rows);
}

sub nap {
    select(undef, undef, undef, $_[0]);
}

sub stop {
    my ($label) = @_;
    my $text = sprintf("[\"%s\", [%s]]\n", $label, rows(__LINE__)); utf8::encode($text); $text =~ s/(?<="(?:.eval.|main::by_caught)", \d\d\d\], )/["Perl_runops_standard", 0], / if $label =~ "in a sort"; syswrite(STDOUT, $text); select(undef, undef, undef, 0.02) for 1 .. 3;
}

BEGIN {
    nap(0.2) for 1 .. 4;
    stop("begin");
}

INIT {
    stop("init");
}

END {
    stop("end");
    # what was met last is named while there is a process
    nap(1);
}

sub recurse {
    my ($n) = @_;
    return recurse($n - 1) if $n;
    stop("recursion");
}

package Thing {
    use overload
        '+' => sub { main::stop("operator"); 1 },
        'bool' => sub { 1 },
        '""' => \&text,
        '<=>' => sub { eval { main::stop("eval in an operator"); 1 } && 0 };

    our $AUTOLOAD;

    sub new {
        my ($class) = @_;
        return bless {}, $class;
    }

    sub text {
        main::stop("text");
        return "";
    }

    sub method {
        my ($self, $label) = @_;
        main::stop($label);
    }

    sub AUTOLOAD {
        main::stop($AUTOLOAD);
    }

    sub DESTROY {
        main::stop("destroyed");
    }
}

package Thing::Derived {
    our @ISA = ("Thing");

    sub method {
        my ($self, $label) = @_;
        $self->SUPER::method($label);
    }
}

package Tied {
    sub TIESCALAR {
        return bless [], shift;
    }

    sub FETCH {
        main::stop("fetch");
        return 1;
    }

    sub STORE {
        eval { main::stop("eval in store") };
    }
}

package main;

sub closure {
    my ($label) = @_;
    return sub { stop($label) };
}

sub by_number {
    stop("sort by a subroutine");
    return $a <=> $b;
}

sub by_caught {
    eval { 1 };
    stop("after an eval in a sort");
    return $a <=> $b;
}

sub jump {
    @_ = ("goto");
    goto &jumped;
}

sub jumped {
    stop($_[0]);
}

sub café {
    stop("accent");
}

sub expression {
    my $found = "a" =~ /a(?{ stop("in an expression") })/;
    my $text = "a";
    $text =~ s/a/stop("replace")/e;
}

sub many_lines {
    my ($label, $number) = @_;
    return (
        $number,
        stop(
            $label,
        ),
    );
}

sub worker {
    stop("thread $_[0]");
}

sub all {
    my ($module) = @_;
    recurse(30);
    my $thing = Thing::Derived->new;
    $thing->method("method");
    my $name = "method";
    $thing->$name("method by name");
    $thing->nothing;
    my $sum = $thing + 1;
    my $string = "$thing";
    my $same = $thing <=> 1;
    sub { stop("anonymous") }->();
    closure("closure")->();
    my @sorted = sort { stop("sort"); $a <=> $b } 2, 1;
    @sorted = sort by_number 2, 1;
    @sorted = sort { eval { stop("eval in a sort") }; $a <=> $b } 2, 1;
    @sorted = sort { by_number() } 2, 1;
    @sorted = sort { eval { stop("last in a sort") } } 2, 1;
    @sorted = sort by_caught 2, 1;
    my @mapped = map { stop("map") } 1;
    my $first = List::Util::first { stop("first"); 1 } 1;
    $first = List::Util::first { eval { stop("eval in first") }; 1 } 1;
    eval "\n\nstop('text')";
    eval { stop("block"); eval { stop("in a block") } };
    {
        local $SIG{__DIE__} = sub { stop("dies") };
        eval { die "no\n" };
        local $SIG{__WARN__} = sub { stop("warns") };
        warn "no\n";
        local $SIG{ALRM} = sub { stop("signal") };
        kill(ALRM => $$);
        nap(0.01);
    }
    jump();
    café();
    my sub lexical { stop("lexical") }
    lexical();
    { no strict "refs"; *{"assigned"} = sub { stop("assigned") }; }
    assigned();
    expression();
    many_lines(
        "many lines",
        1,
    );
    require $module;
    Module->import;
    tie(my $tied, "Tied");
    my $fetched = $tied;
    $tied = 1;
    $thing = undef;
    threads->create(\&worker, $_)->join for 1 .. 2;
}

all($ARGV[0]);
stop("file");
"""

PERL_MODULE = r"""
package Module;

BEGIN {
    main::stop("begin of a module");
}

use overload;
main::stop("module");

sub import {
    main::stop("import");
}

1;
"""

PERL_BUSY = r"""
use strict;
use warnings;

sub leaf {
    my ($n) = @_;
    my $total = 0;
    $total += $_ * $_ for 1 .. $n;
    return $total;
}

sub by_leaf {
    return leaf(50 + $a) <=> leaf(50 + $b);
}

sub sorted {
    my @sorted = sort by_leaf 1 .. 10;
    @sorted = sort { leaf($a) <=> leaf($b) } 1 .. 10;
    return scalar(@sorted);
}

package Worker {
    sub new {
        return bless {}, shift;
    }

    sub work {
        my ($self, $depth) = @_;
        return $self->work($depth - 1) if $depth;
        my $total = eval { main::leaf(100) };
        $total += $_->(1) for map { my $n = $_; sub { main::leaf(100 + $n) } } 1 .. 10;
        return $total + main::sorted();
    }
}

sub whole {
    my ($seconds) = @_;
    while ((times)[0] < $seconds) {
        Worker->new->work(5);
    }
}

whole($ARGV[0]);
"""

HAS_PERL = shutil.which("perl") and not subprocess.run(
    ["perl", "-Mthreads", "-MList::Util", "-e", "exit $^V !~ /^v5.36/"], stderr=subprocess.DEVNULL, check=False).returncode
needs_perl = pytest.mark.skipif(not HAS_PERL, reason="not here: perl 5.36 with threads")


@needs_perl
def test_perl(tmp_path):
    program, module = tmp_path / "stops.pl", tmp_path / "Module.pm"
    program.write_text(PERL)
    module.write_text(PERL_MODULE)
    check_stops(["perl", program, module], tmp_path, 40)


@needs_perl
def test_share_of_whole_stacks_of_perl(tmp_path):
    program, out = tmp_path / "busy.pl", tmp_path / "out.json"
    program.write_text(PERL_BUSY)
    done = run("-F", "997", "-U", "-o", out, "--", "perl", program, "2")
    assert done.returncode == 0, done.stderr
    total = good = 0
    for sample in samples_of(out):
        names = [name for name, _ in interpreted(sample)][::-1]
        if "main::whole" not in names:  # it begins, or ends
            continue
        total += sample["samples"]
        good += (sample["samples"] if names[:2] == ["(main)", "main::whole"]
                 and "[not read]" not in names
                 and (names.count("Worker::work") == 6 or "main::leaf" not in names) else 0)
    assert total > 1200, done.stderr
    assert good >= 0.99 * total, (good, total, done.stderr)


JAVASCRIPT = r"""
function leaf(n) { let s = 0; for (let i = 0; i < n; i++) s += Math.sqrt(i * i + s) % 7; return s; }
class Work {
  method(depth) { return depth ? this.method(depth - 1) : [1, 2].map(x => leaf(20000 + x)).length; }
}
function whole() {
  const end = Date.now() + 2500;
  while (Date.now() < end) new Work().method(3);
}
whole();
"""


@pytest.mark.skipif(not shutil.which("node"), reason="not here: node")
def test_javascript(tmp_path):
    program, out = tmp_path / "work.js", tmp_path / "out.json"
    program.write_text(JAVASCRIPT)
    done = run("-U", "-F", "499", "-o", out, "--", "node", "--perf-basic-prof",
               "--interpreted-frames-native-stack", "--no-logfile-per-isolate",
               f"--logfile={tmp_path}/v8.log", program)
    assert done.returncode == 0, done.stderr
    total = good = 0
    for sample in samples_of(out):
        frames = [(frame["name"], Path(frame["file"]).name, frame["line"], frame["kind"])
                  for frame in sample["frames"] if "file" in frame][::-1]
        Path(f"/tmp/perf-{sample['pid']}.map").unlink(missing_ok=True)
        if ("whole", "work.js", 6, "jit") not in frames:  # it begins, or ends
            continue
        total += sample["samples"]
        own = [frame[:3] for frame in frames if frame[1] == "work.js"]
        path = [("whole", "work.js", 6)] + [("method", "work.js", 4)] * 4
        good += sample["samples"] * (own[1:len(path) + 1] == path[:len(own) - 1])
    assert total > 10, done.stderr
    assert good >= 0.95 * total, (good, total, done.stderr)


# As with Python's: each stop prints what Java says of its stack, then sleeps in it.
JAVA_STOPS = r"""
import java.util.*;
import java.util.concurrent.*;

public class Stops {
    interface Named { default void say() { pause("default method"); } }
    static class Inner implements Named, Comparable<Inner> {
        static { pause("class"); }
        Inner() { pause("constructor"); }
        public int compareTo(Inner other) { pause("compareTo"); return 0; }
        public int hashCode() { pause("hashCode"); return 1; }
        public String toString() { pause("toString"); return ""; }
    }
    static class Late { static int value; static { pause("class by name"); } }
    static void pause(String label) {
        StringBuilder text = new StringBuilder("[\"" + label + "\", [\"java.lang.Thread.sleep\"");
        StackTraceElement[] stack = Thread.currentThread().getStackTrace();
        for (int i = 1; i < stack.length; i++)
            text.append(", \"" + stack[i].getClassName() + "." + stack[i].getMethodName() + "\"");
        System.out.println(text + "]]");
        try { Thread.sleep(20); Thread.sleep(20); Thread.sleep(20); }
        catch (InterruptedException e) { throw new RuntimeException(e); }
    }
    static void recurse(int n) {
        if (n > 0)
            recurse(n - 1);
        else
            pause("recursion");
    }
    static void fail() {
        try { throw new IllegalStateException(); }
        catch (IllegalStateException e) { pause("catch"); }
        finally { pause("finally"); }
    }
    static synchronized void locked(long a, double b, Object c) { pause("synchronized " + a); }
    public static void called() { pause("reflection"); }
    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 5; i++)
            Thread.sleep(200);
        recurse(30);
        Inner inner = new Inner();
        inner.say();
        new TreeMap<Inner, Integer>().put(inner, 1);
        new HashMap<Inner, Integer>().put(inner, 1);
        String.valueOf(inner);
        Class.forName("Stops$Late");
        fail();
        locked(1L, 2.0, inner);
        Runnable lambda = () -> pause("lambda");
        lambda.run();
        List.of(1).forEach(x -> pause("forEach"));
        Arrays.asList(2, 1).sort((a, b) -> { pause("comparator"); return a - b; });
        List.of(1).stream().map(x -> { pause("stream"); return x; }).forEach(x -> { });
        new HashMap<Integer, Integer>().computeIfAbsent(1, x -> { pause("compute"); return x; });
        Stops.class.getMethod("called").invoke(null);
        java.security.AccessController.doPrivileged(
            (java.security.PrivilegedAction<Void>) () -> { pause("privileged"); return null; });
        ExecutorService pool = Executors.newFixedThreadPool(2);
        List<Future<?>> all = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            int n = i;
            all.add(pool.submit(() -> pause("pool " + n)));
        }
        for (Future<?> one : all)
            one.get();
        pool.shutdown();
        Thread thread = new Thread(() -> recurse(5));
        thread.start();
        thread.join();
    }
}
"""

JAVA_BUSY = r"""
import java.util.*;

public class Busy {
    static int leaf(int n) { int total = 0; for (int i = 0; i < n; i++) total += i * i ^ n; return total; }
    static int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
    static int deep(int n) {
        if (n == 0)
            throw new IllegalStateException();
        return deep(n - 1) + 1;
    }
    static long work(int n) {
        long sum = fib(12);
        Map<String, Integer> map = new TreeMap<>();
        for (int i = 0; i < 200; i++)
            map.merge("k" + i % 37, leaf(i), Integer::sum);
        Integer[] sorted = map.values().toArray(new Integer[0]);
        Arrays.sort(sorted, (a, b) -> Integer.compare(b, a));
        byte[] from = new byte[5000], to = new byte[5000];
        System.arraycopy(from, 0, to, 0, from.length);
        sum += Arrays.equals(from, to) ? sorted[0] : 1;
        sum += map.keySet().stream().filter(k -> k.hashCode() % 3 == n % 3).count();
        try { sum += deep(20); }
        catch (IllegalStateException e) { sum += e.getStackTrace().length; }
        return sum + String.format("%d %s", n, map).length();
    }
    static volatile long sink;
    static void whole() { for (int i = 0;; i++) sink += work(i); }
    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 2; i++) {
            Thread thread = new Thread(Busy::whole);
            thread.setDaemon(true);
            thread.start();
        }
        for (int i = 0; i < Integer.parseInt(args[0]); i++)
            sink += work(i);
        System.out.println("warm");
        System.out.flush();
        whole();
    }
}
"""

HAS_JAVA = shutil.which("java") and shutil.which("javac")
needs_java = pytest.mark.skipif(not HAS_JAVA, reason="not here: java and javac")


def compiled_java(tmp_path, name, text):
    source = tmp_path / f"{name}.java"
    source.write_text(text)
    subprocess.run(["javac", "-nowarn", "-d", tmp_path, source], check=True)
    return ["-cp", str(tmp_path), name]


def of_java(sample):
    """Java's own frames of it, innermost first."""
    return tuple(frame["name"] for frame in sample["frames"]
                 if frame["kind"] in ("interpreted", "jit") and "." in frame["name"])


@needs_java
@pytest.mark.parametrize("how", ["-Xint", "-Xmixed"])
def test_stacks_are_those_that_java_sees(how, tmp_path):
    out = tmp_path / "out.json"
    command = ["java", how, "-XX:+UnlockDiagnosticVMOptions", "-XX:+ShowHiddenFrames",
               *compiled_java(tmp_path, "Stops", JAVA_STOPS)]
    with Profile("--off-cpu", "-U", "-f", "json", "-o", out, "--", *command) as profile:
        text, errors = profile.process.communicate(timeout=100)
    told = [json.loads(line) for line in text.splitlines()]
    found = {of_java(sample) for sample in samples_of(out)}
    assert len(told) >= 20
    missing = [(label, names) for label, names in told if tuple(names) not in found]
    near = [stack for stack in found if "Stops.pause" in stack]
    assert not missing, f"{missing}\n{near}\n{errors}"


@needs_java
@pytest.mark.parametrize("how", ["-Xint", "-XX:TieredStopAtLevel=1", "-XX:-TieredCompilation",
                                 "-XX:-SegmentedCodeCache", "-XX:+PreserveFramePointer"])
def test_share_of_whole_stacks_of_java(how, tmp_path):
    out = tmp_path / "out.json"
    program = compiled_java(tmp_path, "Busy", JAVA_BUSY)
    rounds = "20" if how == "-Xint" else "3000"
    with subprocess.Popen(["java", how, *program, rounds], stdout=subprocess.PIPE) as java:
        try:
            assert java.stdout.readline() == b"warm\n"
            done = run("-F", "499", "-U", "-f", "json", "-o", out, "-p", str(java.pid), "--for", "6s")
        finally:
            java.kill()
    assert done.returncode == 0, done.stderr
    total = good = named = own = 0
    for sample in samples_of(out):
        is_broken = any(frame["kind"] == "broken" for frame in sample["frames"])
        names = of_java(sample)
        total += sample["samples"]
        good += sample["samples"] * (not is_broken)
        if any(name.startswith("Busy.") for name in names):
            own += sample["samples"]
            named += sample["samples"] * (names[-1] in ("Busy.main", "java.lang.Thread.run")
                                          and "[not read]" not in names)
    assert total > 300, done.stderr
    assert good >= 0.99 * total, (good, total, done.stderr)
    assert own > 0.3 * total, (own, total)
    assert named >= 0.99 * own, (named, own, done.stderr)
