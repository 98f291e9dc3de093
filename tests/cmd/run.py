#!/usr/bin/python3
"""What tests/run says of what failed, when all of it is over: each by name, with its reason."""

import contextlib
import importlib.machinery
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path.append(str(TESTS))
sys.dont_write_bytecode = True
import checks  # noqa: E402, found by the line above
import patience  # noqa: E402


def load(name, path):
    """The module that a program without .py is."""
    loader = importlib.machinery.SourceFileLoader(name, str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    sys.modules[name] = module  # where dataclasses look for theirs
    loader.exec_module(module)
    return module


sys.path.append(str(TESTS / "lint"))
RUN, LINT = load("tests_run", TESTS / "run"), load("lint_run", TESTS / "lint" / "run")


def program(text, status):
    """The result of a program that says @text."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "program")
        script.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\nexit {status}\n")
        script.chmod(0o755)
        test = {"name": "area/thing", "cmd": [str(script)], "env": {}, "timeout": 60}
        return RUN.run_program("build", test, {})


def end_of(*results):
    """The last lines."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        RUN.conclude(results)
    return said.getvalue().strip().splitlines()


def expect(result, *lines):
    got = end_of(result)
    wanted = [*lines, f"{result.passed} passed, {result.failed} failed"]
    assert got == wanted, "\n".join(got)


def check_case_by_name():
    expect(program("""\
[ RUN      ] test_one
[       OK ] test_one
[ RUN      ] test_two
something
[  ERROR   ] --- 0x1 != 0x2
[   LINE   ] --- ../tests/area/test_thing.c:12: error: Failure!
[  FAILED  ] test_two
[ RUN      ] test_three
[  ERROR   ] --- "a" != "b"
[   LINE   ] --- ../tests/area/test_thing.c:20: error: Failure!
[  FAILED  ] test_three
[==========] 3 test(s) run.
[  PASSED  ] 1 test(s).
[  FAILED  ] 2 test(s), listed below:
[  FAILED  ] test_two
[  FAILED  ] test_three
""", 2),
           "failed: area/thing (build): test_two: 0x1 != 0x2 (tests/area/test_thing.c:12)",
           'failed: area/thing (build): test_three: "a" != "b" (tests/area/test_thing.c:20)')


def check_case_it_died_in():
    expect(program("""\
[ RUN      ] test_one
[       OK ] test_one
[ RUN      ] test_two
=================================================================
==12==ERROR: AddressSanitizer: heap-use-after-free on address 0x60
    #0 0x1 in somewhere
""", 99), "failed: area/thing (build): test_two: ERROR: AddressSanitizer: heap-use-after-free on "
           "address 0x60 (exit status 99)")


def check_leak_after_all_passed():
    expect(program("""\
[ RUN      ] test_one
[       OK ] test_one
[==========] 1 test(s) run.
[  PASSED  ] 1 test(s).
==12==ERROR: LeakSanitizer: detected memory leaks
""", 99), "failed: area/thing (build): ERROR: LeakSanitizer: detected memory leaks (exit status 99)")


def check_other_programs():
    expect(program("making it\nx.c:3:1: error: expected ';'\nmore", 1),
           "failed: area/thing (build): x.c:3:1: error: expected ';' (exit status 1)")
    expect(program("nothing is known of it", 3),
           "failed: area/thing (build): nothing is known of it (exit status 3)")


def check_over_its_time():
    result = RUN.Result("area/thing (build)", output="[ RUN      ] test_one\n")
    RUN.count_cmocka(result, "none: over its time of 5 s")
    expect(result, "failed: area/thing (build): test_one: it says nothing "
                   "(exit status none: over its time of 5 s)")


TEST = """\
import pytest
def test_good(): pass
def test_bad():
    assert 1 + 1 == 3, "as it seems"
@pytest.mark.parametrize("n", [1])
def test_said(n):
    pytest.fail("one line\\nand more", pytrace=False)
@pytest.fixture
def broken(): raise OSError("no room")
def test_not_begun(broken): pass
"""


def run_pytest(text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "test_it.py")
        path.write_text(text)
        RUN.SUITES["build"]["suite"] = [str(path)]
        return RUN.run_scripts("build", "suite", [], {})


def check_pytest():
    result = run_pytest(TEST)
    got = end_of(result)
    assert got[-1] == "1 passed, 3 failed", got
    reasons = {line.split(".")[-1] for line in got[:-1]}
    assert reasons == {"test_bad: AssertionError: as it seems assert (1 + 1) == 3",
                       "test_said[1]: one line and more", "test_not_begun: OSError: no room"}, got


def check_tests_that_cannot_be_read():
    got = end_of(run_pytest("import nowhere_to_be_found\n"))
    assert got[-1] == "0 passed, 1 failed", got
    assert "nowhere_to_be_found" in got[0], got


def said_by(main, *words):
    said, sys.argv[1:] = io.StringIO(), words
    with contextlib.redirect_stdout(said):
        main()
    return said.getvalue().splitlines()


def check_lint():
    LINT.CHECKS = {"one": lambda: ["a.c:1: this", "a.c:2: that"], "two": lambda: [],
                   "three": lambda: ["b.c: those"]}
    got = said_by(LINT.main)[-3:]
    assert got == ["failed: one: a.c:1: this", "failed: three: b.c: those", "1 passed, 2 failed"], got


class Busy:
    """A machine on which somebody always waits for a CPU."""

    @staticmethod
    def read_text():
        return f"some avg10=100.00 total={time.monotonic_ns() // 1000}\nfull total=0\n"


def waited(process, seconds):
    """Whether it came to its end in @seconds, and how long that was looked at."""
    begin = time.monotonic()
    return patience.Patience(seconds).waits_for(process), time.monotonic() - begin


def check_patience():
    """Each hang is found: after its time, where nobody waits, and after some, where somebody does."""
    kept = patience.PRESSURE
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(["sleep", "1000"]) as hanging:
        try:
            quiet, unknown = Path(folder, "quiet"), Path(folder, "unknown")
            quiet.write_text("some avg10=0.00 total=5\n")
            for patience.PRESSURE, least in ((quiet, 0.2), (unknown, 0.2),
                                             (Busy, 0.2 * patience.MOST)):
                ended, seconds = waited(hanging, 0.2)
                assert not ended and seconds >= least, (ended, seconds)
                with subprocess.Popen(["true"]) as short:
                    assert waited(short, 100)[0]
        finally:
            patience.PRESSURE = kept
            hanging.kill()


SOURCES = {
    "fine.c": "int fine(int n) { return n + 1; }",
    "unused.c": "void unused(void) { int n = 1; }",
    "absent.c": "#include <no_such_header.h>",
    "assembler.c": 'void assembler(void) { __asm__("no_such_instruction %eax"); }',
    "other.c": "int other(void) { char *text = 5; return !text; }",
}


def check_clang():
    """Files that are compiled together: each is, whatever is wrong with those before it."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in SOURCES.items():
            Path(folder, name).write_text(text + "\n")
        commands = [{"file": name, "command": f"clang -I{folder}/{name}.p -Wall -Werror -O0 -MD -MQ "
                                              f"{name}.o -MF {name}.d -o {name}.o -c {name}"}
                    for name in SOURCES]
        work = LINT.clang.batches(commands)
        found = LINT.clang.findings_of(commands, folder, 2)
        left = sorted(path.name for path in Path(folder).iterdir())
    assert [sorted(files) for _, files in work] == [sorted(SOURCES)], work
    places = {line.split(":")[0] for line in found if re.search(r":\d+: (fatal )?error: ", line)}
    assert places == set(SOURCES) - {"fine.c"}, found
    assert left == sorted(SOURCES), left


DEV = """\
#!/bin/sh
case $1 in
lint) printf '%s\\n' 'failed: shape: a.c: long' '1 passed, 1 failed'; exit 1 ;;
esac
printf '%s\\n' "$TEST"
exit 1
"""


def run_ci(said):
    """The end of .ci/run, where ./dev test says @said."""
    with tempfile.TemporaryDirectory() as folder:
        ci, dev = Path(folder, ".ci"), Path(folder, "dev")
        ci.mkdir()
        shutil.copy(TESTS.parent / ".ci" / "run", ci)
        dev.write_text(DEV)
        dev.chmod(0o755)
        done = subprocess.run([ci / "run"], check=False, stdout=subprocess.PIPE, text=True,
                              env=os.environ | {"TEST": said})
    assert done.returncode == 1
    return done.stdout.rpartition("\n\n")[2].splitlines()


def check_ci():
    got = run_ci("failed: a (build): b: c\n5 passed, 1 failed")
    assert got == ["failed: shape: a.c: long", "failed: a (build): b: c", "6 passed, 2 failed"], got
    got = run_ci("segmentation fault")
    assert got == ["failed: shape: a.c: long",
                   "failed: ./dev test: ended with status 1 and without its sum",
                   "1 passed, 2 failed"], got


CHECKS = [check for name, check in list(globals().items()) if name.startswith("check_")]

if __name__ == "__main__":
    sys.exit(checks.run(CHECKS))
