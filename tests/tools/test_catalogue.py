"""Every tool of the catalogue: its header is complete and says what the script does, and the script
loads: with no options, with all of them, and as each example has it.

Where this kernel lacks what a tool needs, the tool has to say so in one sentence.
"""

import json
import os
import re
import shlex
import subprocess

import pytest
from toolbox import SKEP, SLOW, TOP

SCRIPTS = {path.stem: path for path in sorted((TOP / "tools").glob("*/*.bt"))}
# What has a script behind its header: the others are functions of the program.
WITH_SCRIPT = [name for name, path in SCRIPTS.items()
               if re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.S).strip()]
PARAGRAPHS = ["shows", "how", "overhead", "caveats"]
OF_FILTERS = {"pid": "pid", "tid": "tid", "uid": "uid", "comm": "name", "cgroup": "cgroup"}
CANNOT = "error B0029: "  # the kernel, or what is installed, lacks something
NO_PROCESS = re.compile(r"error B0014: there is no process (\d+)")
NO_COMMAND = re.compile(r"error U0002: cannot start (\S+): ")
NO_DEVICE = re.compile(r"error T0111: no device at (\S+): ")
COLUMNS = 100


def skep(*args):
    """Its status and what it said."""
    done = subprocess.run([SKEP, "tool", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, errors="replace", check=False,
                          timeout=120 * SLOW, env=os.environ | {"NO_COLOR": "1"})
    return done.returncode, done.stdout, done.stderr


def listed():
    return [json.loads(line) for line in skep("list", "--json")[1].splitlines()]


def header(name):
    """The sections of the first comment as (name, text, what stands under it)."""
    comment = re.match(r"\s*/\*(.*?)\*/", SCRIPTS[name].read_text(encoding="utf-8"), re.S)[1]
    found = []
    for line in comment.split("\n"):
        line = re.sub(r"^\s*\* ?", "", line).rstrip()
        if line.startswith("  ") and found:
            found[-1][2].append(line.strip())
        elif line.strip():
            key, _, text = line.strip().partition(":")
            found.append((key, text.strip(), []))
    return found


def sections(name, key):
    return [" ".join([text, *more]) for found, text, more in header(name) if found == key]


def script(name):
    """Without comments."""
    text = SCRIPTS[name].read_text(encoding="utf-8")
    return re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*", "", text, flags=re.S)


def options(name):
    """(long name, placeholder or None) of the tool's own options."""
    found = [re.match(r"(?:-\w\s+)?--([\w-]+)(?:=(\S+))?", text)
             for text in sections(name, "option")]
    return [(match[1], match[2]) for match in found]


def asked_for(name):
    """The options that the script asks for, each with its default."""
    text = script(name)
    found = dict(re.findall(r'\bgetopt\(\s*"([\w-]+)"\s*(?:,\s*("[^"]*"|[^,()]+?)\s*)?[,)]', text))
    found.update((option, "") for columns in re.findall(r'\b(?:row|table)\(\s*((?:"[^"]*"\s*)+)', text)
                 for option in re.findall(r'(?:^"|[\s"])([\w-]+)\?', columns))
    if re.search(r"\btable\(", text) and "sort" in dict(options(name)):
        found["sort"] = ""  # table() itself asks for it
    return found


# Quoted text, or what is none, up to a | or > that is not quoted.
COMMAND = re.compile(r"""(?:'[^']*'|"[^"]*"|[^'"|>])*""")


def commands(name):
    """Those of the examples, without what their output goes to."""
    return [COMMAND.match(text)[0] for key, text, _ in header(name) if key == "example"]


def examples(name):
    return [shlex.split(text) for text in commands(name)]


def given_by_examples(name, option):
    for words in examples(name):
        for n, word in enumerate(words):
            if word.startswith(f"--{option}="):
                return word.partition("=")[2]
            if word == f"--{option}" and n + 1 < len(words):
                return words[n + 1]
    return None


def value_for(name, option, placeholder):
    """A value that the option takes: a choice, an example's, or its default, which may stand in
    brackets at the end of its help; of --sort, the first column that it names."""
    if "|" in placeholder:
        return placeholder.split("|")[0]
    help_text, = (text for text in sections(name, "option") if f"--{option}=" in text)
    said = re.search(r"\((\w+)\)$", help_text) or (option == "sort" and
                                                  re.search(r"\bby (\w+)", help_text))
    if said:
        return said[1]
    value = given_by_examples(name, option)
    if value is None:
        value = asked_for(name).get(option, "").strip('"')
    return value or "1"


def arguments(name):
    """Those that must be given, as an example gives them."""
    wanted = [text for text in sections(name, "argument") if "=" not in text.split()[0]]
    if not wanted:
        return []
    for words in examples(name):
        plain = [word for n, word in enumerate(words[1:], 1)
                 if not word.startswith("-") and not re.fullmatch("-[a-zA-Z]", words[n - 1])]
        if len(plain) >= len(wanted):
            return plain
    pytest.fail(f"no example of {name} gives its arguments")


def load(command):
    """@command, words for a shell, without attaching: the status and all that is said."""
    done = subprocess.run(["bash", "-c", f'exec "$SKEP" tool {command} --dry-run'],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
                          timeout=120 * SLOW, env=os.environ | {"NO_COLOR": "1", "SKEP": str(SKEP)})
    return done.returncode, done.stdout


def why_not_loaded(command):
    """"" if it compiles and the verifier takes it, without a warning; or what is missing here.
    Anything else fails. Processes, programs and devices of an example need not be here: others do as
    well."""
    status, said = load(command)
    for pattern, stand_in in ((NO_PROCESS, "$$"), (NO_COMMAND, "true"),
                              (NO_DEVICE, "/dev/null")):
        while status and pattern.match(said):
            command = command.replace(pattern.match(said)[1], stand_in)
            status, said = load(command)
    if status and said.startswith(CANNOT):
        return said.partition("\n")[0]
    assert (status, said) == (0, ""), f"skep tool {command}"
    return ""


def check_loads(*commands):
    reasons = list(filter(None, map(why_not_loaded, commands)))
    if reasons:
        pytest.skip("; ".join(reasons))


def test_the_program_has_the_scripts():
    names = {item["name"] for item in listed() if "tool" not in item}
    assert names == set(SCRIPTS), "build again"
    for name, path in SCRIPTS.items():
        assert skep("show", name)[1] == path.read_text(encoding="utf-8"), f"{name}: build again"


def test_names_are_there_once():
    names = [item["name"] for item in listed()]
    said = subprocess.run([SKEP, "help"], stdout=subprocess.PIPE, text=True, check=True).stdout
    commands = re.findall(r"^  (\w+) ", said, re.M)
    assert "trace" in commands
    assert len(names) == len(set(names))
    assert set(names).isdisjoint({"list", "search", "show", "help"})
    # BCC's trace and profile are tools of ours as well: only as skep tool trace, skep tool profile.
    assert set(names) & set(commands) == {"trace", "profile"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_header(name):
    title = header(name)[0]
    assert title[0] == name
    # A proper name may begin it: OpenSSL.
    assert title[1][0].islower() or not title[1].split()[0][1:].islower()
    assert not title[1].endswith(".")
    assert len(title[1]) <= COLUMNS - 19  # in the list, behind the name
    assert len(sections(name, "example")) >= 2
    for key in PARAGRAPHS:
        text, = sections(name, key)
        assert text.endswith((".", "…")), f"{key} is no sentence: {text}"
    for words in examples(name):
        known = {name, *(text.split()[0] for text in sections(name, "alias"))}
        assert words[0] in known, words


@pytest.mark.parametrize("name", WITH_SCRIPT)
def test_options(name):
    own, asked = {option for option, _ in options(name)}, set(asked_for(name))
    assert own == asked - set(OF_FILTERS.values()), "header and getopt() differ"
    filters = " ".join(sections(name, "filter")).split()
    text = script(name)
    uses = re.search(r"\bselected\(", text) or asked & {OF_FILTERS[word] for word in filters}
    assert bool(filters) == bool(uses), "filter: and selected() differ"


@pytest.mark.parametrize("name", SCRIPTS)
def test_help(name):
    status, out, err = skep(name, "--help")
    assert (status, err) == (0, "")
    assert [line for line in out.splitlines() if len(line) > COLUMNS] == []
    assert skep("help", name)[1] == out


@pytest.mark.parametrize("name", WITH_SCRIPT)
def test_loads_without_options(name):
    check_loads(shlex.join([name, *arguments(name)]))


@pytest.mark.parametrize("name", WITH_SCRIPT)
def test_loads_with_every_option(name):
    own = [f"--{option}={value_for(name, option, arg)}" if arg else f"--{option}"
           for option, arg in options(name)]
    values = {"pid": os.getpid(), "tid": os.getpid(), "uid": 0, "comm": "cat",
              "cgroup": "/sys/fs/cgroup"}
    filters = [f"--{OF_FILTERS[word]}={values[word]}"
               for word in " ".join(sections(name, "filter")).split()]
    check_loads(shlex.join([name, *own, *filters, *arguments(name)]))


@pytest.mark.parametrize("name", WITH_SCRIPT)
def test_examples(name):
    check_loads(*commands(name))


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_is_unsafe_needs_leave(name):
    """Who reads an example sees that."""
    unsafe = sections(name, "unsafe")
    assert {"--unsafe" in words for words in examples(name)} == {bool(unsafe)}


def test_there_are_tools_without_a_script():
    assert set(SCRIPTS) - set(WITH_SCRIPT) == {"reset-trace", "tplist"}


def test_aliases():
    found = [item for item in listed() if "tool" in item]
    assert len(found) == len([text for name in SCRIPTS for text in sections(name, "alias")])
    for item in found:
        status, out, _ = skep(item["name"], "--help")
        assert status == 0 and out.startswith(f"Usage: skep tool {item['name']} ")
    check_loads(*(shlex.join([item["name"], *arguments(item["tool"])]) for item in found))
