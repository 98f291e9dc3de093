"""bpflist: what a process of skep itself holds: its program, its link, its maps."""

from toolbox import Tool

SCRIPT = "tracepoint:syscalls:sys_enter_nanosleep { @slept[pid] = count(); }"


def holder(tmp_path):
    path = tmp_path / "holder.bt"
    path.write_text("/*\n * holder: holds a program\n *\n * example: holder\n *   holds\n"
                    " * example: holder -h\n *   helps\n *\n * shows: Nothing.\n * how: So.\n"
                    " * overhead: None.\n * caveats: None.\n */\n" + SCRIPT)
    return str(path)


def test_counts_and_names(tmp_path):
    with Tool(holder(tmp_path)) as held:
        pid = held.process.pid
        with Tool("bpflist", "-p", pid, ends=True) as tool:
            pass
        with Tool("bpflist", "-v", "-p", pid, ends=True) as names:
            pass
    counts = {row["type"]: row["count"] for row in tool.rows}
    assert counts["prog"] == counts["link"] == 1 and counts["map"] >= 2
    assert {row["comm"] for row in tool.rows} == {"skep"}
    for kind, n in counts.items():
        assert len([row for row in names.rows if row["type"] == kind]) == n
    assert "slept" in {row["name"] for row in names.rows if row["type"] == "map"}
    program, link = [[row["name"] for row in names.rows if row["type"] == kind]
                     for kind in ("prog", "link")]
    assert program == link and program[0].startswith("sys_enter_nano")


def test_text(tmp_path):
    with Tool(holder(tmp_path)), Tool("bpflist", json=False, ends=True) as tool:
        pass
    assert tool.text.split("\n")[0].split() == ["PID", "COMM", "TYPE", "COUNT"]
