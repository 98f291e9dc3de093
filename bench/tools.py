#!/usr/bin/python3
"""skep's tools beside those of libbpf-tools that run on this kernel: start, memory, cost per event.

    ./dev bench tools [--rounds N] [TOOL...]

Both run with the same arguments beside the same workload, one after the other, so that what else
the machine does falls on both; a ratio is the median of the pairs' ratios (and their range), over
one where skep needs less. "CPU ms" is how long the processor ran for the start: it is what can be
told on a machine that does other things, too. Costs are the kernel's own (bpf_stats_enabled): the
time of all programs of a tool, over what the workload does so often.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field

from measure import NOTIFY, TOP, Attached, Contender, bpf_stats, median, programs, ratios, table

SBIN = "/usr/sbin"


# --- Workloads: each does something N times ------------------------------------------------------

def opens(n):
    for _ in range(n):
        os.close(os.open("/etc/hostname", os.O_RDONLY))


def stats(n):
    for _ in range(n):
        os.stat("/etc/hostname")


def starts(n):
    for _ in range(n):
        pid = os.posix_spawn("/bin/true", ["true"], {})
        os.waitpid(pid, 0)


def signals(n):
    signal.signal(signal.SIGUSR1, lambda *_: None)
    for _ in range(n):
        os.kill(os.getpid(), signal.SIGUSR1)


def reads(n):
    subprocess.run(["dd", "if=/dev/zero", "of=/dev/null", "bs=1", f"count={n}"], check=True,
                   stderr=subprocess.DEVNULL)


def switches(n):
    """Two processes that wake one another."""
    (there_r, there_w), (back_r, back_w) = os.pipe(), os.pipe()
    pid = os.fork()
    if not pid:
        for _ in range(n):
            os.read(there_r, 1)
            os.write(back_w, b"x")
        os._exit(0)
    for _ in range(n):
        os.write(there_w, b"x")
        os.read(back_r, 1)
    os.waitpid(pid, 0)
    for fd in (there_r, there_w, back_r, back_w):
        os.close(fd)


def blocks(n):
    """Of a file of its own, past the page cache."""
    with tempfile.NamedTemporaryFile(dir="/var/tmp", prefix="skep-bench-") as file:
        file.write(bytes(4096) * n)
        file.flush()
        os.fsync(file.fileno())
        subprocess.run(["dd", f"if={file.name}", "of=/dev/null", "bs=4096", "iflag=direct"],
                       check=True, stderr=subprocess.DEVNULL)


def mounts(n):
    command = "i=0; while [ $i -lt $0 ]; do mount -t tmpfs none /mnt && umount /mnt; i=$((i+1)); done"
    subprocess.run(["unshare", "-m", "sh", "-c", command, str(n)], check=True)


def connections(n):
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        for _ in range(n):
            listener.accept()[0].close()

    thread = threading.Thread(target=accept)
    thread.start()
    for _ in range(n):
        socket.create_connection(listener.getsockname()).close()
    thread.join()
    listener.close()


def lookups(n):
    for _ in range(n):
        socket.getaddrinfo("localhost", 80)


@dataclass
class Pair:
    name: str
    sign: bytes  # what the peer prints when it is attached
    work: object
    n: int
    args: list = field(default_factory=list)
    ours: list = None  # our arguments, where they are not the same

    def tool(self):
        return self.name.split()[0]

    def contenders(self):
        variable, sign = NOTIFY["skep"]
        ours = self.args if self.ours is None else self.ours
        peer = self.tool()
        return (Contender("skep", [str(TOP / "dist" / "skep"), "tool", self.tool(), *ours], sign,
                          {variable: "1"}),
                Contender(peer, [f"{SBIN}/{peer}", *self.args], self.sign))


PAIRS = [
    Pair("opensnoop", b"PATH", opens, 20000),
    Pair("statsnoop", b"PATH", stats, 20000),
    Pair("execsnoop", b"ARGS", starts, 500),
    Pair("exitsnoop", b"EXIT_CODE", starts, 500),
    Pair("sigsnoop", b"RESULT", signals, 10000),
    Pair("killsnoop", b"RESULT", signals, 10000),
    Pair("mountsnoop", b"CALL", mounts, 100),
    Pair("gethostlatency", b"HOST", lookups, 2000),
    Pair("tcplife", b"RADDR", connections, 2000),
    Pair("tcpstates", b"RADDR", connections, 2000),
    Pair("syscount", b"Tracing", reads, 200000),
    Pair("syscount -L", b"Tracing", reads, 200000, ["-L"]),
    Pair("cpudist", b"Tracing", switches, 20000),
    Pair("runqlat", b"Tracing", switches, 20000),
    Pair("runqslower", b"Tracing", switches, 20000),
    Pair("wakeuptime", b"Tracing", switches, 20000),
    Pair("hardirqs", b"Tracing", blocks, 5000),
    Pair("softirqs", b"Tracing", connections, 2000),
    Pair("biolatency", b"Tracing", blocks, 5000),
    Pair("bitesize", b"Tracing", blocks, 5000),
    Pair("biopattern", b"Tracing", blocks, 5000),
    Pair("funclatency", b"Tracing", lookups, 2000, ["/lib/x86_64-linux-gnu/libc.so.6:getaddrinfo"],
         ["c:getaddrinfo"]),
]


def run_one(pair, contender):
    """Start, what it ran for that, peak, and the kernel's time for one of the workload's rounds."""
    before = programs()
    with Attached(contender) as attached:
        new = {id: counts for id, counts in programs().items() if id not in before}
        done = threading.Event()

        def drain():
            while not done.wait(0.005):
                attached.drain()

        reader = threading.Thread(target=drain)
        reader.start()
        pair.work(pair.n)
        done.set()
        reader.join()
        after = programs()
    spent = sum(after[id][1] - counts[1] for id, counts in new.items() if id in after)
    return (attached.start_s * 1000, attached.start_cpu_s * 1000, attached.peak_kib / 1024,
            spent / pair.n)


def row(pair, rounds):
    try:
        runs = [[run_one(pair, contender) for contender in pair.contenders()]
                for _ in range(rounds)]
    except RuntimeError as error:
        words = str(error).split("\n")[0]
        return [pair.name, words[:90], *[""] * 11]
    cells = [pair.name]
    for what, digits in enumerate((1, 1, 1, 0)):
        ours, theirs = ([run[side][what] for run in runs] for side in (0, 1))
        cells += [f"{median(ours):.{digits}f}", f"{median(theirs):.{digits}f}",
                  ratios(ours, theirs)]
    return cells


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tools", nargs="*", metavar="TOOL")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    names = [pair.name for pair in PAIRS]
    unknown = [name for name in options.tools if name not in names]
    if unknown:
        parser.error(f"there is no pair {unknown[0]}; there are: {', '.join(names)}")
    pairs = [pair for pair in PAIRS if not options.tools or pair.name in options.tools]
    head = ["", *[cell for what in ("start ms", "CPU ms", "MiB", "ns")
                  for cell in (what, "peer's", "times skep's")]]
    with bpf_stats():
        table(f"Tools beside libbpf-tools ({options.rounds} rounds)", head,
              [row(pair, options.rounds) for pair in pairs])
    return 0


if __name__ == "__main__":
    sys.exit(main())
