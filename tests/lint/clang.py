"""Compiles what the build compiles by clang, for its words alone: warnings, and whether it can.

A clang that is started once for each file takes most of its time to start. Here one compiles a dozen
files which meson gives the same options, down to machine code that nobody keeps. The options are those
of a build folder for clang, in which only the generated sources are made.
"""

import collections
import concurrent.futures
import json
import os
import re
import shlex
import subprocess

BATCH = 12
HERE = "@includes@"  # where the search paths go


def said(command, folder, **kwargs):
    """The status, and what it says, as lines."""
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", check=False, **kwargs)
    return done.returncode, done.stdout.splitlines()


def options_of(command):
    """(search paths, all other options) of a command that compiles one file. A target's own folder
    is no search path that matters: objects are in it, nothing that is included."""
    words, paths, options = iter(shlex.split(command)[1:]), [], []
    for word in words:
        if word in ("-o", "-MQ", "-MF", "-c"):
            next(words)
        elif word.startswith("-I") and word != "-I":
            paths += [] if word.endswith(".p") else [word]
        elif word != "-MD":
            options.append(word)
    return tuple(paths), tuple(options)


def batches(commands):
    """(options, files) of each run of the compiler; the longest ones first."""
    groups = collections.defaultdict(list)
    for command in commands:
        groups[options_of(command["command"])].append(command["file"])
    found = [(options, files[i:i + BATCH]) for options, files in groups.items()
             for i in range(0, len(files), BATCH)]
    return sorted(found, key=lambda batch: -len(batch[1]))


def compiler_for(options, folder):
    """The words of the compiler itself, which takes any number of files, for options of its driver."""
    _, lines = said(["clang", "-###", f"-I{HERE}", *options, "-fno-color-diagnostics",
                     "-c", "-o", "none", "-x", "c", os.devnull], folder)
    words = next((shlex.split(line) for line in lines if '"-cc1"' in line), None)
    if not words:
        raise ValueError(f"clang does not know: {' '.join(lines)}")
    words[words.index("-emit-obj")] = "-emit-codegen-only"
    for name in ("-main-file-name", "-o", "-ferror-limit"):
        at = words.index(name)
        del words[at:at + 2]
    return words[:-1]


def compiled(compiler, paths, files, folder):
    at = compiler.index(HERE) - 1
    words = compiler[:at] + list(paths) + compiler[at + 2:]
    status, lines = said([*words, "-ferror-limit", "0", *files], folder)
    if status and len(files) > 1:
        # What is wrong with one may keep it from looking at the next.
        return [line for file in files for line in compiled(compiler, paths, [file], folder)]
    findings = [line for line in lines if not re.match(r"\d+ (warning|error)s?\b.* generated", line)]
    return findings or [f"{' '.join(files)}: exit status {status}"] if status else findings


def findings_of(commands, folder, jobs):
    """What clang says of @commands, of a compile_commands.json in @folder."""
    work = batches(commands)
    compilers = {options: compiler_for(options, folder)
                 for options in dict.fromkeys(options for (_, options), _ in work)}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        found = list(pool.map(lambda batch: compiled(compilers[batch[0][1]], batch[0][0], batch[1],
                                                     folder), work))
    # A header's finding comes once for each file that includes it.
    return list(dict.fromkeys(line for lines in found for line in lines))


def generated(folder):
    """What is made by a command and compiled, or included."""
    _, lines = said(["ninja", "-t", "targets", "all"], folder)
    return [line.split(":")[0] for line in lines
            if re.search(r"\.(c|h|def): CUSTOM_COMMAND", line)]


def prepared(top, folder):
    """Configured, and with what is generated; what was in the way of that, as lines."""
    if not (folder / "build.ninja").exists():
        status, lines = said(["meson", "setup", folder, "-Doptimization=0", "-Ddebug=false"], top,
                             env=os.environ | {"CC": "clang"})
        if status:
            return lines
    for targets in (lambda: ["build.ninja"], lambda: generated(folder)):
        status, lines = said(["ninja", *targets()], folder)
        if status:
            return lines
    return []


def check(top, jobs):
    """Findings for the sources in @top, of which build-clang is the folder."""
    folder = top / "build-clang"
    problems = prepared(top, folder)
    if problems:
        return problems
    commands = json.loads((folder / "compile_commands.json").read_text())
    return findings_of(commands, folder, jobs)
