#!/usr/bin/python3
"""Does what docs/ci.md says, in a folder of its own, and compares.

    tests/cmd/ci.py SKEP FILE.md

A fenced block with a name behind its language is a file, one of ```console is a session: lines behind
"$ " are run by sh, what follows must come out; "…" stands for anything. Of workflows (*.yml) the
scripts are run, for each version in the matrix, but for those that install packages. Prints what
differs; exit status 1 then.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path


def blocks(text):
    """(language, name, content, line) of each fenced block."""
    for block in re.finditer(r"^```(\w+) ?(\S*)\n(.*?)^```$", text, re.M | re.S):
        yield block[1], block[2], block[3], text.count("\n", 0, block.start()) + 1


def commands(content):
    """[command, what must come out] of a session."""
    found = []
    for line in content.splitlines():
        if line.startswith("$ "):
            found.append([line[2:], []])
        else:
            found[-1][1].append(line)
    return found


def scripts(workflow):
    """(script, version) of each step, for each version of the matrix."""
    versions = re.search(r"kernel: \[(.*)\]", workflow, re.I)[1].replace("'", "").split(", ")
    steps = re.findall(r"^ +run: \|\n((?: {10}.*\n)+)", workflow, re.M)
    steps += re.findall(r"^    - (.*)\n", workflow, re.M)
    return [(step, version) for step in steps if "install" not in step for version in versions]


def shell(command, folder, env):
    return subprocess.run(["sh", "-c", command], cwd=folder, env=env, check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def same(expected, got):
    pattern = "\n".join(re.escape(line).replace("…", ".*") for line in expected)
    return re.fullmatch(pattern, got.rstrip("\n"))


def run_session(content, folder, env):
    """What is not as the page says."""
    for command, expected in commands(content):
        done = shell(command, folder, env)
        if not same(expected, done.stdout):
            yield f"$ {command}\n{done.stdout}"


def run_workflow(content, folder, env):
    found = scripts(content)
    if not found:
        yield "no script is found"
    for script, version in found:
        done = shell("set -e\n" + script, folder, {**env, "KERNEL": version})
        if done.returncode:
            yield f"KERNEL={version} {script}\n{done.stdout}"


def main():
    skep, page = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    n, wrong = 0, []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bin").mkdir()
        (folder / "bin/skep").symlink_to(skep)
        env = {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}"}
        for language, file, content, line in blocks(page.read_text(encoding="utf-8")):
            n += 1
            differs = []
            if file:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).write_text(content, encoding="utf-8")
            if language == "console":
                differs = run_session(content, folder, env)
            elif language == "yaml":
                differs = run_workflow(content, folder, env)
            wrong += [f"{page.name}:{line}: {what}" for what in differs]
    print("\n".join([*wrong, f"{n} blocks, {len(wrong)} differ"]))
    return 1 if wrong or not n else 0


if __name__ == "__main__":
    sys.exit(main())
