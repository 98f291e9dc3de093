#!/usr/bin/python3
"""skep watch for long beside a load: does it grow, and is what it counted what the kernel counted?

    bench/watch_soak.py [MINUTES]        (30)

Two run: one on a screen, with keys pressed now and then, and one that says in the end what it saw.
Their resident memory, their descriptors and their processor time are noted each ten seconds. At the
end the last quarter of the time is compared with the second (the first is for caches to fill), and
what was counted with /proc, with ss for a connection that stays, and with iostat where there is one.
Status 1 if the screen's memory grew by more than a MiB, or a count is outside of what the kernel's says:
that of a time within ours, and of one around it. The summary keeps all that it has seen until its end,
so that it grows with what is new.
"""

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests" / "scripts"))
from watching import SKEP, Watch, diskstats, stat, tcp, vmstat  # noqa: E402

KEYS = b"\t\ts\nt\n"  # now and then: other panels, enlarged, sorted
MIB_KIB = 1024
# What is counted: panel, fact, how many of the kernel's are one of it, the kernel's counter, and how
# much the two may differ. Faults of processes that are gone at once may be no task's; requests to
# disks that end beside a process that the kernel keeps probes from are seen by nobody; TCP's
# counters are those of this network namespace, and watch looks at all.
COUNTS = [
    ("processes", "forks_per_second", 1, lambda: stat("processes"), 0),
    ("memory", "faults_per_second", 1, lambda: vmstat("pgfault"), 0.01),
    ("network", "opened_per_second", 1, lambda: tcp("ActiveOpens") - tcp("AttemptFails"),
     0.001),
    ("network", "accepted_per_second", 1, lambda: tcp("PassiveOpens"), 0.001),
    ("network", "failed_per_second", 1, lambda: tcp("AttemptFails"), 0.001),
    ("disks", "reads_per_second", 1, lambda: diskstats(0), 0.01),
    ("disks", "writes_per_second", 1, lambda: diskstats(4), 0.01),
    ("disks", "read_bytes_per_second", 512, lambda: diskstats(2), 0.01),
    ("disks", "written_bytes_per_second", 512, lambda: diskstats(6), 0.01),
]


# --- The load -----------------------------------------------------------------------------------


def churn(folder, server):
    """Some processes, connections, failures, requests to disks: some ten a second each."""
    subprocess.run(["sh", "-c", "for i in 1 2 3 4 5; do true; /bin/true; /bin/false; done; "
                    "ls /nonexistent"], check=False, stderr=subprocess.DEVNULL)
    for _ in range(5):
        with socket.create_connection(server.getsockname()) as client:
            server.accept()[0].close()
            client.recv(1)
    subprocess.run(["dd", "if=/dev/zero", f"of={folder}/data", "bs=64k", "count=5", "oflag=direct",
                    "conv=notrunc", "status=none"], check=True)
    subprocess.run(["dd", f"if={folder}/data", "of=/dev/null", "bs=64k", "iflag=direct",
                    "status=none"], check=True)


class Talk:
    """A connection that stays: a request and an answer each millisecond."""

    def __enter__(self):
        self.server = socket.create_server(("127.0.0.1", 0))  # stays: whose service it is
        self.port = self.server.getsockname()[1]
        self.client = socket.create_connection(self.server.getsockname())
        self.peer = self.server.accept()[0]
        self.ends = False
        self.thread = threading.Thread(target=self.talk)
        self.thread.start()
        return self

    def talk(self):
        while not self.ends:
            self.client.sendall(b"?" * 100)
            self.peer.recv(100, socket.MSG_WAITALL)
            self.peer.sendall(b"!" * 1000)
            self.client.recv(1000, socket.MSG_WAITALL)
            time.sleep(0.001)

    def stop(self):
        self.ends = True
        self.thread.join()

    def __exit__(self, *_):
        self.stop()
        for sock in (self.client, self.peer, self.server):
            sock.close()

    def sent(self):
        """What ss says that the server's side has sent."""
        said = subprocess.run(["ss", "-tinH", "state", "established", "sport", "=",
                               f":{self.port}"], capture_output=True, text=True, check=True).stdout
        return int(re.search(r"\bbytes_sent:(\d+)", said)[1])


# --- What is watched ----------------------------------------------------------------------------


def start_screen():
    pid, fd = pty.fork()
    if pid == 0:
        time.sleep(0.2)
        os.execve(SKEP, [SKEP, "watch"], os.environ | {"TERM": "xterm-256color", "LANG": "C.UTF-8"})
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 200, 0, 0))
    return pid, fd


