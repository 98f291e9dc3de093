"""funccount, funclatency, funcslower, stackcount, trace, argdist and their kin: known calls."""

import ctypes
import os
import re
import subprocess
import time

import pytest

from toolbox import SKEP, TOP, Tool, hist_between, hist_count, needs

CALLS = SKEP.parent / "tests" / "programs" / "calls"
LIBC = ctypes.CDLL(None)


def run_calls(rounds):
    subprocess.run([CALLS, str(rounds)], stdout=subprocess.DEVNULL, check=True)


def test_funccount():
    with Tool("funccount", f"{CALLS}:six", f"{CALLS}:ad*") as tool:
        run_calls(50)
    assert {row["func"]: row["count"] for row in tool.rows} == {"six": 50, "add": 100}


def test_funccount_of_tracepoints_and_by_name():
    with Tool("funccount", "-n", "fcname", "t:syscalls:sys_enter_getppid",
              "t:syscalls:sys_enter_getpgid") as tool:
        program = ("import os; open('/proc/self/comm', 'w').write('fcname')\n"
                   "for _ in range(7): os.getppid()\nfor _ in range(3): os.getpgid(0)")
        subprocess.run(["/usr/bin/python3", "-c", program], check=True)
        os.getppid()
    assert {row["func"]: row["count"] for row in tool.rows} == {
        "tracepoint:syscalls:sys_enter_getppid": 7, "tracepoint:syscalls:sys_enter_getpgid": 3}


def test_funccount_text_and_intervals():
    with Tool("funccount", "-T", "-i", 1, "-d", 2, "t:sched:sched_switch", json=False,
              ends=True) as tool:
        time.sleep(0.1)
    clock, heading, row = tool.text.splitlines()[:3]
    assert clock.count(":") == 2 and heading.split() == ["FUNC", "COUNT"]
    assert row.split()[0] == "tracepoint:sched:sched_switch" and int(row.split()[1]) > 0


def test_funccount_of_the_kernel(tmp_path):
    needs("kprobe:vfs_fsync_range")
    with Tool("funccount", "-p", os.getpid(), "vfs_fsync*") as tool:
        with open(tmp_path / "x", "wb") as file:
            for _ in range(4):
                os.fsync(file.fileno())
    assert {row["func"]: row["count"] for row in tool.rows}["vfs_fsync_range"] == 4


def test_funclatency():
    with Tool("funclatency", "-m", "-p", os.getpid(), "c:usleep") as tool:
        for _ in range(5):
            LIBC.usleep(20000)
    assert hist_count(tool.maps["@msecs"]) == hist_between(tool.maps["@msecs"], 16, 256) == 5
    stats = tool.maps["@total_nsecs"]
    assert stats["count"] == 5 and stats["average"] >= 20000000


def test_funclatency_of_each_function():
    with Tool("funclatency", "-F", f"{CALLS}:six", f"{CALLS}:add") as tool:
        run_calls(40)
    counts = {name: hist_count(buckets) for name, buckets in tool.maps["@nsecs_of"].items()}
    assert counts == {"six": 40, "add": 80}


def test_funcslower():
    with Tool("funcslower", "-a", 1, "-u", 15000, "-U", "-p", os.getpid(), "c:usleep") as tool:
        LIBC.usleep(20000)
        LIBC.usleep(1)
    row, = tool.rows
    assert row["pid"] == os.getpid() and row["func"] == "usleep"
    assert 20 <= row["lat_ms"] < 1000
    assert int(row["arg1"], 16) == 20000


def test_funcslower_default_is_a_millisecond():
    with Tool("funcslower", "-p", os.getpid(), "c:usleep", json=False) as tool:
        LIBC.usleep(3000)
        for _ in range(20):
            LIBC.usleep(1)
    heading, *rows = tool.text.splitlines()
    assert heading.split() == ["COMM", "PID", "LAT(ms)", "RVAL", "FUNC"]
    latencies = [float(row.split()[2]) for row in rows]
    assert latencies[0] >= 3 and min(latencies) >= 1
    assert len(latencies) < 21 or min(latencies[1:]) > 1


def test_funcinterval():
    with Tool("funcinterval", "-m", "-p", os.getpid(), "c:usleep") as tool:
        for _ in range(6):
            LIBC.usleep(40000)
    assert hist_count(tool.maps["@msecs"]) == hist_between(tool.maps["@msecs"], 32, 512) == 5


def test_stackcount():
    with Tool("stackcount", "-U", "-P", f"{CALLS}:six") as tool:
        run_calls(30)
    assert sum(row["count"] for row in tool.rows) == 30
    assert {row["comm"] for row in tool.rows} == {"calls"}
    assert all(row["user"].lstrip().startswith("six+0\n") for row in tool.rows)
    assert all(row["kernel"].strip() == "" for row in tool.rows)


def test_stackcount_folded():
    with Tool("stackcount", "-f", "-U", f"{CALLS}:six", json=False) as tool:
        run_calls(30)
    line, = tool.text.splitlines()
    assert re.fullmatch(r"calls(;[^;]+)*;six 30", line)


def test_stacksnoop():
    with Tool("stacksnoop", "-p", os.getpid(), "t:syscalls:sys_enter_getppid") as tool:
        os.getppid()
        os.getppid()
    assert len(tool.rows) == 2
    assert all("do_syscall_64" in row["kernel"] or "invoke_syscall" in row["kernel"]
               for row in tool.rows)


def trace_lines(*args, work):
    with Tool("trace", *args, json=False) as tool:
        work()
    heading, *lines = tool.text.splitlines()
    assert heading.split()[-3:] == ["COMM", "FUNC", "-"]
    return [line.rstrip() for line in lines]


