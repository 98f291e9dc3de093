"""What the lint looks at: the files git tracks (or would), by folder and ending."""

import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent


def tracked(*patterns):
    """Paths below the top, of files that are tracked or new, not ignored, and there."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others",
                             "--exclude-standard", "--", *patterns],
                            cwd=TOP, check=True, stdout=subprocess.PIPE, text=True).stdout
    return sorted({Path(name) for name in listed.split("\0") if name and (TOP / name).is_file()})


def c_files(*folders):
    patterns = [f"{folder}/**.{ending}" for folder in folders for ending in ("c", "h")]
    return tracked(*patterns)


def text_of(path):
    return (TOP / path).read_text(encoding="utf-8", errors="replace")


def without_comments(text):
    """C text with comments and the contents of strings blanked, lines kept where they are."""
    out, i, state = [], 0, ""
    while i < len(text):
        two, one = text[i:i + 2], text[i]
        if not state and two in ("/*", "//"):
            state = two
        elif state == "/*" and two == "*/":
            out.append("  ")
            state, i = "", i + 2
            continue
        elif state == "//" and one == "\n":
            state = ""
        elif state in ("'", '"'):
            if one == "\\":
                out.append("  ")
                i += 2
                continue
            if one == state:
                state = ""
        elif not state and one in ("'", '"'):
            state = one
            out.append(one)
            i += 1
            continue
        out.append(one if one == "\n" or not state else " ")
        i += 1
    return "".join(out)
