"""Tracked files name no machine's paths and no registry's hosts, and code files have no
trailing white space or missing last line end."""

import re

from sources import c_files, text_of, tracked

# Written so that this file does not find itself.
PLACES = re.compile(r"(?<!/proc/1234)/(?:work|root)/[\w.]|\b(?:deb|security)\.debian" + r"\.org|registry\.npmjs"
                    r"|pypi\." + r"org|proxy\.golang|\b(?:co-?worker|work" + r"place)\b"
                    r"|\bsub-?agents?\b", re.I)
BINARY = {".png", ".o", ".gz", ".bin", ".zst"}


def check_places():
    for path in tracked():
        if path.suffix in BINARY or path.parts[:2] == ("fuzz", "seeds"):
            continue
        for n, line in enumerate(text_of(path).splitlines(), 1):
            found = PLACES.search(line)
            if found:
                yield f"{path}:{n}: {found[0]}"


def check_ends():
    for path in c_files("src", "include", "tests", "fuzz"):
        text = text_of(path)
        if text and not text.endswith("\n"):
            yield f"{path}: no line end at the end"
        for n, line in enumerate(text.splitlines(), 1):
            if line != line.rstrip():
                yield f"{path}:{n}: white space at the end"


def check():
    return [*check_places(), *check_ends()]
