"""docs/kernels.md: which test passes on which kernel, written by ./dev kernel all and read by it.

A result is ("ok" | "not here" | "FAILED", reason). A table of results is a dict of the kernel's
name to a dict of the case's name to a result. In the file, a cell is "yes", "FAILED" or "no" with
the number of its reason in the list below; a case that a kernel's run did not have is empty.
"""

import re

HEAD = """\
# Kernels

    ./dev kernel                     the tests in Linux 6.1, under QEMU
    ./dev kernel 6.12                in that version: 6.1 and 6.12 are Debian's
    ./dev kernel scx                 in one with everything on, which it makes at first
    ./dev kernel FILE                in the kernel of this image
    ./dev kernel 6.12 load scripts/uprobe
                                     only cases whose name holds one of these
    ./dev kernel all                 in all of them and on the running kernel: writes the tables below

The same tests run everywhere: what a kernel has is found by asking it, never by its version. Those that
only hold the language, the compiler and the machine in user space are not here; see
[testing.md](testing.md), which also says what images need and how a kernel is booted by hand.

A case that passes on a kernel by the committed table, and does not any more, fails `./dev kernel`.

`yes`: passes. `no`: this kernel has not got it, for the reason of that number, in the kernel's words or
the test's. Empty: not run.
"""
FAMILY = "load/attach_"  # cases of these programs are attach types


def is_type(case):
    return case.startswith(FAMILY)


def cases_of(table):
    return sorted({case for results in table.values() for case in results})


def reasons_of(table):
    """Numbers of all reasons, by the order in which the tables have them."""
    numbers = {}
    for case in sorted(cases_of(table), key=lambda case: (not is_type(case), case)):
        for results in table.values():
            verdict, reason = results.get(case, ("", ""))
            if verdict == "not here":
                numbers.setdefault(reason, len(numbers) + 1)
    return numbers


def cell(result, numbers):
    verdict, reason = result
    if verdict == "not here":
        return f"no {numbers[reason]}"
    return {"ok": "yes"}.get(verdict, verdict)


def rows(table, cases, numbers, first):
    yield f"| {first} | " + " | ".join(table) + " |"
    yield "|---|" + "---|" * len(table)
    for case in cases:
        cells = [cell(results.get(case, ("", "")), numbers) for results in table.values()]
        yield f"| {case.removeprefix(FAMILY)} | " + " | ".join(cells) + " |"


def text(table, releases):
    """The file. @releases: what each kernel calls itself."""
    cases, numbers = cases_of(table), reasons_of(table)
    lines = [HEAD, "| kernel | release |", "|---|---|"]
    lines += [f"| {kernel} | {releases.get(kernel, '')} |" for kernel in table]
    lines += ["", "## Attach types", "", *rows(table, filter(is_type, cases), numbers, "type")]
    rest = [case for case in cases if not is_type(case)]
    lines += ["", "## Tests", "", *rows(table, rest, numbers, "test"), "", "## Reasons", ""]
    lines += [f"{number}. {reason}" for reason, number in numbers.items()]
    return "\n".join(lines) + "\n"


def reasons_in(lines):
    found = (re.match(r"(\d+)\. (.*)", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


def result_of(word, reasons):
    verdict, _, number = word.partition(" ")
    if verdict == "no":
        return "not here", reasons.get(number, "")
    return {"yes": "ok"}.get(verdict, verdict), ""


def read(path):
    """The table and the releases that a file has; none if it is not there."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    reasons, table, releases, kernels, first = reasons_in(lines), {}, {}, [], ""
    for line in lines:
        cells = [part.strip() for part in line.strip("|").split("|")] if line[:1] == "|" else []
        if not cells or cells[0].startswith("---"):
            continue
        if cells[0] in ("kernel", "type", "test"):
            first, kernels = cells[0], cells[1:]
        elif first == "kernel":
            releases[cells[0]] = cells[1]
        else:
            case = FAMILY + cells[0] if first == "type" else cells[0]
            for kernel, word in zip(kernels, cells[1:]):
                if word:
                    table.setdefault(kernel, {})[case] = result_of(word, reasons)
    return table, releases
