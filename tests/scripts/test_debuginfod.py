"""Debug files that servers have: fetched once, kept, and what is wrong with them said."""

import contextlib
import http.server
import json
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import profiling
import pytest
from profiling import SKEP, TIME, build

PROGRAM = r"""
#include <stdlib.h>
#include <time.h>

static volatile unsigned sink;

static void hidden_leaf(void)
{
	for (int i = 0; i < 100000; i++)
		sink += i;
}

int main(int argc, char **argv)
{
	clock_t end = (clock_t)(atof(argv[1]) * CLOCKS_PER_SEC);

	while (clock() < end)
		hidden_leaf();
}
"""


class Server(http.server.ThreadingHTTPServer):
    """Answers what is asked for by @answer(handler), and counts how often that is."""

    def __init__(self, answer):
        self.asked = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):  # pylint: disable=invalid-name
                outer.asked.append(self.path)
                with contextlib.suppress(OSError):
                    answer(self)

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.daemon_threads = True
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()

    def of(self, build_id):
        return [path for path in self.asked if build_id in path]


def send(handler, status, body=b"", length=None):
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture(name="stripped", scope="module")
def stripped_program(tmp_path_factory):
    """A program without symbols, its build-id, and its debug file's bytes, which lie nowhere."""
    program = build(tmp_path_factory.mktemp("stripped") / "stripped", PROGRAM)
    debug = program.with_suffix(".debug")
    subprocess.run(["objcopy", "--only-keep-debug", program, debug], check=True)
    subprocess.run(["strip", program], check=True)
    text = subprocess.run(["readelf", "-n", program], capture_output=True, text=True, check=True)
    build_id = text.stdout.split("Build ID: ")[1].split()[0]
    content = debug.read_bytes()
    debug.unlink()
    return program, build_id, content


@pytest.fixture(name="serve")
def servers():
    with contextlib.ExitStack() as stack:
        yield lambda answer: stack.enter_context(contextlib.closing(Server(answer)))


