"""include/skep/diag.def: ids are unique and in form, every row is used, and every id is
named by a test. tests/lint/diagnostics-untested.txt lists those no test names yet; an id
there that a test does name is a finding too, so that the list only shrinks. Run by itself
it takes out of the list what no longer belongs there. src/verify/refusals.def: names are unique, and
every row is used.
"""

import re

from sources import TOP, c_files, text_of, tracked

ROW = re.compile(r'^DIAG\((\w+),\s*"([^"]*)",\s*(NOTE|WARNING|ERROR),\s*"((?:[^"\\]|\\.)*)"', re.M)
FORM = re.compile(r"[BIYERKLSPTUF]\d{4}")
REFUSAL = re.compile(r'^REFUSAL\((\w+), "(\w+)", -\w+, "', re.M)
REFUSALS = "src/verify/refusals.def"
UNTESTED = "tests/lint/diagnostics-untested.txt"


def check_rows(text, rows):
    if len(rows) != len(re.findall(r"^DIAG\(", text, re.M)):
        yield "include/skep/diag.def: a row is not as DIAG(NAME, id, severity, format, hint)"
    for column, what in ((0, "name"), (1, "id")):
        values = [row[column] for row in rows]
        for value in sorted({value for value in values if values.count(value) > 1}):
            yield f"include/skep/diag.def: the {what} {value} is there twice"
    for name, code, _, words in rows:
        if not FORM.fullmatch(code):
            yield f"include/skep/diag.def: {name}: {code} is no letter and four digits"
        if words.endswith((".", "\\n")):
            yield f"include/skep/diag.def: {name}: a sentence without full stop or line end"


def check_used(rows):
    source = "".join(text_of(path) for path in c_files("src") + tracked("src/**.def"))
    words = set(re.findall(r"\w+", source))
    for name, code, _, _ in rows:
        # A table may name a row without its prefix.
        if f"SKEP_DIAG_{name}" not in words and name not in words:
            yield f"include/skep/diag.def: nothing gives {code} ({name})"


def named_by_tests():
    paths = [path for path in tracked("tests") if path.parts[1] != "lint"]
    text = "\n".join(text_of(path) for path in paths)
    return set(re.findall(r"\b[A-Z]\d{4}\b", text)), set(re.findall(r"SKEP_DIAG_(\w+)", text))


def check_tested(rows):
    codes, names = named_by_tests()
    listed = set(re.findall(r"^[A-Z]\d{4}", text_of(UNTESTED), re.M))
    for name, code, _, _ in rows:
        tested = code in codes or name in names
        if tested and code in listed:
            yield f"{UNTESTED}: {code} has a test: take it out"
        if not tested and code not in listed:
            yield f"include/skep/diag.def: no test names {code} ({name})"
    for code in sorted(listed - {row[1] for row in rows}):
        yield f"{UNTESTED}: there is no {code}: take it out"


def check_refusals(text):
    rows = REFUSAL.findall(text)
    if len(rows) != len(re.findall(r"^REFUSAL\(", text, re.M)):
        yield f"{REFUSALS}: a row is not as REFUSAL(NAME, \"name\", -ERRNO, \"words\")"
    for column in (0, 1):
        values = [row[column] for row in rows]
        for value in sorted({value for value in values if values.count(value) > 1}):
            yield f"{REFUSALS}: the name {value} is there twice"
    words = set(re.findall(r"\w+", "".join(text_of(path) for path in c_files("src"))))
    yield from (f"{REFUSALS}: nothing refuses by {name}" for name, _ in rows if name not in words)


def check():
    text = text_of("include/skep/diag.def")
    rows = ROW.findall(text)
    return [*check_rows(text, rows), *check_used(rows), *check_tested(rows),
            *check_refusals(text_of(REFUSALS))]


def shrink():
    """Write the list anew with those of its ids that exist and still have no test."""
    codes, names = named_by_tests()
    listed = set(re.findall(r"^[A-Z]\d{4}", text_of(UNTESTED), re.M))
    left = [f"{code} {name}\n" for name, code, _, _ in ROW.findall(text_of("include/skep/diag.def"))
            if code in listed and code not in codes and name not in names]
    (TOP / UNTESTED).write_text("".join(left), encoding="utf-8")


if __name__ == "__main__":
    shrink()
