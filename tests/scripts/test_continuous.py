"""skep profile --continuous: what is kept is what programs did; the writer may die, the disk be full;
what is served is what is kept, and to nobody else."""

import gzip
import http.client
import http.server
import json
import os
import re
import signal
import struct
import subprocess
import threading
import time
import zlib
from contextlib import contextmanager
from pathlib import Path

import pytest

from profiling import ENV, NOTIFY, SKEP, TIME, Stacks, build, run

# Its own: whoever runs the same beside does not come into what is looked at.
NAME = f"kept{os.getpid()}"
WORK = r"""
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
static double used(void)
{
	struct timespec used;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return used.tv_sec + used.tv_nsec / 1e9;
}
void early(double until) { do for (volatile int i = 20000; i; i--); while (used() < until); }
void late(double until) { do for (volatile int i = 20000; i; i--); while (used() < until); }
void rest(void) { usleep(3500000); }
int main(int argc, char **argv)
{
	double each = atof(argv[1]);
	early(each);
	if (argc > 2)
		rest();
	late(2 * each);
	printf("%f\n", used());
	return 0;
}
"""


@contextmanager
def keeping(store, *args, every="1s"):
    """A writer at work. What it said is in its `said` once it has ended."""
    writer = subprocess.Popen(
        [SKEP, "profile", "--continuous", "--store", store, "--every", every, *map(str, args)],
        stderr=subprocess.PIPE, text=True, env=ENV | {"SKEP_NOTIFY_ATTACHED": "1"})
    writer.said = ""
    try:
        for line in writer.stderr:
            writer.said += line
            if "keeping profiles" in line:
                break
        assert NOTIFY in writer.said, writer.said
        yield writer
        writer.send_signal(signal.SIGINT)
        writer.said += writer.communicate(timeout=TIME)[1]
        assert writer.returncode in (0, -signal.SIGKILL), writer.said
    finally:
        writer.kill()
        writer.wait()


def stacks_of(tmp_path, name, *args):
    path = tmp_path / "window.folded"
    done = run("show", name, *args, "-o", path)
    assert done.returncode == 0, done.stderr
    return Stacks(path), done.stderr


def seconds(value):
    return value / 1e9


@pytest.fixture(name="work", scope="module")
def _work(tmp_path_factory):
    return build(tmp_path_factory.mktemp("programs") / NAME, WORK)


def work_for(work, each, *args):
    return float(subprocess.run([work, str(each), *args], check=True, capture_output=True,
                                text=True, timeout=TIME).stdout)


def test_windows(work, tmp_path):
    """All intervals together have all its time, and each is in one window."""
    store = tmp_path / "store"
    with keeping(store):
        used = work_for(work, 1.5)
        time.sleep(1.2)
    every, said = stacks_of(tmp_path, store, "-n", NAME)
    assert used * 0.85 < seconds(every.total()) < used * 1.15, said
    assert abs(every.of("early") - every.of("late")) < every.total() / 5
    middle = time.time() - 2.5
    first, _ = stacks_of(tmp_path, f"{store}@..@{middle}", "-n", NAME)
    second, _ = stacks_of(tmp_path, store, "--from", f"@{middle}", "-n", NAME)
    assert first.total() and first.total() + second.total() == every.total()
    nobody, _ = stacks_of(tmp_path, store, "--to", "-1h")
    assert nobody.total() == 0
    diff = run("diff", f"{store}@..@{middle}", f"{store}@@{middle}..now", "-n", NAME)
    assert diff.returncode == 0 and "early" in diff.stdout, diff.stderr
    # Of a file nothing is left out: whose samples are wanted would be of one side only.
    file = tmp_path / "every.pb.gz"
    assert run("show", store, "-o", file).returncode == 0
    for names in ([file, store], [store, file]):
        one = run("diff", *names, "-n", NAME)
        assert one.returncode == 2 and "--comm and a file beside DIR exclude" in one.stderr
        assert run("diff", *names, "--from", "-1h").returncode == 0
    for window, words in {("--from", f"@{middle}", "--to", f"@{middle}"): "F0023",
                          ("--from", "-1h", "--to", "-2h"): "F0023",
                          ("--from", "9999-12-31"): "a moment",
                          ("--from", "@18446744074"): "a moment"}.items():
        for verb in (["show", store], ["diff", store, store]):
            wrong = run(*verb, *window)
            assert wrong.returncode == 2 and words in wrong.stderr, wrong.stderr
    twice = run("show", f"{store}@-1h..now", "--from", "-2h")
    assert twice.returncode == 2 and "exclude each other" in twice.stderr


