"""toolbox.py itself, and what skep tool makes of a header: with scripts made for that."""

import os
import subprocess
import tempfile

import pytest
from toolbox import SKEP, Tool, hist_between, hist_count, needs

HEADER = """/*
 * small: a tool for tests
 *
 * filter: pid
 * option: -x --exact         without rounding
 * option: -m --least=MS      the least that counts
 * option: --type=ext4|xfs    of which file system
 * argument: TIMES=3          how many
 * argument: NAME=nobody      of whom
 *
 * example: small -x
 *   exact
 *
 * shows: What it was given.
 */
"""
SHOWS = """begin {
	printf("exact %d least %d type %s times %d name %s", getopt("exact"), getopt("least", 0),
		getopt("type", "none"), $1, str($2));
	exit();
}
"""


def small(tmp_path, body, header=HEADER):
    path = tmp_path / "small.bt"
    path.write_text(header + body, encoding="utf-8")
    return str(path)


def said(tmp_path, *args, body=SHOWS):
    with Tool(small(tmp_path, body), *args, ends=True) as tool:
        pass
    return tool.printed


def refused(tmp_path, *args, status=2, **kwargs):
    with Tool(small(tmp_path, SHOWS, **kwargs), *args, json=False, ends=True, status=status) as tool:
        pass
    assert tool.text == ""
    return tool.errors


def test_defaults(tmp_path):
    assert said(tmp_path) == "exact 0 least 0 type none times 3 name nobody"


def test_options_and_arguments(tmp_path):
    assert (said(tmp_path, "-x", "7", "-m", "12", "--type=xfs", "me") ==
            "exact 1 least 12 type xfs times 7 name me")


def test_argument_that_looks_like_an_option(tmp_path):
    assert said(tmp_path, "--", "1", "--exact") == "exact 0 least 0 type none times 1 name --exact"


def test_option_unknown(tmp_path):
    assert "B0006: skep tool " in refused(tmp_path, "--exakt")
    assert "did you mean --exact?" in refused(tmp_path, "--exakt")


def test_option_takes_a_number(tmp_path):
    text = refused(tmp_path, "-m", "much")
    assert text.startswith('error T0140: the option --least wants a number, not "much"\n  try: ')
    assert text.count("error") == 1
    assert "small.bt:" not in text


def test_option_has_choices(tmp_path):
    assert "B0010: option --type takes ext4 or xfs, not zfs" in refused(tmp_path, "--type=zfs")


def test_argument_is_a_number(tmp_path):
    assert "B0025: argument TIMES is a number, not many" in refused(tmp_path, "many")


def test_too_many_arguments(tmp_path):
    assert "B0013: skep tool" in refused(tmp_path, "1", "me", "you")


def test_argument_that_must_be_given(tmp_path):
    header = HEADER.replace("TIMES=3 ", "TIMES ")
    assert "B0012: skep tool" in refused(tmp_path, header=header.replace("NAME=nobody", "NAME"))


def test_all_arguments_that_follow(tmp_path):
    header = HEADER.replace("NAME=nobody", "NAME…=")
    path = small(tmp_path, "begin { printf(\"%d %s %s\", $#, str($2), str($4)); exit(); }", header)
    with Tool(path, "1", "a", "b", "c", ends=True) as tool:
        pass
    assert tool.printed == "4 a c"
    with Tool(path, ends=True) as tool:
        pass
    assert tool.printed == "1  "


def test_process_that_is_none(tmp_path):
    assert "B0014: there is no process 4194303" in refused(tmp_path, "-p", "4194303")


PID_HEADER = HEADER.replace(" * argument: TIMES", " * argument: PID=0          whom\n"
                            " * argument: TIMES")
PID_SHOWS = SHOWS.replace('exact %d', '%s exact %d').replace('getopt("exact")', 'getopt("pid", "any"), getopt("exact")')


@pytest.mark.parametrize("words,pid,times", [
    ((), "any", 3), (("0", "7"), "any", 7), ((os.getpid(), "7"), os.getpid(), 7),
    (("-p", os.getpid(), "7"), os.getpid(), 7), (("-c", "sleep 9", "7"), "any", 7)])
def test_argument_that_is_the_process(tmp_path, words, pid, times):
    with Tool(small(tmp_path, PID_SHOWS, PID_HEADER), *words, ends=True, status=None) as tool:
        pass
    assert tool.printed == f"{pid} exact 0 least 0 type none times {times} name nobody"


def test_argument_that_is_no_process(tmp_path):
    assert "B0025: argument PID is a number, not me" in refused(tmp_path, "me", header=PID_HEADER)
    assert "B0014: there is no process 4194303" in refused(tmp_path, "4194303", header=PID_HEADER)


