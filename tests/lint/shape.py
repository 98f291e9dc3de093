"""The shape of the code: lengths of functions, files and lines of comments, arguments, marks of
unfinished work, and libraries that print, exit or read argv."""

import re
import subprocess

from sources import TOP, c_files, text_of, tracked, without_comments

MAX_FUNCTION_LINES = 60
MAX_FILE_LINES = 900
MAX_PARAMETERS = 7  # five is the aim
MAX_COLUMNS = 100
MARKS = re.compile(r"\b(TODO|FIXME|XXX)\b")
PRINTS = re.compile(r"(?<![\w.>])(printf|puts|putchar|perror|exit|abort|fputs)\s*\("
                    r"|(?<![\w.>])v?fprintf\s*\(|\bstd(out|err)\b")


def functions(paths):
    """(path, line, name, lines, signature) of every function, by universal-ctags."""
    output = subprocess.run(["ctags", "-L", "-", "--languages=C", "--kinds-C=f",
                             "--fields=+neS", "-f", "-"], cwd=TOP, check=True, text=True,
                            input="\n".join(map(str, paths)), stdout=subprocess.PIPE).stdout
    for line in output.splitlines():
        name, path, *rest = line.split("\t")
        fields = dict(item.split(":", 1) for item in rest if ":" in item)
        first = int(fields["line"])
        yield (path, first, name, int(fields.get("end", first)) - first + 1,
               fields.get("signature", ""))


def parameters(signature):
    depth, n = 0, 1
    for c in signature[1:-1]:
        depth += (c in "([") - (c in ")]")
        n += c == "," and not depth
    return n


def check_functions():
    for path, line, name, lines, signature in functions(c_files("src", "tests", "fuzz")):
        if lines > MAX_FUNCTION_LINES:
            yield f"{path}:{line}: {name} has {lines} lines, over {MAX_FUNCTION_LINES}"
        if path.startswith("src/") and parameters(signature) > MAX_PARAMETERS:
            yield f"{path}:{line}: {name} has {parameters(signature)} parameters"


def check_files():
    for path in c_files("src", "include", "tests", "fuzz"):
        lines = text_of(path).count("\n")
        if lines > MAX_FILE_LINES:
            yield f"{path}: {lines} lines, over {MAX_FILE_LINES}"


def matches(paths, pattern, text=text_of):
    for path in paths:
        for n, line in enumerate(text(path).splitlines(), 1):
            found = pattern.search(line)
            if found:
                yield f"{path}:{n}: {found[0].strip()}"


def check_comments():
    """clang-format leaves comments alone, as it would tear their tables apart."""
    for path in c_files("src", "include", "tests", "fuzz", "bench", "examples"):
        text = text_of(path)
        rows = zip(text.splitlines(), without_comments(text).splitlines())
        for n, (line, code) in enumerate(rows, 1):
            if code.strip():
                continue
            if len(line.expandtabs(8)) > MAX_COLUMNS:
                yield f"{path}:{n}: a comment over {MAX_COLUMNS} columns"
            if re.match(r"\s*\*[^\s/*]", line):
                yield f"{path}:{n}: no blank behind the star of a comment"


def check_marks():
    sources = c_files("src", "include", "fuzz") + tracked("src/**.def", "include/**.def", "tools")
    yield from matches(sources, MARKS)


def check_prints():
    """Libraries: whatever is in src/ outside of src/cmd."""
    libraries = [path for path in c_files("src") if path.parts[1] != "cmd"]
    # What can do nothing but end: running out of memory.
    libraries = [path for path in libraries if str(path) != "src/base/arena.c"]
    yield from matches(libraries, PRINTS, lambda path: without_comments(text_of(path)))


def check():
    return [*check_functions(), *check_files(), *check_comments(), *check_marks(),
            *check_prints()]