def test_kinds(work, tmp_path):
    """What counts other things is not added up: the newest is shown, and options choose."""
    store = tmp_path / "store"
    events = [("--event", f"tracepoint:syscalls:sys_enter_{name}") for name in ("read", "getpid")]
    kinds = [("-F", "99"), ("-F", "49"), *events, ("--off-cpu",)]
    for kind in kinds:
        with keeping(store, *kind):
            work_for(work, 0.3)
            time.sleep(1.2)
    newest, said = stacks_of(tmp_path, store, "-n", NAME)
    assert re.search(r"intervals that count other things \(--cpu, --off-cpu, --event, -F", said)
    chosen = [stacks_of(tmp_path, store, *kind, "-n", NAME) for kind in kinds]
    assert chosen[-1][0].total() == newest.total()
    for kind, (stacks, said) in zip(kinds[:2], chosen):
        assert 0.2 < seconds(stacks.of("early")) < 0.45, (kind, said)
        lines = run("show", store, *kind, "-f", "json").stdout.splitlines()
        assert json.loads(lines[0])["period"] == 1000000000 // int(kind[1]), lines[0]
    assert chosen[2][0].total() > 0 and chosen[2][0].total() != chosen[3][0].total()
    none = run("show", store, "--event", "tracepoint:syscalls:sys_enter_write")
    assert none.returncode == 0 and "count other things" in none.stdout + none.stderr
    refused = run("show", store, "--event", "tracepoint:syscalls:sys_enter_read", "--off-cpu")
    assert refused.returncode == 2 and "exclude each other" in refused.stderr


def test_lines_are_kept(work, tmp_path):
    """If they are asked for."""
    for args, has in {("--lines",): True, (): False}.items():
        with keeping(tmp_path / f"store{has}", *args):
            work_for(work, 0.3)
            time.sleep(1.2)
        shown = run("show", tmp_path / f"store{has}", "-n", NAME, "-f", "json").stdout
        assert (f"{NAME}.c" in shown) == has and "early" in shown


def test_ends_with_its_process(tmp_path):
    """Of a process that has ended there is nothing more to see."""
    with subprocess.Popen(["sleep", "2"]) as process:
        done = run("--continuous", "--store", tmp_path / "store", "--every", "1h", "-p",
                   process.pid)
        assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "store").glob("*.seg"))) == 1


def test_start_that_fails_leaves_nothing(tmp_path):
    for args in (["--event", "tracepoint:no:such"], ["--serve", "nowhere"], ["--push", "nowhere"]):
        done = run("--continuous", "--store", tmp_path / "store", *args)
        assert done.returncode == 1, done.stderr
        assert not (tmp_path / "store").exists(), args


def children_of(pid):
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in listed.split()]


def test_server_that_dies(tmp_path):
    """It is told, and profiles are kept."""
    with keeping(tmp_path / "store", "--serve", ":0") as writer:
        os.kill(children_of(writer.pid)[0], signal.SIGKILL)
        time.sleep(3.2)
    assert writer.said.count("what serves them was ended by signal 9") == 1, writer.said
    assert stacks_of(tmp_path, tmp_path / "store")[0].total() > 0


def test_a_terminals_interrupt_reaches_all(tmp_path):
    """The last interval is written behind it, and is sent, or counted: nobody beside ends before. Who
    reads memory of interpreters would be a third, where the machine runs any."""
    with keeping(tmp_path / "store", "--no-interpreters", "--serve", ":0", "--push",
                 "http://127.0.0.1:1") as writer:
        beside = children_of(writer.pid)
        for pid in [*beside, writer.pid]:
            os.kill(pid, signal.SIGINT)
    assert len(beside) == 2 and "failed" not in writer.said, writer.said
    assert re.search(r"0 intervals were sent to .*, [1-9]\d* were not", writer.said), writer.said


