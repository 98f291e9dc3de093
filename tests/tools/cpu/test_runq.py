"""runqlat, runqlen, runqslower: two processes on one CPU wait for each other, half the time."""

import time
from pathlib import Path

from toolbox import Tool, hist_between, hist_count
from work import last_cpu, spinning


def waited_us(processes):
    """What the kernel says that each has waited for a CPU so far."""
    return [int(Path(f"/proc/{process.pid}/schedstat").read_text().split()[1]) / 1000
            for process in processes]


def test_runqlat_of_each_process():
    with spinning("rqspin", 2, last_cpu()) as both, spinning("rqother", 1, last_cpu()):
        around = waited_us(both)
        with Tool("runqlat", "-P", "-n", "rqspin") as tool:
            inside = waited_us(both)
            time.sleep(1)
            inside = [now - then for now, then in zip(waited_us(both), inside)]
        around = [now - then for now, then in zip(waited_us(both), around)]
    found = tool.maps["@usecs_of"]
    assert set(found) == {f"{process.pid},rqspin" for process in both}
    for process, least, most in zip(both, inside, around):
        buckets = found[f"{process.pid},rqspin"]
        assert hist_count(buckets) >= 10
        assert sum(bucket["count"] * bucket["min"] for bucket in buckets) <= most
        assert sum(bucket["count"] * (bucket["max"] + 1) for bucket in buckets) >= least
        # others come and go on that CPU, and are waited for, too: not for long
        long = sum(bucket["count"] * bucket["min"] for bucket in buckets if bucket["min"] >= 512)
        short = sum(bucket["count"] * (bucket["max"] + 1) for bucket in buckets
                    if bucket["min"] < 512)
        assert long >= short


def test_runqlat_of_one_in_milliseconds_and_intervals():
    with spinning("rqspin", 2, last_cpu()) as both:
        with Tool("runqlat", "-m", "-p", both[0].pid, 1, 2, ends=True) as tool:
            pass
    assert len(tool.of_type("hist")) == 2
    assert set(tool.maps) == {"@msecs"}
    assert all(hist_between(data["@msecs"], 1, 2**30) >= 5 for data in tool.of_type("hist"))


def test_runqlat_of_threads_and_namespaces():
    with spinning("rqspin", 2, last_cpu()) as both:
        with Tool("runqlat", "-L", "-t", both[0].pid, 1, 1, ends=True) as tool:
            pass
        with Tool("runqlat", "--pidnss", "-n", "rqspin", 1, 1, ends=True) as namespaces:
            pass
    assert list(tool.maps["@usecs_of"]) == [f"{both[0].pid},rqspin"]
    assert len(namespaces.maps["@usecs_of"]) == 1


def test_runqlat_text():
    with Tool("runqlat", "-T", 1, 1, json=False, ends=True) as tool:
        pass
    clock, name, *buckets = tool.text.splitlines()
    assert clock.count(":") == 2 and name == "@usecs:" and any("|@" in line for line in buckets)


def test_runqslower():
    with spinning("rqspin", 2, last_cpu()) as both:
        pids = {process.pid for process in both}

        def after_the_other(rows):
            return any(row["prev_tid"] in pids - {row["tid"]} for row in rows)

        with Tool("runqslower", "-P", "-n", "rqspin", 500) as tool:
            time.sleep(1)
            tool.rows_until(after_the_other)
    assert {row["tid"] for row in tool.rows} == pids
    assert all(row["lat_us"] >= 500 for row in tool.rows)
    assert all(row["prev_tid"] != row["tid"] and row["prev_comm"] for row in tool.rows)
    assert after_the_other(tool.rows)


def test_runqslower_only_what_is_slower():
    with spinning("rqspin", 2, last_cpu()):
        with Tool("runqslower", "-n", "rqspin", 60000000) as tool:
            time.sleep(0.3)
    assert tool.rows == []


def test_runqlen_of_each_cpu():
    cpu = last_cpu()
    with spinning("rqspin", 3, cpu):
        with Tool("runqlen", "-C", 1, 1, ends=True) as tool:
            pass
    buckets = tool.maps["@runqlen_of"][str(cpu)]
    assert 80 <= hist_count(buckets) <= 110
    assert hist_between(buckets, 2, 2**30) >= hist_count(buckets) * 0.9


def test_runqlen_occupancy():
    cpu = last_cpu()
    with spinning("rqspin", 3, cpu):
        with Tool("runqlen", "-O", "-C", 1, 1, ends=True) as tool:
            pass
    row, = [row for row in tool.rows if row["cpu"] == cpu]
    assert 95 <= row["occupancy"] <= 100


def test_runqlen_all():
    with Tool("runqlen", "-O", "-T", 1, 1, json=False, ends=True) as tool:
        pass
    _clock, heading, value = tool.text.splitlines()
    assert heading.strip() == "OCCUPANCY(%)" and 0 <= float(value) <= 100
