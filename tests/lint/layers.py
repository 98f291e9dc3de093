"""Who may include whom: the #include lines of src/ against src/layers.txt.

Rules: a folder includes only folders named in its line (and itself); a line names only
folders of lines above it, so there is no cycle; a public header skep/x.h counts as the
folder it belongs to; a folder that has a public header is used through it, its others are
private (base has none to itself, and cmd, which puts the libraries together, may see all);
public headers include no private one.
"""

import re
from pathlib import Path

from sources import TOP, c_files, text_of, tracked

# Public headers that are not named after their folder.
HOME = {"arena": "base", "explain": "verify", "buf": "base", "diag": "base", "begin": "base", "end": "base",
        "helpers": "isa", "attach": "load", "check": "image", "helper_words": "helper", "map_types": "map"}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', re.M)


def read_layers():
    layers, findings = {}, []
    for n, line in enumerate(text_of("src/layers.txt").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, allowed = line.partition(":")
        for other in allowed.split():
            if other not in layers:
                findings.append(f"src/layers.txt:{n}: {name} names {other}, which is no line above")
        layers[name.strip()] = set(allowed.split())
    return layers, findings


def target_of(name, path, layers):
    """The folder that an include belongs to and whether it is private; None: not ours."""
    parts = name.split("/")
    if parts[0] == "skep":
        stem = parts[1].partition(".")[0]
        return HOME.get(stem, stem), False
    if (TOP / path.parent / name).resolve().is_file():
        inside = (TOP / path.parent / name).resolve().relative_to(TOP).parts
        return (inside[1], True) if inside[0] == "src" else None
    return (parts[0], True) if parts[0] in layers and len(parts) > 1 else None


def check_include(path, folder, name, layers):
    target = target_of(name, path, layers)
    if not target or target[0] == folder:
        return None
    other, private = target
    if other not in layers:
        return f"{name} belongs to no folder of src/layers.txt"
    if other not in layers[folder]:
        return f"{folder} may not include {other} ({name})"
    if private and folder != "cmd" and (TOP / f"include/skep/{other}.h").is_file():
        return f"{name} is private to {other}: use skep/{other}.h"
    return None


def shadows():
    """<linux/bpf.h> finds src/linux/bpf.h first: such a header must go on to the system's."""
    for path in c_files("src/linux"):
        passes_on = f"#include_next <linux/{path.name}>" in text_of(path)
        if (Path("/usr/include/linux") / path.name).exists() and not passes_on:
            yield f"{path}: hides <linux/{path.name}>"


def check_source(path, layers):
    folder = path.parts[1]
    if folder not in layers:
        yield f"{path}: {folder} is missing in src/layers.txt"
        return
    text = text_of(path)
    for match in INCLUDE.finditer(text):
        problem = check_include(path, folder, match[1], layers)
        if problem:
            yield f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {problem}"


def check_public(path):
    for name in INCLUDE.findall(text_of(path)):
        if (TOP / "src" / name).is_file():
            yield f"{path}: a public header includes the private {name}"


def check():
    layers, findings = read_layers()
    for path in c_files("src") + tracked("src/**.def"):
        findings += check_source(path, layers)
    for path in c_files("include"):
        findings += check_public(path)
    findings += shadows()
    return findings
