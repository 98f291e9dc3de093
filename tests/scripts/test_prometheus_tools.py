"""Tools beside work of known size, all served at once: what promtool says of each, and what a real
Prometheus has read of them, classic and native."""

import contextlib
import ctypes
import os
import socket
import subprocess
import sys
import threading

import pytest

from prometheus import Prometheus, Served, needs_program, parse

HERE = os.getpid()
LIBC = ctypes.CDLL(None)
# The words of a tool; its family, and the labels that the work's series has; how many there are
# then: exactly, or at least. Counters end in _total; all others are histograms.
TOOLS = {
    ("syscount", "-p", HERE): ("syscount_calls_total", '{id="getpgid"}', 2500),
    ("funccount", "-p", HERE, "c:getpgid"): ("funccount_calls_total", "", 2500),
    ("funclatency", "-p", HERE, "c:getpgid"): ("funclatency_seconds", "", 2500),
    ("argdist", "-p", HERE, "-H", "-i", 1000, "p:c:getpgid(int pid):int:pid"):
        ("argdist_hist_0", "", 2500),
    ("fsdist", "-p", HERE, "--type=tmpfs"): ("fsdist_seconds", '{operation="write"}', 300),
    ("tcprtt",): ("tcprtt_seconds", "", (1,)),
    ("tcptop", "-p", HERE, 1000): ("tcptop_sent_bytes_total", f'{{pid="{HERE}"}}', (1_000_000,)),
    ("slabratetop", "-p", HERE, 1000): ("slabratetop_allocs_total", "", (500,)),
    ("runqlat",): ("runqlat_seconds", "", (100,)),
    ("runqlen",): ("runqlen_runqlen", "", (20,)),
    ("cpudist", "-p", HERE): ("cpudist_seconds", "", (1,)),
    ("biolatency",): ("biolatency_seconds", "", (20,)),
    ("bitesize",): ("bitesize_kbytes", '{comm="dd"}', (20,)),
    ("ext4dist", "-p", HERE): ("ext4dist_seconds", '{operation="write"}', (200,)),
    ("softirqs",): ("softirqs_time_seconds_total", "", (0.000001,)),
    ("offcputime", "-p", HERE, 1000): ("offcputime_seconds_total", "", (0.05,)),
}
# Those of lhist(), which are served in classic buckets alone.
LINEAR = {"runqlen_runqlen"}


def send_over_tcp(n_bytes):
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as client:
            there = server.accept()[0]
            thread = threading.Thread(target=client.sendall, args=(b"x" * n_bytes,))
            thread.start()
            while n_bytes:
                n_bytes -= len(there.recv(n_bytes))
            thread.join()
            there.close()


def write_times(path, n):
    fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    for _ in range(n):
        os.pwrite(fd, b"x", 0)
    os.close(fd)
    os.unlink(path)


def work(folder):
    for _ in range(2500):
        LIBC.getpgid(0)
    write_times(f"/dev/shm/skep-{HERE}", 300)
    write_times(folder / "written", 200)
    send_over_tcp(1_000_000)
    for _ in range(20):
        subprocess.run(["dd", "if=/dev/zero", f"of={folder}/direct", "bs=64k", "count=2",
                        "oflag=direct", "status=none"], check=True)


def file_system(folder):
    return subprocess.run(["stat", "-f", "-c", "%T", folder], check=True, capture_output=True,
                          text=True).stdout.strip()


def amount(text, family, labels):
    """Of a counter its value; of a histogram how many there are. All series that have @labels."""
    name = "skep_" + family + ("" if family.endswith("_total") else "_count")
    wanted = {tuple(labels.strip("{}").replace('"', "").split("="))} if labels else set()
    return sum(value for (found, pairs), value in parse(text).items()
               if found == name and wanted <= set(pairs))


def is_amount(value, wanted):
    return value >= wanted[0] if isinstance(wanted, tuple) else value == wanted


def check_text(served, family, labels, wanted):
    """What promtool says; and of a histogram, that its buckets go up to how many there are."""
    text = served.text()
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                             capture_output=True, check=False)
    assert (checked.stdout + checked.stderr).strip() == "" and checked.returncode == 0, text
    assert is_amount(amount(text, family, labels), wanted), text
    if family.endswith("_total"):
        return
    buckets = {}
    for (name, pairs), value in parse(text).items():
        if name == f"skep_{family}_bucket":
            series = frozenset(pair for pair in pairs if pair[0] != "le")
            buckets.setdefault(series, {})[float(dict(pairs)["le"])] = value
    assert buckets
    for bounds in buckets.values():
        counts = [bounds[bound] for bound in sorted(bounds)]
        assert counts == sorted(counts) and counts[-1] > 0 and float("inf") in bounds


def expression(family, labels):
    """How many there are, of what Prometheus has kept: its histograms are native, if they can."""
    selector = f"skep_{family}{labels}"
    if family in LINEAR:
        return f'sum(skep_{family}_bucket{{le="+Inf"}})'
    return f"sum({selector})" if family.endswith("_total") else f"sum(histogram_count({selector}))"


@pytest.mark.skipif(sys.platform != "linux", reason="needs: Linux")
def test_tools_under_load(tmp_path):
    needs_program("promtool")
    needs_program("prometheus")
    tools = {words: row for words, row in TOOLS.items()
             if file_system(tmp_path) == "ext2/ext3"
             or words[0] not in ("ext4dist", "biolatency", "bitesize")}
    with contextlib.ExitStack() as stack:
        served = {words: stack.enter_context(Served(
            "tool", words[0], "--prometheus", ":0", "--output", "/dev/null", *words[1:]))
            for words in tools}
        work(tmp_path)
        for words, row in tools.items():
            check_text(served[words], *row)
        addresses = [one.address for one in served.values()]
        prometheus = stack.enter_context(Prometheus(addresses[0], tmp_path, *addresses[1:]))
        prometheus.wait_for("sum(up)", len(tools))
        for words, (family, labels, wanted) in tools.items():
            value, = prometheus.wait_for_some(expression(family, labels))
            assert is_amount(value, wanted), words