def test_sender_that_hangs(tmp_path):
    """Ctrl-C ends all of it."""
    with keeping(tmp_path / "store", "--push", "http://127.0.0.1:1") as writer:
        sender = children_of(writer.pid)[0]
        os.kill(sender, signal.SIGSTOP)
    assert "what sends them on does not end, and is killed" in writer.said
    assert not Path(f"/proc/{sender}").exists()


def test_waits_over_intervals(work, tmp_path):
    """A stack of a wait that lasts for several intervals is there when it ends."""
    store = tmp_path / "store"
    with keeping(store, "--off-cpu", "-n", NAME):
        work_for(work, 0.05, "rest")
        time.sleep(1.2)
    waits, said = stacks_of(tmp_path, store)
    assert 3.4 < seconds(waits.of("rest")) < 3.9, said


def test_lost_lines(work, tmp_path):
    """Told of the interval they are lost in, each once."""
    torn = tmp_path / "torn"
    (tmp_path / "bad").write_bytes(b"abcdefgh" * 500)
    subprocess.run(["objcopy", "--update-section", f".debug_info={tmp_path / 'bad'}",
                    "--update-section", f".debug_aranges={tmp_path / 'bad'}", work, torn], check=True)
    store = tmp_path / "store"
    with keeping(store, "--lines", "-n", "torn"):
        work_for(torn, 1)
        time.sleep(1.2)
    _, said = stacks_of(tmp_path, store)
    lost = re.findall(rf"lost: (\d+) addresses without source lines, the DWARF of {torn} is not read: "
                      "its table of addresses is cut off", said)
    assert len(lost) == 1 and 1 <= int(lost[0]) < 50, said


def build_id_of(program):
    notes = subprocess.run(["readelf", "-n", program], check=True, capture_output=True, text=True)
    return re.search(r"Build ID: (\w+)", notes.stdout)[1].encode()


@pytest.mark.skipif(not os.environ.get("SKEP_LONG"), reason="it takes 40 s: SKEP_LONG=1")
def test_names_for_long(work, tmp_path):
    """Whatever memory of names begins anew, code has its names, and its builds: in each interval."""
    store = tmp_path / "store"
    with keeping(store):
        process = subprocess.Popen([work, "60"], stdout=subprocess.DEVNULL)
        time.sleep(37)
        process.kill()
        process.wait()
        time.sleep(1.2)
    end = time.time()
    for before in range(4, 36, 4):
        name = f"{store}@@{end - before - 4}..@{end - before}"
        stacks, said = stacks_of(tmp_path, name, "-n", NAME)
        assert stacks.total() and stacks.of("main") > 0.9 * stacks.total(), said
        path = tmp_path / "window.pb.gz"
        assert run("show", name, "-n", NAME, "-o", path).returncode == 0
        assert build_id_of(work) in gzip.decompress(path.read_bytes())


