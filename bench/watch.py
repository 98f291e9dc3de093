#!/usr/bin/python3
"""What skep watch takes: with it and without it, by turns.

    ./dev bench watch [ROUNDS]

Loads do a known amount of work; their processor time with skep watch beside them is compared with
that without, in pairs, and the median of the pairs' ratios is told: whatever else the machine
does meets both. Then what skep says of itself, idle and under the mixed load, and how long it
takes to attach. Loads: files (dd, direct and through the cache), a compiler, and redis-benchmark
where there is redis; where there is none, a small server and its clients.
"""

import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
SKEP = os.environ.get("SKEP", str(TOP / "build" / "skep"))
NOTIFY = {"SKEP_NOTIFY_ATTACHED": "1"}
SOURCE = "\n".join(f"int f{i}(int x) {{ return x * {i} + __builtin_popcount(x); }}"
                   for i in range(300))


class Watch:
    def __enter__(self):
        began = time.monotonic()
        self.process = subprocess.Popen([SKEP, "watch", "--for", "600s", "--json"], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env=os.environ | NOTIFY)
        assert "ATTACHED" in self.process.stderr.readline()
        self.attached_ms = (time.monotonic() - began) * 1000
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        output, _ = self.process.communicate()
        self.said = json.loads(output)


def files(folder):
    for options in (["oflag=direct"], ["conv=fsync"]):
        subprocess.run(["dd", "if=/dev/zero", f"of={folder}/data", "bs=64k", "count=800",
                        "status=none", *options], check=True)
    subprocess.run(["dd", f"if={folder}/data", "of=/dev/null", "bs=4k", "status=none"], check=True)


def compiler(folder):
    source = Path(folder) / "source.c"
    source.write_text(SOURCE)
    for _ in range(6):
        subprocess.run(["cc", "-O2", "-c", "-o", f"{folder}/source.o", str(source)], check=True)


def redis(folder):
    """A server that ends with its clients' work, so that its time counts, too."""
    server = subprocess.Popen(["redis-server", "--save", "",
                               "--port", "6399", "--bind", "127.0.0.1"],
                              stdout=subprocess.DEVNULL)
    time.sleep(0.3)
    subprocess.run(["redis-benchmark", "-p", "6399", "-q", "-t", "get,set", "-n", "60000"],
                   check=True, stdout=subprocess.DEVNULL)
    server.send_signal(signal.SIGTERM)
    server.wait()


SERVER = """
import socket, threading
def answer(sock):
    while sock.recv(100, socket.MSG_WAITALL): sock.sendall(b"!" * 1000)
def ask(address):
    with socket.create_connection(address) as sock:
        for _ in range(3000):
            sock.sendall(b"?" * 100)
            sock.recv(1000, socket.MSG_WAITALL)
server = socket.create_server(("127.0.0.1", 0))
clients = [threading.Thread(target=ask, args=(server.getsockname(),)) for _ in range(8)]
for client in clients: client.start()
for _ in clients: threading.Thread(target=answer, args=(server.accept()[0],)).start()
"""


def server(_):
    subprocess.run([sys.executable, "-c", SERVER], check=True)


def mixed(folder):
    for load in LOADS.values():
        if load is not mixed:
            load(folder)


LOADS = {"files": files, "compiler": compiler}
if shutil.which("redis-server") and shutil.which("redis-benchmark"):
    LOADS["redis"] = redis
else:
    LOADS["server"] = server
LOADS["mixed"] = mixed


def processor_seconds(load, folder):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    load(folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def pair(load, folder, first):
    """(without, with), whichever comes first."""
    times = {}
    for watched in (first, not first):
        if watched:
            with Watch():
                times[watched] = processor_seconds(load, folder)
        else:
            times[watched] = processor_seconds(load, folder)
    return times[False], times[True]


def table(rounds):
    print(f"{'load':10} {'without':>9} {'with':>9} {'ratio':>7}   pairs")
    with tempfile.TemporaryDirectory(dir=TOP / "build") as folder:
        for name, load in LOADS.items():
            load(folder)  # warms up
            pairs = [pair(load, folder, n % 2 == 0) for n in range(rounds)]
            ratios = [watched / alone for alone, watched in pairs]
            alone, watched = (statistics.median(times) for times in zip(*pairs))
            print(f"{name:10} {alone:7.2f} s {watched:7.2f} s {statistics.median(ratios):7.3f}   "
                  f"{min(ratios):.3f} to {max(ratios):.3f}", flush=True)


def itself(title, seconds, load=None):
    with Watch() as watch, tempfile.TemporaryDirectory(dir=TOP / "build") as folder:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if load:
                load(folder)
            else:
                time.sleep(1)
    cost = watch.said["overhead"]
    print(f"{title:10} attached in {watch.attached_ms:.0f} ms; skep {cost['own_cpu_percent']:.2f}% of a"
          f" CPU, its probes {cost['probes_cpu_percent']:.2f}%"
          f" ({cost['events_per_second']:.0f} events/s, {cost['ns_per_event']:.0f} ns each);"
          f" a reading takes {cost['reading_ns'] / 1e6:.1f} ms;"
          f" {cost['resident_bytes'] / 2**20:.1f} MiB; lost: {sum(watch.said['lost'].values())};"
          f" load average {os.getloadavg()[0]:.1f}", flush=True)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    table(rounds)
    itself("idle", 20)
    itself("mixed", 20, mixed)


if __name__ == "__main__":
    main()
