"""Reads tests/scripts/*.test: blocks of `DIRECTIVE value` lines, an empty line between blocks.

A line that starts with white space goes on with the value above it, with as much of
the indentation taken away as the directive's name and one space take. # at the start
of a line: a comment. The directives are described in docs/testing.md.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

SINGLE = {"NAME", "PROG", "FILE", "RUN", "OPTIONS", "AFTER", "ENV"}
REPEATED = {"BEFORE", "REQUIRES", "SETUP", "CLEANUP"}
NUMBER = {"TIMEOUT", "EXPECT_EXIT"}
EXPECTS = {"EXPECT", "EXPECT_NONE", "EXPECT_REGEX", "EXPECT_REGEX_NONE", "EXPECT_FILE",
           "EXPECT_JSON"}


class BlockError(Exception):
    """A block that cannot be read, with its place."""


@dataclass
class Block:
    place: str
    NAME: str = ""
    PROG: str = ""
    FILE: str = ""
    RUN: str = ""
    OPTIONS: str = ""
    AFTER: str = ""
    ENV: str = ""
    BEFORE: list = field(default_factory=list)
    REQUIRES: list = field(default_factory=list)
    SETUP: list = field(default_factory=list)
    CLEANUP: list = field(default_factory=list)
    TIMEOUT: int = 10
    EXPECT_EXIT: int = 0
    expects: list = field(default_factory=list)


def items_of(lines):
    """Each directive of a block as [name, value], continued lines joined."""
    items = []
    for line in lines:
        if line[0].isspace() and items:
            width = len(items[-1][0]) + 1
            lead = len(line) - len(line.lstrip())
            items[-1][1] += "\n" + line[min(width, lead):]
        else:
            name, _, value = line.partition(" ")
            items.append([name, value.strip() if name not in ("PROG", "EXPECT") else value])
    return items


def put(block, name, value, given):
    if name in EXPECTS:
        block.expects.append((name, value))
    elif name in REPEATED:
        getattr(block, name).append(value)
    elif name in SINGLE | NUMBER:
        if name in given:
            raise BlockError(f"{block.place}: {name} is there twice")
        setattr(block, name, int(value) if name in NUMBER else value)
        given.add(name)
    else:
        raise BlockError(f"{block.place}: there is no directive {name}")


def read_block(lines, place):
    block, given = Block(place), set()
    for name, value in items_of(lines):
        put(block, name, value, given)
    if not block.NAME:
        raise BlockError(f"{place}: NAME is missing")
    if len([name for name in ("PROG", "FILE", "RUN") if name in given]) != 1:
        raise BlockError(f"{place}: one of PROG, FILE, RUN is needed")
    if not block.expects and "EXPECT_EXIT" not in given:
        raise BlockError(f"{place}: nothing is expected")
    return block


def read_file(path):
    blocks, lines, first = [], [], 0
    for n, line in enumerate(Path(path).read_text(encoding="utf-8").split("\n") + [""], 1):
        if line.startswith("#"):
            continue
        if line.strip():
            first = first if lines else n
            lines.append(line.rstrip())
        elif lines:
            blocks.append(read_block(lines, f"{Path(path).name}:{first}"))
            lines = []
    names = [block.NAME for block in blocks]
    for name in names:
        if names.count(name) > 1:
            raise BlockError(f"{path}: {name!r} is there twice")
    return blocks


def expectation_met(kind, value, output, folder):
    """Whether @output is as one EXPECT says. Plain text is compared by whole lines."""
    if kind in ("EXPECT", "EXPECT_NONE"):
        lines = [re.escape(line.strip()) for line in value.split("\n")]
        found = re.search(r"^[ \t]*" + r"[ \t]*\n[ \t]*".join(lines) + r"[ \t]*$", output, re.M)
        return bool(found) == (kind == "EXPECT")
    if kind in ("EXPECT_REGEX", "EXPECT_REGEX_NONE"):
        return bool(re.search(value, output, re.M)) == (kind == "EXPECT_REGEX")
    wanted = (folder / value).read_text(encoding="utf-8")
    if kind == "EXPECT_FILE":
        return output.strip() == wanted.strip()
    return json_lines(output) == json_lines(wanted)


def json_lines(text):
    import json

    return [json.loads(line) for line in text.splitlines() if line.strip()]