def test_groups(work, tmp_path):
    roots = [Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")]
    roots = [root for root in roots if (root / "cgroup.controllers").exists()]
    if not roots:
        pytest.skip("no control groups of version 2")
    root = roots[0]
    group = root / f"skep-kept-{os.getpid()}"
    group.mkdir()
    store = tmp_path / "store"
    try:
        with keeping(store):
            inside = subprocess.Popen(["sh", "-c", f"echo $$ >{group}/cgroup.procs; exec {work} 0.4"],
                                      stdout=subprocess.DEVNULL)
            work_for(work, 0.4)
            inside.wait()
            time.sleep(1.2)
    finally:
        for _ in range(50):
            try:
                group.rmdir()
                break
            except OSError:
                time.sleep(0.1)
    both, _ = stacks_of(tmp_path, store, "-n", NAME)
    one, said = stacks_of(tmp_path, store, "-n", NAME, "--cgroup", f"/{group.name}")
    assert 0.6 < seconds(one.total()) < 1.0, said
    assert 1.3 < seconds(both.total()) < 1.9
    pid, _ = stacks_of(tmp_path, store, "-p", str(inside.pid))
    assert pid.of("early") == one.of("early")


def test_killed(work, tmp_path):
    """What was kept until then is there, and the next writer goes on behind it."""
    store = tmp_path / "store"
    with keeping(store) as writer:
        work_for(work, 1)
        time.sleep(1.2)
        writer.kill()
    before, _ = stacks_of(tmp_path, store, "-n", NAME)
    assert seconds(before.total()) > 1
    with open(store / "00000001.seg", "ab") as segment:
        segment.write(b"SBK1 and then the power went")
    assert "lost: 1 intervals whose writing was cut short" in stacks_of(tmp_path, store)[1]
    with keeping(store) as writer:
        time.sleep(1.2)
    assert "cut off 28 bytes" in writer.said
    after, said = stacks_of(tmp_path, store, "-n", NAME)
    assert after.total() == before.total() and "cut short" not in said


def test_one_writer(tmp_path):
    store = tmp_path / "store"
    with keeping(store):
        other = run("--continuous", "--store", store, "--for", "1s")
        assert other.returncode == 1 and "F0021" in other.stderr
        assert run("show", store).returncode == 0


# Of src/archive/segment.h; of a block: magic, crc, bytes, inflated, crc, samples, begin, the rest.
HEAD, BLOCK = struct.Struct("<8sIIQ"), struct.Struct("<4sIIIIIQ96s")


def set_begin(segment, begin_ns):
    """All intervals of the segment begin then. Returns how many those are."""
    content, at, n = segment.read_bytes(), HEAD.size, 0
    with open(segment, "r+b") as file:
        while at + BLOCK.size <= len(content):
            magic, _, stored, *middle, _, rest = BLOCK.unpack_from(content, at)
            sealed = zlib.crc32(BLOCK.pack(magic, 0, stored, *middle, begin_ns, rest))
            file.seek(at)
            file.write(BLOCK.pack(magic, sealed, stored, *middle, begin_ns, rest))
            at, n = at + BLOCK.size + stored, n + 1
    return n


@contextmanager
def many_stacks():
    """Programs begin and end: an interval that has them does not fit into what is left of a page."""
    with subprocess.Popen(["sh", "-c", "while :; do ls / >/dev/null; done"]) as process:
        try:
            yield
        finally:
            process.kill()


def wait_for(what):
    end = time.monotonic() + TIME
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


@contextmanager
def small_disk(disk):
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", disk],
                      check=False).returncode:
        pytest.skip("may not mount")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def fill(filler):
    try:
        filler.write_bytes(bytes(256 << 10))
    except OSError:
        pass


def test_full_disk(tmp_path):
    """Sampling goes on; what could not be kept is said and counted, and kept again is said, too."""
    with small_disk(tmp_path / "disk") as disk:
        with keeping(disk / "store") as writer, many_stacks():
            time.sleep(1.3)
            fill(disk / "filler")
            time.sleep(3.2)
            (disk / "filler").unlink()
            time.sleep(2.2)
        said = stacks_of(tmp_path, disk / "store")[1]
    assert "cannot write into" in writer.said and "No space left" in writer.said
    lost = re.search(r"kept again; lost: (\d+)", writer.said)
    assert lost and int(lost[1]) >= 1, writer.said
    assert f"could not be written: {lost[1]}\n" in writer.said
    assert f"lost: {lost[1]} intervals that could not be written" in said


def ask(port, path, host=None, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIME)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host or f"127.0.0.1:{port}")
    connection.endheaders()
    reply = connection.getresponse()
    body = reply.read()
    connection.close()
    return reply.status, body


def port_of(said):
    return int(re.search(r"served at http://127\.0\.0\.1:(\d+)/", said)[1])


def check_answers(port, tmp_path, used):
    line = json.loads(ask(port, "/timeline?from=-1h")[1])
    assert line["has_writer"] and line["intervals"] >= 2
    assert sum(point[1] for point in line["points"]) > 2000
    summary = json.loads(ask(port, f"/summary?from=-1h&comm={NAME}")[1])
    assert used * 0.85 < seconds(summary["total"]) < used * 1.15
    assert [row[0] for row in summary["names"]] == [NAME]
    path = tmp_path / "window.pb.gz"
    path.write_bytes(ask(port, f"/pprof?from=-1h&comm={NAME}")[1])
    assert stacks_of(tmp_path, path)[0].total() == summary["total"]
    # The last hour, if it does not say; and all before a window, or an hour before it.
    assert json.loads(ask(port, f"/summary?comm={NAME}")[1])["total"] == summary["total"]
    assert json.loads(ask(port, f"/summary?comm={NAME}&to=-1h")[1])["total"] == 0
    assert ask(port, f"/diff?from=-2s&comm={NAME}")[0] == 200
    status, graph = ask(port, f"/flame?from=-1h&comm={NAME}")
    assert status == 200 and b"early" in graph
    status, graph = ask(port, f"/diff?from=-2s&base_from=-1h&base_to=-2s&comm={NAME}")
    assert status == 200 and b"more than before" in graph
    assert b"<title>skep profile</title>" in ask(port, "/")[1]


