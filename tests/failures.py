"""What failed, and why in a line: for the end of a long run, of which often only the end is read.

Of a program that speaks as cmocka does each failed case is found, and the one that it died in; of any
other the program itself. A reason is the first line that says something of an error.
"""

import re

LONGEST = 300
VERDICT = re.compile(r"\[ +(FAILED|PASSED|SKIPPED|OK) +\] ")
# In the order of what they tell. Sanitizers; what the kernel and the machine say of one thing; cmocka,
# Python, compilers; cases in other kernels.
TELLING = [re.compile(pattern) for pattern in (
    r"ERROR: \w+Sanitizer: .*|runtime error: .*", r"^.*: kernel .*, machine .*", r"\[ {2}ERROR {3}\] --- .*", r"^\w*Error: .*",
    r"^FAILED .*", r".*\berror: .*")]


def shortened(line):
    line = " ".join(line.split())
    return line if len(line) <= LONGEST else line[:LONGEST] + "…"


def reason_in(lines):
    """The most telling of @lines; the last one, if none tells anything."""
    for pattern in TELLING:
        for line in lines:
            if found := pattern.search(line):
                return shortened(found[0].removeprefix("[  ERROR   ] --- "))
    said = [line for line in lines if line.strip() and not line.startswith("[")]
    return shortened(said[-1]) if said else "it says nothing"


def place_in(lines):
    """Where cmocka says that it happened."""
    for line in lines:
        if found := re.match(r"\[ {3}LINE {3}\] --- (.*?): error: ", line):
            return f" ({found[1].removeprefix('../')})"
    return ""


def of_program(name, text, status):
    """(name of the case, reason) of each that failed in what a program called @name said."""
    found, case, lines = [], None, []
    for line in text.splitlines():
        if started := re.match(r"\[ RUN {6}\] (.*)", line):
            case, lines = started[1], []
        elif case and (verdict := VERDICT.match(line)):
            if verdict[1] == "FAILED":
                found.append((f"{name}: {case}", reason_in(lines) + place_in(lines)))
            case, lines = None, []
        else:
            lines.append(line)
    if case:
        found.append((f"{name}: {case}", f"{reason_in(lines)} (exit status {status})"))
    return found or [(name, f"{reason_in(text.splitlines())} (exit status {status})")]


def of_case(case):
    """The reason, if a testcase of a JUnit file has failed; None: it has not."""
    for kind in ("failure", "error"):
        problem = case.find(kind)
        if problem is not None:
            # Of what was not even begun, the message says no more than that.
            said = re.findall(r"^E +(.*)", problem.text or "", re.M) if kind == "error" else []
            return shortened(" ".join(said) or problem.get("message") or problem.text or kind)
    return None
