"""drsnoop: a process that must free pages of its group's limit itself."""

import os

import cgroups
from toolbox import Tool, needs


def reclaim(tmp_path, *options, **how):
    needs("tracepoint:vmscan:mm_vmscan_memcg_reclaim_begin")
    cgroups.needs_disk(tmp_path)
    with cgroups.limited("drsnoop", 40 << 20) as group:
        with Tool("drsnoop", *options, **how) as tool:
            process = cgroups.run_in(group, cgroups.FILL, tmp_path / "file", 120)
    assert process.returncode == 0
    return tool, process.pid


def test_reclaim_of_a_group(tmp_path):
    tool, pid = reclaim(tmp_path, "-g", "-e", "-U")
    rows = [row for row in tool.rows if row["pid"] == pid]
    assert rows
    assert {(row["kind"], row["uid"]) for row in rows} == {("cgroup", os.getuid())}
    assert sum(row["pages"] for row in rows) > 1000  # 80 MiB did not fit
    assert all(0 < row["lat_ms"] < 30000 for row in rows)


def test_only_of_the_machine(tmp_path):
    tool, pid = reclaim(tmp_path)
    assert not [row for row in tool.rows if row["pid"] == pid]


def test_text_and_only_long_ones(tmp_path):
    tool, pid = reclaim(tmp_path, "-g", "-T", json=False)
    assert tool.text.split("\n")[0].split() == [
        "TIME(s)", "COMM", "PID", "LAT(ms)", "PAGES", "KIND"]
    assert str(pid) in {row["PID"] for row in tool.table}
    tool, pid = reclaim(tmp_path, "-g", "-m", 100000)
    assert tool.rows == []