def test_served(work, tmp_path):
    with keeping(tmp_path / "store", "--serve", ":0") as writer:
        port = port_of(writer.said)
        used = work_for(work, 0.7)
        time.sleep(2.2)
        check_answers(port, tmp_path, used)
        for path in ("/flame?from", "/pprof?=x", "/summary?from=-1h&&comm=x", "/summary?comm=a%00b",
                     "/pprof?comm=nginx&from"):
            assert ask(port, path)[0] == 400, path
        assert ask(port, "/pprof?")[0] == 200
        for path, status in {"/none": 404, "/../../etc/passwd": 404, "/flame?from=then": 400,
                             "/flame?pid=x": 400, "/flame?from=-1s&to=-2s": 400,
                             "/debug/pprof/profile?seconds=0": 400}.items():
            assert ask(port, path)[0] == status, path
        assert ask(port, "/", method="POST")[0] in (405, 501)
        assert ask(port, "/", method="HEAD") == (200, b"")
        for host, status in {"evil.example": 403, f"evil.example:{port}": 403, "localhost": 200,
                             f"localhost:{port}": 200, f"[::1]:{port}": 200}.items():
            assert ask(port, "/timeline", host=host)[0] == status, host
        child = subprocess.Popen([work, "0.8"], stdout=subprocess.DEVNULL)
        status, body = ask(port, "/debug/pprof/profile?seconds=5")
        child.wait()
        assert status == 200
        (tmp_path / "live.pb.gz").write_bytes(body)
        assert seconds(stacks_of(tmp_path, tmp_path / "live.pb.gz")[0].of("early")) > 0.05
    with pytest.raises(OSError):
        ask(port, "/")


def test_gone_waiters_leave_their_places(tmp_path):
    with keeping(tmp_path / "store", "--serve", ":0") as writer:
        port = port_of(writer.said)
        for _ in range(20):
            gone = http.client.HTTPConnection("127.0.0.1", port, timeout=TIME)
            gone.request("GET", "/debug/pprof/profile?seconds=3000")
            time.sleep(0.02)
            gone.close()
        assert ask(port, "/debug/pprof/profile?seconds=1")[0] == 200


def test_live_without_writer(tmp_path):
    """Who waits is told when nobody writes any more."""
    store = tmp_path / "store"
    with keeping(store):
        with subprocess.Popen([SKEP, "profile", "--serve", ":0", "--store", store], text=True,
                              stderr=subprocess.PIPE, env=ENV) as server:
            port = port_of(server.stderr.readline())
            answers = []
            waits = threading.Thread(target=lambda: answers.append(
                ask(port, "/debug/pprof/profile?seconds=3000")))
            waits.start()
            time.sleep(0.5)
            # The writer's end, as keeping() would have it.
            for link in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    words = link.read_bytes().split(b"\0")
                except OSError:
                    continue
                if b"--continuous" in words and str(store).encode() in words:
                    os.kill(int(link.parent.name), signal.SIGKILL)
            waits.join(timeout=TIME)
            assert answers and answers[0][0] == 503 and b"any more" in answers[0][1]
            server.send_signal(signal.SIGINT)
            assert server.wait(timeout=TIME) == 0


def test_live_has_only_what_came_since(work, tmp_path):
    """Intervals that say a time to come, as their clock was set back, were there before."""
    store = tmp_path / "store"
    with keeping(store, "--serve", ":0") as writer:
        port = port_of(writer.said)
        work_for(work, 0.5)
        time.sleep(1.5)
        assert set_begin(store / "00000001.seg", int((time.time() + 0.7) * 1e9)) >= 2
        body = ask(port, "/debug/pprof/profile?seconds=2")[1]
    (tmp_path / "live.pb.gz").write_bytes(body)
    assert stacks_of(tmp_path, tmp_path / "live.pb.gz")[0].of(NAME) == 0


