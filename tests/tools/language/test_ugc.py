"""ugc: collections that programs ask for are there, each once, with what they were."""

from interpreters import java, node, program, python, script
from toolbox import Tool

PYTHON_WORK = """
import gc
gc.disable()
class Thing: pass
for i in range(500):
    thing = Thing(); thing.itself = thing
del thing
gc.collect(1)
for i in range(3): gc.collect(0)
"""


def run(*options, seconds=30):
    with Tool("ugc", *options, ends=True, seconds=seconds) as tool:
        pass
    return tool


def test_python(tmp_path):
    path = script(tmp_path, "work.py", PYTHON_WORK)
    rows = run("-l", "python", "-c", f"{python()} -S {path}").rows
    assert "generation 1" in [row["description"] for row in rows]
    at = [row["description"] for row in rows].index("generation 1")
    assert [row["description"] for row in rows[at:at + 4]] == ["generation 1"] + 3 * ["generation 0"]
    assert 500 <= rows[at]["freed"] <= 1200  # an object, and perhaps its dictionary
    assert [row["freed"] for row in rows[at + 1:at + 4]] == [0, 0, 0]
    assert all(row["time_us"] > 0 for row in rows)
    only = run("-l", "python", "-F", "ration 1", "-m", "-c", f"{python()} -S {path}").rows
    assert [row["description"] for row in only] == ["generation 1"]
    assert 0 < only[0]["time_ms"] < 1000
    assert not run("-M", "30000", "-c", f"{python()} -S {path}").rows


def test_ruby(tmp_path):
    def marks(n):
        path = script(tmp_path, "work.rb", f"GC.disable; {n}.times {{ GC.start }}")
        rows = run("-c", f"{program('ruby')} --disable-gems {path}").rows
        assert {row["description"] for row in rows} <= {"mark", "sweep"}
        return sum(row["description"] == "mark" for row in rows)
    few, many = marks(2), marks(7)
    assert many - few == 5


def test_java(tmp_path):
    command = java(tmp_path, "public class Work { public static void main(String[] a) { "
                   "byte[] b = new byte[1 << 22]; b = null; "
                   "for (int i = 0; i < 3; i++) System.gc(); } }")
    rows = run("-l", "java", "-c", command).rows
    assert [row["description"] for row in rows] == 3 * ["MarkSweepCompact"]
    assert rows[0]["before_kb"] - rows[0]["after_kb"] >= 4096
    assert abs(rows[2]["before_kb"] - rows[2]["after_kb"]) < 1024


def test_node(tmp_path):
    path = script(tmp_path, "work.js", "for (let i = 0; i < 3; i++) gc(); "
                  "for (let i = 0; i < 5; i++) gc({type: 'minor'});")
    rows = run("-l", "node", "-c", f"{node()} --expose-gc {path}", seconds=60).rows
    kinds = [row["description"] for row in rows]
    assert kinds.count("mark-compact") >= 3
    assert kinds.count("scavenge") + kinds.count("minor mark-compact") >= 5
    assert len(kinds) <= 12


def test_text(tmp_path):
    path = script(tmp_path, "work.py", PYTHON_WORK)
    with Tool("ugc", "-F", "generation 1", "-c", f"{python()} -S {path}", ends=True,
              json=False) as tool:
        pass
    heading, line = tool.text.splitlines()
    assert heading.split() == ["START", "PID", "TIME(us)", "DESCRIPTION", "FREED"]
    assert "generation 1" in line
