"""oomkill: the process that a group's limit kills."""

import signal

import cgroups
from toolbox import Tool


def kill_one(**how):
    with cgroups.limited("oomkill", 40 << 20) as group:
        with Tool("oomkill", **how) as tool:
            victim = cgroups.run_in(group, cgroups.EAT, 200)
    assert victim.returncode == -signal.SIGKILL
    return tool, victim.pid, group.name


def test_a_victim():
    tool, pid, group = kill_one()
    row, = (row for row in tool.rows if row["victim"] == pid)
    assert row["pid"] == pid
    assert row["victim_comm"] == row["comm"]
    assert row["mapped_kb"] > 30 << 10
    if (cgroups.ROOT / "cgroup.controllers").exists():  # a path of the one hierarchy
        assert row["cgroup"].endswith(group)


def test_text():
    tool, pid, _ = kill_one(json=False)
    assert tool.text.split("\n")[0].split() == [
        "TIME", "PID", "COMM", "VICTIM", "VICTIM_COMM", "MAPPED(KB)", "CGROUP"]
    assert str(pid) in {row["VICTIM"] for row in tool.table}