def test_served_alone(tmp_path):
    """What nobody writes any more."""
    store = tmp_path / "store"
    with keeping(store):
        time.sleep(1.2)
    with subprocess.Popen([SKEP, "profile", "--serve", ":0", "--store", store], text=True,
                          stderr=subprocess.PIPE, env=ENV) as server:
        port = port_of(server.stderr.readline())
        assert not json.loads(ask(port, "/timeline")[1])["has_writer"]
        assert ask(port, "/debug/pprof/profile?seconds=1")[0] == 503
        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=TIME) == 0


class Receiver:
    """Takes what is posted; answers with what `statuses` has next, then 200."""

    def __init__(self, *statuses, port=0):
        self.posts, self.statuses = [], list(statuses)
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.statuses.pop(0) if receiver.statuses else 200
                receiver.posts.append((status, self.path, self.headers["Content-Type"], body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def paths(self):
        return [post[1] for post in self.posts]

    def taken(self):
        return [post for post in self.posts if post[0] == 200]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def sent_and_not(said):
    found = re.search(r"(\d+) intervals were sent to \S+, (\d+) were not", said)
    return int(found[1]), int(found[2])


def test_pushed_as_pprof(work, tmp_path):
    """Each interval comes once, whatever the receiver answered at first; what it refuses is counted."""
    receiver = Receiver(503, 400)
    store = tmp_path / "store"
    with keeping(store, "--push", f"http://127.0.0.1:{receiver.port}/ingest") as writer:
        work_for(work, 0.7)
        time.sleep(4)
    receiver.close()
    sent, lost = sent_and_not(writer.said)
    assert lost == 1 and sent == len(receiver.taken()) >= 3, writer.said
    assert "answers 503" in writer.said and "answers 400" in writer.said
    total, starts = 0, []
    for status, path, kind, body in receiver.posts[1:]:
        assert path.startswith("/ingest?name=skep&format=pprof&from=") and "until=" in path
        assert kind == "application/octet-stream"
        starts.append(re.search(r"from=(\d+)", path)[1])
        (tmp_path / "one.pb.gz").write_bytes(body)
        total += stacks_of(tmp_path, tmp_path / "one.pb.gz")[0].of(NAME, "late")
    assert total == stacks_of(tmp_path, store)[0].of(NAME, "late") > 0


def test_pushed_as_otlp(tmp_path):
    receiver = Receiver()
    with keeping(tmp_path / "store", "--push", f"http://127.0.0.1:{receiver.port}") as writer:
        time.sleep(3)
    receiver.close()
    assert sent_and_not(writer.said) == (len(receiver.taken()), 0)
    for _, path, kind, body in receiver.taken():
        assert (path, kind) == ("/v1development/profiles", "application/x-protobuf")
        assert body[0] == 0x0a and b"nanoseconds" in body


def test_push_to_nobody(tmp_path):
    """Who does not answer is tried again, told of once, and takes it all when there."""
    receiver = Receiver()
    port = receiver.port
    receiver.close()
    with keeping(tmp_path / "store", "--push", f"http://127.0.0.1:{port}") as writer:
        time.sleep(3.5)
        receiver = Receiver(port=port)
        time.sleep(5)
    receiver.close()
    assert writer.said.count("does not answer") == 1, writer.said
    assert "takes profiles again" in writer.said
    sent, lost = sent_and_not(writer.said)
    assert lost == 0 and sent == len(receiver.taken()) >= 6


def test_push_goes_on_behind_what_is_broken(tmp_path):
    """It is not sent, it is counted and said, and those of the next segment are sent."""
    receiver = Receiver(503, 503)
    with small_disk(tmp_path / "disk") as disk:
        store, filler = disk / "store", disk / "filler"
        with keeping(store, "--push", f"http://127.0.0.1:{receiver.port}") as writer, many_stacks():
            wait_for(lambda: receiver.posts)
            with open(store / "00000001.seg", "r+b") as file:
                file.seek(HEAD.size + BLOCK.size + 20)
                file.write(b"and here the disk is at its end")
            # Until an interval did not find room: a small one has some in its last page.
            while len(list(store.glob("*.seg"))) < 2:
                fill(filler)
                time.sleep(2.2)
                filler.unlink()
                time.sleep(2.2)
            wait_for(lambda: len(receiver.taken()) >= 2)
    receiver.close()
    sent, lost = sent_and_not(writer.said)
    assert writer.said.count("cannot be read") == 1 and lost >= 1, writer.said
    assert sent == len(receiver.taken()) >= 2, writer.said


@pytest.mark.parametrize("suffix, has, has_not", [
    ("/ingest?name=mine&format=pprof", "/ingest?name=mine&format=pprof&format=", "name=skep"),
    ("/ingest?a=b", "/ingest?a=b&name=skep&format=pprof&from=", "??"),
    ("?token=1", "/v1development/profiles?token=1", "pprof"),
])
def test_push_keeps_the_query(tmp_path, suffix, has, has_not):
    receiver = Receiver()
    with keeping(tmp_path / "store", "--push", f"http://127.0.0.1:{receiver.port}{suffix}"):
        time.sleep(1.5)
    receiver.close()
    assert receiver.paths() and all(has in path for path in receiver.paths()), receiver.paths()
    assert not any(has_not in path for path in receiver.paths())


@pytest.mark.parametrize("args, code, words", [
    (["--continuous"], 2, "a folder for what is kept"),
    (["--serve", ":0", "--store", "x", "-n", "nginx"], 2, "--serve and --comm exclude"),
    (["--serve", ":0", "--store", "x", "-F", "49"], 2, "--serve and --frequency exclude"),
    (["--serve", ":0", "--store", "x", "--off-cpu"], 2, "--serve and --off-cpu exclude"),
    (["--serve", ":0", "--store", "x", "--script"], 2, "--serve and --script exclude"),
    (["show", "/tmp", "--serve", ":0"], 2, "--serve and show exclude"),
    (["show", "/tmp", "--push", "http://127.0.0.1:1"], 2, "--push and show exclude"),
    (["--continuous", "--store", "x", "--health"], 2, "--continuous and --health exclude"),
    (["--continuous", "--store", "x", "--value", "cpu"], 2, "--continuous and --value exclude"),
    (["--continuous", "--store", "x", "-i"], 2, "--continuous and --inverted exclude"),
    (["--continuous", "--store", "x", "--json"], 2, "--continuous and --json exclude"),
    (["--continuous", "--store", "STORE", "--push", "http://me:secret@127.0.0.1"], 1, "U0040"),
    (["--store", "x"], 2, "--continuous with --store"),
    (["--every", "1s"], 2, "--continuous with --every"),
    (["--continuous", "--store", "x", "--every", "1ms"], 2, "from 1s to 1h"),
    (["--continuous", "--store", "x", "--keep", "long"], 2, "a time like 7d"),
    (["--continuous", "--store", "x", "--keep-size", "1k"], 2, "at least 1M"),
    (["--continuous", "--store", "x", "-o", "x.svg"], 2, "exclude each other"),
    (["--continuous", "--store", "x", "--leaks", "-p", str(os.getpid())], 2, "exclude each other"),
    (["--continuous", "--store", "x", "--", "true"], 2, "exclude each other"),
    (["--continuous", "--store", "/proc/none/x"], 1, "F0020"),
    (["--push", "http://127.0.0.1:1"], 2, "--continuous with --push"),
    (["--continuous", "--store", "STORE", "--push", "https://127.0.0.1"], 1, "U0040"),
    (["--continuous", "--store", "STORE", "--push", "nowhere"], 1, "U0040"),
    (["--from", "-1h"], 2, "show or diff with --from"),
    (["--serve", ":0"], 2, "a folder of what is kept"),
    (["--serve", "nowhere", "--store", "/tmp"], 1, "F0022"),
    (["show", "/tmp"], 1, "F0022"),
    (["show", __file__, "--from", "-1h"], 2, "a folder with --from"),
])
def test_usage(args, code, words, tmp_path):
    done = run(*(str(tmp_path / "store") if arg == "STORE" else arg for arg in args), cwd=tmp_path)
    assert done.returncode == code and words in done.stderr, done.stderr
    assert "secret" not in done.stderr
    assert not (tmp_path / "x").exists()