@pytest.mark.parametrize("spec", [
    f'{CALLS}:six "%d %d", arg1, arg6',
    f'p:{CALLS}:six(int64_t a, int64_t b, int64_t c) (b > 0) "%d %d", a, b',
])
def test_trace_arguments(spec):
    lines = trace_lines(spec, work=lambda: run_calls(3))
    assert len(lines) == 3
    wanted = subprocess.run(
        [SKEP, "trace", "-q", "-c", f"{CALLS} 1", "-e",
         f'uprobe:{CALLS}:six {{ printf("SIX %d %d\\n", arg0, '
         f'{"arg5" if "arg6" in spec else "arg1"}); }}'],
        check=True, capture_output=True, text=True).stdout
    first = re.search("SIX (.*)", wanted)[1]
    assert lines[0].endswith(first)


def test_trace_strings_and_filters():
    lines = trace_lines(f'{CALLS}:greet "<%s>", arg1', work=lambda: run_calls(1))
    text = re.search("<(.*)>", lines[0])[1]
    assert [re.search("<(.*)>", line)[1] for line in lines] == ["hello", "straw beehive"]
    spec = f'{CALLS}:greet (STRCMP("{text}", arg1)) "same"'
    assert len(trace_lines(spec, work=lambda: run_calls(4))) == 4
    spec = f'{CALLS}:greet (STRCMP("other", arg1)) "same"'
    assert trace_lines(spec, work=lambda: run_calls(4)) == []


def test_trace_returns_tracepoints_and_limits():
    lines = trace_lines("-M", 2, "-T", "-C", f'r:{CALLS}:add "= %d", retval',
                        work=lambda: run_calls(5))
    assert len(lines) == 2 and re.search(r"= -?\d+$", lines[0])
    lines = trace_lines("-p", os.getpid(), 't:syscalls:sys_enter_kill "%d", args->sig',
                        work=lambda: os.kill(os.getpid(), 0))
    assert lines[0].endswith(" 0")  # the other is what ends the tool


def test_trace_of_the_kernel(tmp_path):
    needs("kprobe:do_sys_openat2")
    path = tmp_path / "traced"
    lines = trace_lines("-p", os.getpid(), 'do_sys_openat2 "%s", arg2@user',
                        work=lambda: path.write_text("x"))
    assert any(line.endswith(str(path)) for line in lines)


def test_argdist_counts():
    spec = f"p:{CALLS}:six(int64_t a, int64_t b):int64_t,int:a,b"
    with Tool("argdist", "--cumulative", "-i", 60, spec, f"r:{CALLS}:add()") as tool:
        run_calls(20)
    assert "lost" not in tool.errors.lower()
    with Tool("argdist", "--cumulative", "--number", 1, "-i", 2, spec, ends=True) as tool:
        run_calls(20)
    row, = tool.rows
    assert row["count"] == 20 and set(row) == {"a", "b", "count"}


def test_argdist_histogram_of_latency():
    with Tool("argdist", "-H", "--number", 1, "-i", 2, "-p", os.getpid(),
              "r:c:usleep(unsigned int us):u64:$latency/1000:$entry(us)>10000#naps",
              ends=True) as tool:
        for _ in range(5):
            LIBC.usleep(20000)
            LIBC.usleep(1)
    assert hist_count(tool.maps["@hist_0"]) == hist_between(tool.maps["@hist_0"], 16384, 2**30) == 5
    assert "naps" in tool.printed


def test_argdist_strings_text():
    with Tool("argdist", "--number", 1, "-i", 1, "-T", 1,
              f"p:{CALLS}:greet(const char *name):char*:name:STRCMP(\"hello\", name)",
              json=False, ends=True) as tool:
        run_calls(9)
    clock, label, heading, row = tool.text.splitlines()[:4]
    assert clock.startswith("[") and label.startswith("p:")
    assert heading.split() == ["name", "COUNT"] and row.split() == ["hello", "9"]


@pytest.mark.parametrize("tool,spec,words", [
    ("funccount", "x:c:malloc", "none of p, r, t, u"),
    ("funccount", 'vfs_read{system("x")}', "character that none has"),
    ("funccount", "t::x", "needs its category"),
    ("trace", 'c:open "%d", arg1; } begin { system("id")', "no expression"),
    ("trace", 'c:open (arg1 == 1', "has no end"),
    ("trace", 'c:open "%d', "has no end"),
    ("trace", 'c:open "%d", arg1 // x', "no expression"),
    ("trace", 'r:c:open "%d", arg1', "no expression"),
    ("argdist", "p:c:open", "needs a signature"),
    ("argdist", "p:c:open(int fd):int:$latency", "for returns"),
    ("argdist", "p:c:open(int fd):wint_t:fd", "type that is not known"),
    ("argdist", "p:c:open(int fd):int,int:fd", "type for each"),
    ("argdist", "p:c:open(int fd):int:fd#a\x1b[1m", "control characters"),
])
def test_hostile_and_wrong_specifications(tool, spec, words):
    done = subprocess.run([SKEP, "tool", f"./tools/misc/{tool}.bt", spec], cwd=TOP, check=False,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert words in done.stderr and done.stdout == ""


def test_show_script():
    done = subprocess.run([SKEP, "tool", "./tools/misc/funccount.bt", "--show-script", "c:malloc"],
                          cwd=TOP, check=True, capture_output=True, text=True)
    assert 'uprobe:"c":"malloc"\n' in done.stdout and "%each" not in done.stdout
