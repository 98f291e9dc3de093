"""Wildcards over system calls, which share one raw tracepoint, count as the tracepoints do.

A body that looks at `ctx` is attached to every tracepoint by itself: the same script has both.
"""

import json
import subprocess

import pytest

from runner import SKEP

# Calls that it makes at least, where the kernel has none of those that are newer than C libraries.
FEWEST = 55
PROGRAM = SKEP.parent / "tests" / "programs" / "syscalls"
EVENT = "tracepoint:syscalls:sys_{}_"


def maps(script, *options):
    run = subprocess.run([SKEP, "trace", "-q", "--json", *options, "-e", script],
                         capture_output=True, text=True, timeout=60, check=True)
    found = {}
    for line in run.stdout.splitlines():
        event = json.loads(line)
        if event["type"] == "map":
            found.update(event["data"])
    return found


@pytest.mark.parametrize("kind", ["enter", "exit"])
def test_counts_are_those_of_the_tracepoints(kind):
    probe = EVENT.format(kind) + '* /comm == "syscalls"/'
    found = maps(f"{probe} {{ @shared[probe] = count(); }} "
                 f"{probe} {{ $c = ctx; @each[probe] = count(); }}", "-c", str(PROGRAM))
    assert found["@shared"] == found["@each"]
    assert found["@shared"][EVENT.format(kind) + "getpid"] == 1
    assert found["@shared"][EVENT.format(kind) + "newuname"] == 2


def test_two_probes_in_the_order_of_the_script():
    probe = EVENT.format("enter") + '* /comm == "syscalls"/'
    found = maps(f"{probe} {{ @first = count(); @last = 1; }} {probe} {{ @last = 2; }}",
                 "-c", str(PROGRAM))
    assert found["@first"] >= FEWEST and found["@last"] == 2


def test_place_is_known_in_a_loop_over_a_map():
    probe = EVENT.format("enter")
    found = maps("BEGIN { @keys[1] = 1; } "
                 f'{probe}* /comm == "syscalls"/ {{ for ($kv : @keys) {{ @[probe] = count(); }} }}',
                 "-c", str(PROGRAM))
    assert found["@"][probe + "newuname"] == 2


def test_other_processes_are_left_out():
    with subprocess.Popen(["yes"], stdout=subprocess.DEVNULL) as busy:
        found = maps(EVENT.format("enter") + "* { @[pid, probe] = count(); } "
                     "interval:ms:300 { exit(); }", "-p", str(busy.pid))
        busy.kill()
    assert list(found["@"]) == [f"{busy.pid},{EVENT.format('enter')}write"]


def test_user_stacks_and_results():
    found = maps(EVENT.format("exit") + '* /comm == "syscalls"/ { @[ustack(3)] = count(); }',
                 "-c", str(PROGRAM))
    assert sum(found["@"].values()) >= FEWEST