def end_screen(pid, fd):
    os.write(fd, b"q")
    while select.select([fd], [], [], 2)[0]:
        try:
            os.read(fd, 65536)
        except OSError:
            break
    return os.waitpid(pid, 0)[1]


def resident_kib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ProcessLookupError(pid)


def processor_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def note(pids, began, samples):
    elapsed = time.monotonic() - began
    words = [f"{elapsed:7.0f} s"]
    for name, pid in pids.items():
        samples[name].append(resident_kib(pid))
        words.append(f"{name} {samples[name][-1]:7d} KiB {len(os.listdir(f'/proc/{pid}/fd')):3d} "
                     f"descriptors {100 * processor_seconds(pid) / elapsed:5.2f}% of a CPU")
    print("  ".join(words), flush=True)


def work(minutes, folder, fd, pids):
    began = noted = pressed = time.monotonic()
    samples = {name: [] for name in pids}
    with socket.create_server(("127.0.0.1", 0)) as server:
        while time.monotonic() - began < minutes * 60:
            churn(folder, server)
            while select.select([fd], [], [], 0.2)[0]:
                os.read(fd, 65536)
            if time.monotonic() - pressed > 7:
                os.write(fd, KEYS)
                pressed = time.monotonic()
            if time.monotonic() - noted > 10:
                note(pids, began, samples)
                noted = time.monotonic()
    return samples


# --- What is said of it -------------------------------------------------------------------------


def say_growth(samples):
    grown = {}
    for name, kib in samples.items():
        quarter = max(1, len(kib) // 4)
        then = statistics.median(kib[quarter:2 * quarter])
        now = statistics.median(kib[-quarter:])
        grown[name] = now - then
        print(f"{name}: {then:.0f} KiB in the second quarter, {now:.0f} KiB in the last: "
              f"{now - then:+.0f} KiB")
    return grown["screen"] <= MIB_KIB


def say_count(name, least, counted, most, slack=0):
    is_right = least * (1 - slack) <= counted <= most * (1 + slack)
    print(f"{name:40} {least:14d} <= {counted:14d} <= {most:14d}  {'' if is_right else 'NOT SO'}")
    return is_right


def say_counts(watch, inside, around):
    rights = []
    for (panel, fact, unit, _, slack), least, most in zip(COUNTS, inside, around):
        rights.append(say_count(f"{panel} {fact}", least, watch.fact(panel, fact) // unit, most,
                                slack))
    print(f"lost: {watch.said['lost']}")
    return all(rights)


def say_iostat(watch, disk_kib):
    """iostat's own sums, for who trusts it more than /proc/diskstats."""
    if disk_kib is None:
        print("iostat: not installed (Debian: sysstat)")
        return
    for name, fact in (("kB_read", "read_bytes_per_second"), ("kB_wrtn", "written_bytes_per_second")):
        print(f"iostat {name}: {disk_kib[name]}, skep watch: {watch.fact('disks', fact) // 1024}")


def iostat():
    """KiB read and written by all disks since the machine began; None: there is no iostat."""
    if not shutil.which("iostat"):
        return None
    said = subprocess.run(["iostat", "-d", "-k", "-o", "JSON"], capture_output=True, text=True,
                          check=True).stdout
    disks = json.loads(said)["sysstat"]["hosts"][0]["statistics"][0]["disk"]
    return {name: sum(disk[name] for disk in disks) for name in ("kB_read", "kB_wrtn")}


def read_all():
    return [read() for *_, read, _ in COUNTS]


def difference(later, earlier):
    return [now - then for now, then in zip(later, earlier)]


def soak(minutes, folder):
    around = read_all()
    with Talk() as talk, Watch(seconds=minutes * 60 + 600) as watch:
        inside, sent, disks = read_all(), talk.sent(), iostat()
        screen, fd = start_screen()
        try:
            samples = work(minutes, folder, fd,
                           {"screen": screen, "summary": watch.process.pid})
        finally:
            status = end_screen(screen, fd)
        talk.stop()
        sent = talk.sent() - sent
        now = iostat()
        disks = now and {name: now[name] - disks[name] for name in now}
        inside = difference(read_all(), inside)
    around = difference(read_all(), around)
    is_flat = say_growth(samples)
    is_right = say_counts(watch, inside, around)
    counted = watch.total("network", "peers", "sent_bytes_per_second", service_of="ours",
                          port=talk.port)
    is_right &= say_count("ss bytes_sent of one connection", sent, counted, sent + 100_000)
    say_iostat(watch, disks)
    return is_flat and is_right and not status


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(dir=TOP / "build") as folder:
        sys.exit(not soak(float(sys.argv[1]) if len(sys.argv) > 1 else 30, folder))


if __name__ == "__main__":
    main()
