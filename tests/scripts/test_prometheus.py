"""skep trace --prometheus and skep export: what is served is true, and who asks can do no harm."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from prometheus import Prometheus, Served, needs_program, parse
from runner import SKEP, TOP

EXAMPLES = TOP / "examples" / "prometheus"
HERE = os.getpid()
# sys_enter_openat of this process alone: what it opens is known.
OPENS = f"tracepoint:syscalls:sys_enter_openat /pid == {HERE}/"
# A process that never ends by itself and costs nothing.
IDLE = "interval:s:1 { @ticks = count(); }"


def trace(script, *options, address="127.0.0.1:0"):
    return Served("trace", "--prometheus", address, *options, "-e", script)


def open_times(path, n):
    for _ in range(n):
        os.close(os.open(path, os.O_RDONLY))


def skep(*words, **more):
    return subprocess.run([SKEP, *map(str, words)], text=True, capture_output=True, timeout=60,
                          check=False, env=os.environ | {"NO_COLOR": "1"}, **more)


# --- What is served -----------------------------------------------------------------------------

EVERY_KIND = """
config = { print_maps_on_exit = false }
BEGIN {
    @runs = count();
    @bytes[(who = "a\\"b\\\\c", what = 7)] = sum(4096);
    @bytes[(who = "d", what = -1)] = sum(1);
    @least_ms = min(250); @most_ms = max(-3); @level = 42; @temp = (int32)-5;
    @mean_ms = avg(1); @mean_ms = avg(2);
    @took_usecs["x"] = stats(1000000); @took_usecs["x"] = stats(500000);
    @size = hist(0); @size = hist(4096); @size = hist(4095);
    @wait_us = hist(7); @wait_us = hist(1000000);
    @steps = lhist(-1, 0, 30, 10); @steps = lhist(10, 0, 30, 10); @steps = lhist(99, 0, 30, 10);
    @text = "no number"; @pair = (1, 2);
    @kept[tid] = 5; @deleted[1] = 1; @deleted[2] = 1; delete(@deleted[2]);
}
interval:s:1 { @ticks = count(); }
"""


def test_every_kind_of_map(tmp_path):
    script = tmp_path / "all-kinds.bt"
    script.write_text(EVERY_KIND)
    with Served("trace", "--prometheus", ":0", script) as served:
        text = served.text()
    found = parse(text)
    mine = {name: value for (name, labels), value in found.items()
            if name.startswith("skep_all_kinds_") and not labels}
    assert mine.pop("skep_all_kinds_ticks_total") >= 0
    assert mine == {
        "skep_all_kinds_runs_total": 1,
        "skep_all_kinds_least_seconds": 0.25, "skep_all_kinds_most_seconds": -0.003,
        "skep_all_kinds_level": 42, "skep_all_kinds_temp": -5,
        "skep_all_kinds_mean_seconds": 0.0015,
        "skep_all_kinds_size_count": 3, "skep_all_kinds_wait_seconds_count": 2,
        "skep_all_kinds_steps_count": 3,
    }

    def value(name, **labels):
        return found["skep_all_kinds_" + name, frozenset(labels.items())]

    assert value("bytes_total", who='a"b\\c', what="7") == 4096
    assert value("bytes_total", who="d", what="-1") == 1
    assert value("took_seconds_count", key0="x") == 2
    assert value("took_seconds_sum", key0="x") == 1.5
    assert [value("size_bucket", le=le) for le in ("0", "2047", "4095", "8191", "+Inf")] == [
        1, 1, 2, 3, 3]
    assert [value("wait_seconds_bucket", le=le) for le in ("4e-06", "8e-06", "0.524288",
                                                           "1.048576")] == [0, 1, 1, 2]
    assert [value("steps_bucket", le=le) for le in ("-1", "9", "19", "29", "+Inf")] == [
        1, 1, 2, 2, 3]
    assert "text" not in text.replace("context", "") and "pair" not in text
    assert "kept" not in text.replace('map="@kept"', "")
    assert "deleted" not in text.replace('map="@deleted"', "")
    assert found["skep_probes_attached", frozenset({("script", "all_kinds")})] == 1
    assert found["skep_script_up", frozenset({("script", "all_kinds")})] == 1


@pytest.mark.parametrize("accept,end", [("text/plain", ""),
                                        ("application/openmetrics-text; version=1.0.0", "# EOF\n")])
def test_formats_by_accept(accept, end):
    with trace(EVERY_KIND) as served:
        kind, body = served.get(accept)
    assert kind.startswith(accept.split(";", maxsplit=1)[0])
    assert body.decode().endswith("\n" + end)
    assert ("# EOF" in body.decode()) == bool(end)


def test_promtool_has_no_complaint():
    needs_program("promtool")
    script = EVERY_KIND.replace("@steps", "@step_width").replace("@size", "@request_bytes")
    with trace(script) as served:
        text = served.text()
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                             capture_output=True, check=False)
    assert (checked.stdout + checked.stderr).strip() == "" and checked.returncode == 0


def test_a_strict_reader_of_openmetrics_takes_it():
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    with trace(EVERY_KIND) as served:
        text = served.get("application/openmetrics-text")[1].decode()
    families = {family.name: family.type for family in
                parser.text_string_to_metric_families(text)}
    assert families["skep_script_runs"] == "counter" and families["skep_script_size"] == "histogram"
    assert families["skep_script_took_seconds"] == "summary" and len(families) > 12


def test_counts_what_happens(tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    with trace(f"{OPENS} {{ @opens[comm, str(args.filename)] = count(); }}") as served:
        open_times(path, 7)
        comm = open("/proc/self/comm", encoding="utf-8").read().strip()
        served.wait_for("skep_script_opens_total", 7, comm=comm, filename=str(path))
        open_times(path, 5)
        served.wait_for("skep_script_opens_total", 12, comm=comm, filename=str(path))


def test_labels_named_by_the_setting_and_only_maps_in_it():
    with trace('config = { metrics = "@a{first,second} b" } ' + IDLE +
               "BEGIN { @a[1, 2] = count(); @b = 3; @c = 4; }") as served:
        found = parse(served.text())
    assert found["skep_script_a_total", frozenset({("first", "1"), ("second", "2")})] == 1
    assert found["skep_script_b", frozenset()] == 3
    assert not any(name.startswith(("skep_script_c", "skep_script_ticks")) for name, _ in found)


def test_names_that_would_be_the_same_are_numbered():
    with trace(IDLE + "BEGIN { @a_us = 1; @a_ms = 1; @h = stats(2); @h_count = 3; @ = count(); "
                      "@x_total = count(); @up = 7; @info = 8; }") as served:
        names = {name for name, _ in parse(served.text()) if name.startswith("skep_script_")}
    assert names == {
        "skep_script_a_seconds", "skep_script_a_seconds_2", "skep_script_h_count",
        "skep_script_h_sum", "skep_script_h_count_2", "skep_script_total", "skep_script_x_total",
        "skep_script_ticks_total", "skep_script_info", "skep_script_up", "skep_script_info_2",
        "skep_script_up_2"}


def test_what_the_options_leave_out_has_no_name():
    script = """
macro put(@time, value) { $disk = "a"; @time[$disk] = sum(value); }
BEGIN { if (getopt("ms")) { put(@time_ms, 1); } else { put(@time_us, 2000); } }
BEGIN { getopt("ms") ? @yes++ : @no++; }
BEGIN /getopt("ms")/ { @late_ms = 1; }
"""
    for options, names in ([], {"skep_script_time_seconds_total", "skep_script_no"}), (
            ["--ms"], {"skep_script_time_seconds_total", "skep_script_yes",
                       "skep_script_late_seconds"}):
        with Served("trace", "--prometheus", ":0", "-e", script + IDLE, "--", *options) as served:
            found = parse(served.text())
        own = {"skep_script_up", "skep_script_info", "skep_script_ticks_total"}
        assert {name for name, _ in found if name.startswith("skep_script_")} - own == names
        assert found["skep_script_time_seconds_total",
                     frozenset({("disk", "a")})] == (0.001 if options else 0.002)


def test_stacks_are_one_line():
    with trace("BEGIN { @x = 1; } profile:hz:99 { @s[kstack(bpftrace, 2)] = count(); }") as served:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            stacks = [dict(labels)["kstack"] for name, labels in parse(served.text())
                      if name == "skep_script_s_total"]
            if any(stacks):
                break
            time.sleep(0.1)
    assert any(re.fullmatch(r"\S+\+\d+(;\S+\+\d+)?", stack) for stack in stacks)


def test_keys_that_read_the_same_are_put_together():
    script = IDLE + r'BEGIN { @n["\xff"] = sum(3); @n["\xfe"] = sum(4); @n["b"] = sum(1); }'
    with trace(script) as served:
        found = parse(served.text())
    assert {dict(labels)["key0"]: value for (name, labels), value in found.items()
            if name == "skep_script_n_total"} == {"\ufffd": 7, "b": 1}


def test_too_many_series_are_counted():
    script = ("config = { max_map_keys = 20000 } " + IDLE +
              "BEGIN { for ($i : 0..10500) { @n[$i] = $i; } }")
    with trace(script) as served:
        found = parse(served.text())
        values = [value for (name, _), value in found.items() if name == "skep_script_n"]
        assert len(values) == 10000 and min(values) == 500
        dropped = served.value("skep_series_dropped_total", script="script", map="@n")
    assert dropped == 1000  # of two answers


def test_losses_are_served():
    script = "config = { max_map_keys = 8 } " + IDLE + "BEGIN { for ($i : 0..20) { @n[$i] = 1; } }"
    with trace(script) as served:
        assert served.value("skep_lost_events_total", script="script", cause="map_full",
                            map="@n") == 12
        assert served.value("skep_lost_events_total", script="script", cause="event") == 0


def test_a_real_prometheus_reads_it(tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    script = (f'{OPENS} {{ if (str(args.filename) == "{path}") {{ @opens = count(); '
              "@took_us = hist(100); @step = lhist(15, 0, 30, 10); } }")
    with trace(script) as served, Prometheus(served.address, tmp_path) as prometheus:
        open_times(path, 11)
        prometheus.wait_for("skep_script_opens_total", 11)
        prometheus.wait_for("histogram_count(skep_script_took_seconds)", 11)
        prometheus.wait_for('skep_script_step_bucket{le="19.0"}', 11)
        prometheus.wait_for("up", 1)
        # 64 to 127 us are nearly 2^-14 to 2^-13 s
        prometheus.wait_for("histogram_quantile(1, skep_script_took_seconds)", 2 ** -13)


# --- As a user ----------------------------------------------------------------------------------

def test_ctrl_c_prints_the_maps_and_frees_the_port():
    with trace("interval:s:100 { @never = count(); } BEGIN { @x = 5; }") as served:
        address = served.address
        assert served.value("skep_script_x") == 5
        assert served.end() == 0
    assert "@x: 5\n" in served.output
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen()


def test_ipv6_and_json():
    if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("this kernel has no IPv6")
    with trace(IDLE, address="[::1]:0") as served:
        assert served.url.startswith("http://[::1]:")
        assert served.value("skep_script_up", script="script") == 1
    run = skep("trace", "--json", "--prometheus", ":0", "-e", "BEGIN { exit(); }")
    kinds = [json.loads(line)["type"] for line in run.stdout.splitlines()]
    assert kinds == ["attached_probes", "metrics"]


@pytest.mark.parametrize("address,code", [
    ("9100x", "U0020"), (":", "U0020"), (":65536", "U0020"), ("example.org:80", "U0020"),
    ("[::1:80", "U0020"), ("1.2.3:80", "U0020"), ("fd:0", "U0021"), ("198.51.100.7:9435", "U0021"),
])
def test_addresses_refused(address, code):
    run = skep("trace", "--prometheus", address, "-e", "BEGIN { exit(); }",
               stdin=subprocess.DEVNULL)
    assert run.returncode == 1 and f"error {code}: " in run.stderr and "try: " in run.stderr


def test_port_in_use():
    with trace(IDLE) as served:
        port = served.address[1]
        run = skep("trace", "--prometheus", f":{port}", "-e", IDLE)
        assert run.returncode == 1
        assert f"error U0021: cannot serve metrics at :{port}: Address already in use" in run.stderr
        assert served.value("skep_script_up", script="script") == 1


@pytest.mark.parametrize("setting", ["@none", "@x{a}", "@x{a,b,c}", "@x{a,a}", "@x{a,le}",
                                     "@x{a,1b}", "{a}"])
def test_setting_refused(setting):
    run = skep("trace", "--prometheus", ":0", "-e",
               f'config = {{ metrics = "{setting}" }} BEGIN {{ @x[1, 2] = 1; exit(); }}')
    assert run.returncode == 1 and "error U0022: the setting metrics: " in run.stderr
    assert "--> -e:1:22\n" in run.stderr


# --- Hostile clients ----------------------------------------------------------------------------

def connect(served):
    return socket.create_connection(served.address, timeout=10)


def answer_to(served, request):
    with connect(served) as sock:
        try:
            sock.sendall(request)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        try:
            return b"".join(iter(lambda: sock.recv(65536), b""))
        except OSError:
            return b""


BROKEN_REQUESTS = {
    "a long header": b"GET /metrics HTTP/1.1\r\nX: " + b"a" * 100000 + b"\r\n\r\n",
    "a long path": b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
    "empty lines": b"\r\n" * 50000,
    "no text": b"\0\xff" * 20000,
    "a large body": b"POST /metrics HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 1000,
    "a chunk without end":
        b"GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    "another method": b"DELETE /metrics HTTP/1.1\r\n\r\n",
    "another file": b"GET /../../etc/passwd HTTP/1.0\r\n\r\n",
    "no path": b"GET http:// HTTP/1.1\r\n\r\n",
    "no HTTP": b"GET /metrics\r\n\r\n",
}


@pytest.mark.parametrize("request_bytes", BROKEN_REQUESTS.values(), ids=BROKEN_REQUESTS)
def test_broken_requests(request_bytes):
    with trace(IDLE + "BEGIN { @x = 77; }") as served:
        answer = answer_to(served, request_bytes)
        assert b"skep_script_x" not in answer
        assert served.value("skep_script_x") == 77


def test_half_requests_keep_nobody_out():
    with trace(f"{OPENS} {{ @opens = count(); }}") as served:
        held = [connect(served) for _ in range(100)]
        for sock in held:
            try:
                sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nAcc")
            except OSError:
                pass
        before = served.value("skep_script_opens_total")
        open_times("/dev/null", 9)
        # reading the reply may open something here as well
        assert served.value("skep_script_opens_total") >= before + 9
        descriptors = len(os.listdir(f"/proc/{served.process.pid}/fd"))
        assert descriptors < 60
        for sock in held:
            sock.close()


def test_a_client_that_does_not_read():
    script = ("config = { max_map_keys = 10000 } " + IDLE +
              "BEGIN { for ($i : 0..9000) { @n[$i] = $i; } }")
    with trace(script) as served:
        with connect(served) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 5)
            time.sleep(0.3)
            assert served.value("skep_script_n", i="9") == 9
        assert served.end() == 0


def test_other_paths():
    with trace(IDLE) as served:
        assert b"/metrics" in served.get(path="/")[1]
        assert answer_to(served, b"GET /nothing HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 404")
        head = answer_to(served, b"HEAD /metrics HTTP/1.0\r\n\r\n")
        assert b" 200 OK\r\n" in head[:20] and head.endswith(b"\r\n\r\n")


# --- skep export --------------------------------------------------------------------------------

def export(tmp_path, config, *options, ready):
    path = tmp_path / "skep.yml"
    path.write_text(config)
    return Served("export", "--config", path, "--listen", ":0", *options, ready=ready)


def script(tmp_path, name, text):
    (tmp_path / name).write_text(text)


def children_of(served):
    with open(f"/proc/{served.process.pid}/task/{served.process.pid}/children",
              encoding="utf-8") as file:
        return [int(pid) for pid in file.read().split()]


def is_gone(pid):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def two_scripts(tmp_path):
    script(tmp_path, "opens.bt", f"{OPENS} {{ @n = count(); }}")
    script(tmp_path, "idle.bt", "BEGIN { @first = $1; }" + IDLE)
    return """
labels: {rack: r1, team: all}
scripts:
  - file: opens.bt
    prefix: mine
  - {file: idle.bt, name: other, args: [31], labels: {team: "ä"}}
"""


def test_export_serves_them_together(tmp_path):
    with export(tmp_path, two_scripts(tmp_path), ready=2) as served:
        open_times("/dev/null", 6)
        found = parse(served.text())
        assert found["mine_opens_n_total", frozenset({("rack", "r1"), ("team", "all")})] >= 6
        assert found["skep_other_first", frozenset({("rack", "r1"), ("team", "ä")})] == 31
        up = {dict(labels)["script"]: value for (name, labels), value in found.items()
              if name == "skep_script_up"}
        assert up == {"opens": 1, "other": 1}
        assert found["skep_families_refused", frozenset()] == 0
        kinds = served.text().splitlines()
        assert kinds.count("# TYPE skep_script_up gauge") == 1
        children = children_of(served)
        assert len(children) == 2
        assert served.end() == 0
    assert all(is_gone(pid) for pid in children)


TOOL = """/*
 * mine: what the test wants to see
 *
 * option: -m --least=N  a number
 * argument: COUNT=5     another one
 *
 * example: mine
 *   as it is
 * example: mine -m 3
 *   with a number
 *
 * shows: Nothing.
 * how: By an interval.
 * overhead: None.
 * caveats: None.
 */
BEGIN { @least = getopt("least", 0); @count = $1; }
"""


def test_export_runs_a_tool_with_its_options(tmp_path):
    if skep("tool", "list").returncode:
        pytest.skip("needs: skep tool")
    script(tmp_path, "mine.bt", TOOL + IDLE)
    config = f"scripts: [{{tool: {tmp_path}/mine.bt, args: [-m, 3, 7]}}]"
    with export(tmp_path, config, ready=1) as served:
        assert served.value("skep_mine_least") == 3
        assert served.value("skep_mine_count") == 7
        assert served.value("skep_script_up", script="mine") == 1
    tool = Served("tool", tmp_path / "mine.bt", "--prometheus", ":0", "9")
    with tool as served:
        assert served.value("skep_mine_count") == 9


def test_export_promtool(tmp_path):
    needs_program("promtool")
    with export(tmp_path, two_scripts(tmp_path), ready=2) as served:
        checked = subprocess.run(["promtool", "check", "metrics"], input=served.text(), text=True,
                                 capture_output=True, check=False)
    assert (checked.stdout + checked.stderr).strip() == ""


def test_one_that_fails_or_is_killed_is_no_harm(tmp_path):
    script(tmp_path, "bad.bt", "BEGIN { @x = nothere; }")
    with export(tmp_path, two_scripts(tmp_path) + "  - file: bad.bt\n", ready=2) as served:
        assert served.value("skep_script_up", script="bad", rack="r1", team="all") == 0
        served.wait_for_line("bad: error T0020: unknown name nothere")
        served.wait_for_line("warning U0028: bad is not running any more: it failed")
        os.kill(children_of(served)[0], signal.SIGKILL)
        served.wait_for("skep_script_up", 0, script="opens", rack="r1", team="all")
        assert served.value("skep_other_first", rack="r1", team="ä") == 31
    assert any("opens is not running any more: killed by signal 9" in line
               for line in served.lines)


def test_one_that_hangs_is_down_for_this_answer(tmp_path):
    with export(tmp_path, two_scripts(tmp_path), ready=2) as served:
        stopped = children_of(served)[0]
        os.kill(stopped, signal.SIGSTOP)
        texts = []
        asking = [threading.Thread(target=lambda: texts.append(served.text())) for _ in range(3)]
        for thread in asking:
            thread.start()
        time.sleep(0.3)
        held = [connect(served) for _ in range(40)]  # who waits does not go for those who come
        for thread in asking:
            thread.join()
        for sock in held:
            sock.close()
        down = ("skep_script_up", frozenset({("script", "opens"), ("rack", "r1"), ("team", "all")}))
        assert [parse(text)[down] for text in texts] == [0, 0, 0]
        found = parse(served.text())  # it is not waited for a second time
        assert found["skep_other_first", frozenset({("rack", "r1"), ("team", "ä")})] == 31
        os.kill(stopped, signal.SIGCONT)
        served.wait_for("skep_script_up", 1, script="opens", rack="r1", team="all")


def test_none_is_left_behind_by_a_killed_parent(tmp_path):
    with export(tmp_path, two_scripts(tmp_path), ready=2) as served:
        children = children_of(served)
        served.end(signal.SIGKILL)
    assert all(is_gone(pid) for pid in children)


def test_export_ends_when_none_is_left(tmp_path):
    script(tmp_path, "short.bt", "BEGIN { exit(); }")
    with export(tmp_path, "scripts: [{file: short.bt}]", ready=-1) as served:
        assert served.process.wait(20) == 1
    assert "error U0029: no script is running any more" in served.lines


@pytest.mark.parametrize("text,code,place", [
    ("a: [b\n  c: d", "U0023", "2:4"),
    ("\tscripts: x", "U0023", "1:1"),
    ("lables: {}", "U0024", "1:1"),
    ("scripts:\n  - fiel: x", "U0024", "2:5"),
    ("ä: x", "U0024", "1:1"),
    ("{ä: 1, x: 2}", "U0024", "1:9"),
    ("listen: [1]", "U0025", "1:9"),
    ("prefix: 1x", "U0025", "1:9"),
    ("labels: {le: x}", "U0025", "1:10"),
    ("labels: {script: x}", "U0025", "1:10"),
    ("labels: x", "U0025", "1:9"),
    ("scripts:\n  - {tool: x, args: y}", "U0025", "2:21"),
    ("scripts:\n  - {tool: x, args: [{}]}", "U0025", "2:22"),
    ("scripts:\n  - {tool: x, name: a-b}", "U0025", "2:21"),
    ("scripts:\n  - x", "U0025", "2:5"),
    ("- x", "U0025", "1:1"),
    ("listen: a\nlisten: b", "U0026", "2:1"),
    ("scripts:\n  - tool: x\n  - tool: x", "U0026", "3:5"),
    ("", "U0027", None),
    ("scripts: []", "U0027", "1:10"),
    ("scripts:\n  - args: [x]", "U0027", "2:5"),
    ("scripts:\n  - {tool: x, file: y}", "U0027", "2:5"),
])
def test_config_errors_have_a_place(tmp_path, text, code, place):
    path = tmp_path / "c.yml"
    path.write_text(text)
    run = skep("export", "--config", path, "--check")
    assert run.returncode == 1 and f"error {code}: " in run.stderr, run.stderr
    if place:
        assert f"--> {path}:{place}\n" in run.stderr, run.stderr


def test_export_usage(tmp_path):
    assert skep("export").returncode == 2
    assert skep("export", "-c", tmp_path / "none.yml").returncode == 1
    assert "--config" in skep("export", "--help").stdout
    run = skep("export", "-c", EXAMPLES / "skep.yml", "--check")
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


# --- The examples -------------------------------------------------------------------------------

def expressions():
    dashboard = json.loads((EXAMPLES / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


def test_every_metric_of_the_dashboard_is_served():
    wanted = {name for expr in expressions() for name in re.findall(r"\bskep_\w+", expr)}
    assert len(wanted) > 8
    with Served("export", "--config", EXAMPLES / "skep.yml", "--listen", ":0",
                ready=3) as served:
        subprocess.run(["sh", "-c", "cat /nonexistent; echo x | cat"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open("/dev/null", "wb", buffering=0) as null:
            null.write(b"x")
        time.sleep(0.2)
        text = served.text()
    names = {name for name, _ in parse(text)}
    names |= set(re.findall(r"^# TYPE (\w+) histogram", text, re.M))  # native ones
    assert wanted <= names, wanted - names


def test_expressions_and_configuration_are_right(tmp_path):
    needs_program("promtool")
    rules = {"groups": [{"name": "x", "rules": [
        {"record": f"x:{i}", "expr": expr} for i, expr in enumerate(expressions())]}]}
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps(rules))
    for words in (["check", "rules", path], ["check", "config", EXAMPLES / "prometheus.yml"]):
        checked = subprocess.run(["promtool", *words], text=True, capture_output=True, check=False)
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_configuration_of_the_documentation_is_right(tmp_path):
    text = (TOP / "docs" / "prometheus.md").read_text(encoding="utf-8")
    (tmp_path / "c.yml").write_text(re.search(r"^```yaml\n(.*?)^```$", text, re.M | re.S)[1],
                                    encoding="utf-8")
    run = skep("export", "-c", tmp_path / "c.yml", "--check")
    assert (run.returncode, run.stderr) == (0, "")
    ours = {name for name in re.findall(r"\b(skep_\w+)\{script", text)}
    with trace(IDLE) as served:
        assert ours <= {name for name, _ in parse(served.text())}
