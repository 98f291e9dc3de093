"""Helpers of test_prometheus.py: a skep that serves metrics, and what it serves, parsed."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request

import pytest

from runner import ATTACHED, SKEP

SAMPLE = re.compile(r'^([a-zA-Z_]\w*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')
ESCAPES = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}


def parse(text):
    """{(name, labels as a frozenset of pairs): value} of an exposition in text. Twice is an error."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = SAMPLE.match(line).groups()
        pairs = frozenset((key, re.sub(r"\\.", lambda m: ESCAPES[m[0]], text))
                          for key, text in LABEL.findall(labels or ""))
        assert (name, pairs) not in found, f"twice: {line}"
        found[name, pairs] = float(value)
    return found


class Served:
    """skep with the given words; inside of `with` it serves. Its standard error is in lines."""

    def __init__(self, *words, ready=1):
        self.words = [str(SKEP), *map(str, words)]
        self.lines = []
        self.url = None
        self.ready = threading.Event()
        self.wanted = ready  # how many processes say that they are attached

    def __enter__(self):
        env = os.environ | {"SKEP_NOTIFY_ATTACHED": "1", "NO_COLOR": "1"}
        self.process = subprocess.Popen(self.words, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        stdin=subprocess.DEVNULL, text=True, errors="replace",
                                        env=env, start_new_session=True)
        self.output = []
        self.threads = [threading.Thread(target=self.read, daemon=True),
                        threading.Thread(target=self.read_output, daemon=True)]
        for thread in self.threads:
            thread.start()
        assert self.ready.wait(30 * float(os.environ.get("SLOW", "1")))
        assert self.url or self.process.wait(5) is not None, self.lines
        return self

    def read(self):
        for line in self.process.stderr:
            line = line.rstrip("\n")
            found = re.search(r"Metrics .*at (http://\S+)", line)
            if found:
                self.url = found[1]
            elif line.endswith(ATTACHED):
                self.wanted -= 1
            else:
                self.lines.append(line)
            if self.wanted == 0:
                self.ready.set()
        self.ready.set()

    def read_output(self):
        for line in self.process.stdout:
            self.output.append(line)

    def __exit__(self, *_):
        self.end()
        assert not any("Sanitizer" in line for line in self.lines), "\n".join(self.lines)

    def end(self, sig=signal.SIGINT):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            self.status = self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise
        for thread in self.threads:
            thread.join(5)
        return self.status

    @property
    def address(self):
        parts = urllib.parse.urlsplit(self.url)
        return parts.hostname, parts.port

    def get(self, accept="text/plain", path="/metrics"):
        url = urllib.parse.urljoin(self.url, path)
        request = urllib.request.Request(url, headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.headers["Content-Type"], reply.read()

    def text(self):
        return self.get()[1].decode()

    def value(self, name, **labels):
        return parse(self.text()).get((name, frozenset(labels.items())))

    def wait_for(self, name, value, **labels):
        """Events come a moment later than what caused them."""
        end = time.monotonic() + 10
        while (now := self.value(name, **labels)) != value and time.monotonic() < end:
            time.sleep(0.05)
        assert now == value

    def wait_for_line(self, begin):
        end = time.monotonic() + 10
        while not any(line.startswith(begin) for line in self.lines) and time.monotonic() < end:
            time.sleep(0.02)
        assert any(line.startswith(begin) for line in self.lines), self.lines


def needs_program(name):
    if not shutil.which(name):
        pytest.skip(f"needs {name} (Debian: prometheus)")


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Prometheus:
    """A real one that scrapes @target, and others, every second, with its data in @folder."""

    def __init__(self, target, folder, *others):
        needs_program("prometheus")
        self.port = free_port()
        self.folder = folder
        config = folder / "prometheus.yml"
        targets = ", ".join(f"'{host}:{port}'" for host, port in (target, *others))
        config.write_text("global: {scrape_interval: 1s}\nscrape_configs:\n"
                          "  - job_name: skep\n    static_configs:\n"
                          f"      - targets: [{targets}]\n")
        self.command = ["prometheus", f"--config.file={config}",
                        f"--storage.tsdb.path={folder}/data",
                        f"--web.listen-address=127.0.0.1:{self.port}",
                        "--enable-feature=native-histograms"]

    def __enter__(self):
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def query(self, expression):
        url = f"http://127.0.0.1:{self.port}/api/v1/query?" + urllib.parse.urlencode(
            {"query": expression})
        try:
            with urllib.request.urlopen(url, timeout=5) as reply:
                return [float(item["value"][1]) for item in json.load(reply)["data"]["result"]]
        except (OSError, KeyError):
            return None

    def wait_for(self, expression, value):
        self.wait_until(expression, lambda now: now == [value])

    def wait_for_some(self, expression):
        """Whatever it is, once it is known."""
        return self.wait_until(expression, lambda now: now)

    def wait_until(self, expression, is_wanted):
        end = time.monotonic() + 60
        while not is_wanted(now := self.query(expression)) and time.monotonic() < end:
            time.sleep(0.3)
        log = (self.folder / "log").read_text(errors="replace")[-2000:]
        assert is_wanted(now), f"{expression}: {now}\n{log}"
        return now