def profile(tmp_path, program, urls, *options, timeout="20"):
    """The stacks of @program, and what was said beside."""
    out = tmp_path / "out.json"
    env = profiling.ENV | {"DEBUGINFOD_URLS": urls, "DEBUGINFOD_TIMEOUT": timeout,
                           "DEBUGINFOD_CACHE_PATH": str(tmp_path / "cache")}
    done = subprocess.run([SKEP, "profile", "-U", "-F", "499", *options, "-o", out, "--", program, "0.4"],
                          capture_output=True, text=True, timeout=TIME, env=env, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    return [line for line in lines if line["type"] == "stack"], done.stderr


def share(samples, is_good):
    total = sum(sample["samples"] for sample in samples)
    assert total
    return sum(sample["samples"] for sample in samples
               if any(map(is_good, sample["frames"]))) / total


def is_leaf(frame):
    return frame["name"] == "hidden_leaf"


def is_leafs_line(frame):
    return is_leaf(frame) and frame.get("file", "").endswith("stripped.c") and frame["line"] in (9, 10, 11)


def test_names_and_lines(tmp_path, stripped, serve):
    program, build_id, content = stripped
    server = serve(lambda handler: send(handler, *((200, content) if build_id in handler.path
                                                   else (404,))))
    samples, errors = profile(tmp_path, program, "", "--lines")
    assert share(samples, is_leaf) == 0
    samples, errors = profile(tmp_path, program, f"{server.url}/debug/", "--lines")
    assert share(samples, is_leafs_line) > 0.9, errors
    assert "debug files" not in errors
    assert server.of(build_id) == [f"/debug/buildid/{build_id}/debuginfo"]
    assert len(server.asked) == len(set(server.asked))
    folder = tmp_path / "cache" / build_id
    assert [path.name for path in folder.iterdir()] == ["debuginfo"]
    assert (folder / "debuginfo").read_bytes() == content
    samples, errors = profile(tmp_path, program, server.url)
    assert share(samples, is_leaf) > 0.9, errors
    assert len(server.of(build_id)) == 1
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [build_id]


def check_none(tmp_path, program, urls, words, **kwargs):
    """Nothing is known, nothing is kept, and it is said once."""
    samples, errors = profile(tmp_path, program, urls, **kwargs)
    assert share(samples, is_leaf) == 0
    assert errors.count("debug files that") == 1, errors
    assert words in errors, errors
    assert not list(tmp_path.glob("cache/*"))


def test_another_server_has_it(tmp_path, stripped, serve):
    program, build_id, content = stripped
    without = serve(lambda handler: send(handler, 404))
    having = serve(lambda handler: send(handler, 200, content))
    samples, _ = profile(tmp_path, program, f" {without.url} {having.url}")
    assert share(samples, is_leaf) > 0.9
    assert len(without.of(build_id)) == len(having.of(build_id)) == 1


def test_nobody_has_it(tmp_path, stripped, serve):
    program, build_id, _ = stripped
    server = serve(lambda handler: send(handler, 404))
    samples, errors = profile(tmp_path, program, server.url)
    assert share(samples, is_leaf) == 0
    assert "debug files" not in errors
    assert len(server.of(build_id)) == 1


def test_https_is_not_spoken(tmp_path, stripped):
    check_none(tmp_path, stripped[0], "https://debuginfod.invalid", "HTTPS is not spoken here")


def test_no_address(tmp_path, stripped):
    check_none(tmp_path, stripped[0], "http://me:secret@127.0.0.1:1", "without user and password")
    _, errors = profile(tmp_path, stripped[0], "http://me:secret@127.0.0.1:1")
    assert "secret" not in errors


def test_nobody_answers(tmp_path, stripped):
    check_none(tmp_path, stripped[0], "http://127.0.0.1:1", "nobody answered")


def test_it_answers_something_else(tmp_path, stripped, serve):
    server = serve(lambda handler: send(handler, 500, b"no"))
    check_none(tmp_path, stripped[0], server.url, "it answered 500")


def test_it_gives_another_file(tmp_path, stripped, serve):
    other = Path("/bin/true").read_bytes()
    server = serve(lambda handler: send(handler, 200, other))
    check_none(tmp_path, stripped[0], server.url, "what it gave are other files")


@pytest.mark.parametrize("length", [1, 1 << 40])
def test_it_says_that_there_is_more(tmp_path, stripped, serve, length):
    """Cut off, or more than is taken."""
    content = stripped[2]

    def answer(handler):
        send(handler, 200, content, max(length, len(content) + 1))
        handler.close_connection = True

    check_none(tmp_path, stripped[0], serve(answer).url, "nobody answered, or not in full")


def test_it_is_late(tmp_path, stripped, serve):
    """Bytes come, but the time is over; all together have twice that."""
    def answer(handler):
        send(handler, 200, b"", 1 << 20)
        for _ in range(100):
            handler.wfile.write(b"x")
            time.sleep(0.2)

    began = time.monotonic()
    check_none(tmp_path, stripped[0], serve(answer).url, "there was no more time", timeout="1")
    assert time.monotonic() - began < 15 * profiling.SLOW


@pytest.mark.skipif(not shutil.which("debuginfod"), reason="not here: debuginfod")
def test_the_server_of_elfutils(tmp_path, stripped):
    program, build_id, content = stripped
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "some.debug").write_bytes(content)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen(["debuginfod", "-F", "-d", ":memory:", "-p", str(port), folder], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, env=profiling.ENV | {"DEBUGINFOD_URLS": ""}) as server:
        try:
            deadline, samples = time.monotonic() + 30 * profiling.SLOW, []
            while time.monotonic() < deadline and not list(tmp_path.glob(f"cache/{build_id}/debuginfo")):
                samples, errors = profile(tmp_path, program, f"http://127.0.0.1:{port}", "--lines")
            assert share(samples, is_leafs_line) > 0.9, errors
        finally:
            server.kill()
