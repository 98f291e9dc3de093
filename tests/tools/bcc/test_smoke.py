"""BCC's own smoke tests under our names: smoke.toml says what is run and what must come of it."""

import os
import pty
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import works
from toolbox import Tool, reason_against

FOLDER = Path(__file__).resolve().parent
ROWS = tomllib.loads((FOLDER / "smoke.toml").read_text(encoding="utf-8"))["tool"]
KEYS = {"run", "needs", "lacks", "says", "ends", "on", "work", "shows", "sums", "times", "nothing"}


class Called(Tool):
    """By the tool's name alone, as where a link of that name leads to skep."""

    @staticmethod
    def called(name):
        return [name]


@pytest.fixture(name="scene")
def scene_of_ones_own(tmp_path):
    scene = works.Scene(tmp_path)
    yield scene
    scene.close()


def fill(text, words):
    return re.sub(r"\{(\w+)\}", lambda found: str(words[found[1]]), text)


def prepare(row, scene):
    """What must be there before the tool; the rest of its works."""
    if "{tty}" in row["run"]:
        master, scene.slave = pty.openpty()
        scene.undo.append(lambda: (os.close(master), os.close(scene.slave)))
        scene.words["tty"] = os.ttyname(scene.slave)
    if "{worker}" in row["run"]:
        works.worker(scene)
    for name in row.get("work", []):
        if name in works.BESIDE:
            works.BESIDE[name](scene)
        if name == "other_skep":
            works.other_skep(scene)
    return [name for name in row.get("work", []) if name not in {*works.BESIDE, "other_skep"}]


def check_refused(words, says):
    """One error that says why, and nothing else."""
    with Called(*words, json=False, ends=True, status=1) as tool:
        pass
    assert tool.text == ""
    errors = [line for line in tool.errors.splitlines() if line.startswith("error ")]
    assert len(errors) == 1 and says in tool.errors, tool.errors


def check_shown(row, words, text):
    for pattern in row.get("shows", []):
        assert re.search(fill(pattern, words), text, re.M), f"{fill(pattern, words)}\n{text}"
    if "times" in row:
        pattern, n = row["times"]
        assert len(re.findall(pattern, text, re.M)) == n, f"{pattern}\n{text}"
    if "sums" in row:
        pattern, least, most = row["sums"]
        total = sum(int(n) for n in re.findall(fill(pattern, words), text, re.M))
        assert least <= total and (most < 0 or total <= most), f"{pattern}: {total}\n{text}"


@pytest.mark.parametrize("row", ROWS, ids=[row["run"] for row in ROWS])
def test_smoke(row, scene):
    if row.get("on", scene.file_system) != scene.file_system:
        pytest.skip(f"needs {row['on']} at {scene.folder}, which is {scene.file_system}")
    todo = prepare(row, scene)
    words = shlex.split(fill(row["run"], scene.words))
    if "lacks" in row and reason_against(row["lacks"]):
        check_refused(words, row["says"])
        return
    reason = reason_against(row["needs"]) if "needs" in row else ""
    if reason:
        check_refused(words, row.get("says", f"error B0029: {words[0]} cannot run: "))
        pytest.skip(f"says so: it needs {row['needs']}: {reason}")
    with Called(*words, json=False, ends=row.get("ends", False)) as tool:
        for name in todo:
            getattr(works, name)(scene)
    assert not re.search(r"^error ", tool.errors, re.M), tool.errors
    check_shown(row, scene.words, tool.text)


def test_rows_are_whole():
    names = [row["run"] for row in ROWS]
    assert len(names) == len(set(names))
    for row in ROWS:
        assert set(row) <= KEYS, row
        assert set(row) & {"shows", "sums", "times", "nothing", "lacks"}, row
        for name in row.get("work", []):
            assert name in works.BESIDE or callable(getattr(works, name)), name