def test_process_and_command(tmp_path):
    text = refused(tmp_path, "-p", "1", "-c", "true")
    assert text.startswith("error B0011: options --pid and --cmd exclude each other")


def test_cgroup_that_is_none(tmp_path):
    header = HEADER.replace("filter: pid", "filter: pid cgroup")
    path = small(tmp_path, "begin /selected()/ { exit(); } interval:s:9 /selected()/ { exit(); }",
                 header)
    with Tool(path, "--cgroup=/none", json=False, ends=True, status=2) as tool:
        pass
    assert tool.errors.startswith("error T0102: no cgroup at /none: No such file or directory\n")
    assert tool.errors.count("error") == 1


def test_option_that_every_tool_has(tmp_path):
    header = HEADER.replace("--exact ", "--json ")
    text = refused(tmp_path, status=1, header=header)
    assert text.startswith("error P0093: --json is there twice\n")


def test_no_header(tmp_path):
    text = refused(tmp_path, status=1, header="/* only words */\n")
    assert text.startswith("error P0090: this is no tool: the first line of its comment is not ")


def test_file_that_is_not_there(tmp_path):
    with Tool(f"{tmp_path}/none.bt", json=False, ends=True, status=1) as tool:
        pass
    assert tool.errors.startswith("error B0001: cannot read ")


def test_tool_that_is_none():
    with Tool("opensnoup", json=False, ends=True, status=2) as tool:
        pass
    assert tool.errors.startswith("error B0026: there is no tool opensnoup\n")


def test_help(tmp_path):
    path = small(tmp_path, SHOWS)
    done = subprocess.run([SKEP, "tool", path, "--help"], capture_output=True, text=True,
                          check=True)
    lines = done.stdout.splitlines()
    assert lines[:3] == [f"Usage: skep tool {path} [OPTIONS] [TIMES [NAME]]", "",
                         "small: a tool for tests"]
    assert "  TIMES                        how many (3)" in lines
    assert "  -m, --least MS               the least that counts" in lines
    assert "  -p, --pid PID                only this process" in lines
    assert "      --for TIME               end after TIME (10s, 500ms, 2m)" in lines
    assert "  skep tool small -x" in lines


def test_letter_that_the_tool_takes(tmp_path):
    path = small(tmp_path, SHOWS, HEADER.replace("-m --least", "-p --least"))
    with Tool(path, "-p", "5", ends=True) as tool:
        pass
    assert "least 5" in tool.printed
    done = subprocess.run([SKEP, "tool", path, "-h"], capture_output=True, text=True, check=True)
    assert "\n      --pid PID " in done.stdout


def test_maps_and_histograms(tmp_path):
    path = small(tmp_path, """begin {
        @sum[1] = count(); @usecs = hist(10); @usecs = hist(12); @usecs = hist(100); exit(); }""")
    with Tool(path, ends=True) as tool:
        pass
    assert tool.maps["@sum"] == {"1": 1}
    assert hist_count(tool.maps["@usecs"]) == 3
    assert hist_between(tool.maps["@usecs"], 8, 16) == 2


def test_command_is_seen_from_its_start(tmp_path):
    path = small(tmp_path, 'tracepoint:sched:sched_process_exec { @[comm] = count(); }')
    with Tool(path, "-c", "/bin/true", ends=True) as tool:
        pass
    assert tool.maps["@"]["true"] == 1


def test_ends_in_time_and_by_ctrl_c(tmp_path):
    path = small(tmp_path, 'interval:ms:10 { @n++; } end { printf("ended"); }')
    with Tool(path) as tool:
        pass
    assert tool.printed == "ended"
    with Tool(path, "--for=200ms", ends=True) as tool:
        pass
    assert tool.maps["@n"] >= 1


def test_output_to_a_file(tmp_path):
    path = small(tmp_path, SHOWS)
    with Tool(path, "--output", tmp_path / "out", json=False, ends=True) as tool:
        pass
    assert tool.text == ""
    assert (tmp_path / "out").read_text().startswith("exact 0")


def reads_seen_by(*words):
    """By a tool of the fsdist family, while a file of a tmpfs is read ten times."""
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        with Tool(*words, "-p", os.getpid()) as tool:
            for _ in range(10):
                os.pread(file.fileno(), 1, 0)
    return tool.text.count('"read')


def test_alias_is_the_tool_with_its_options():
    assert reads_seen_by("fsdist", "--type=tmpfs") >= 1
    assert reads_seen_by("ext4dist") == 0
    # What is given comes behind the alias's own.
    assert reads_seen_by("ext4dist", "--type=tmpfs") >= 1


def test_needs():
    needs("tracepoint:sched:sched_switch")
    with pytest.raises(pytest.skip.Exception, match="needs tracepoint:no:such: error L"):
        needs("tracepoint:no:such")
