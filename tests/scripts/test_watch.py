"""What skep watch says is what happened: beside workloads of known size, and between what the
kernel's own counters say of a shorter and of a longer time."""

import contextlib
import errno
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

from watching import SKEP, UnseenRequests, Watch, Within, diskstats, stat, tcp, vmstat

PYTHON = "/usr/bin/python3"
MIB = 1 << 20


def python(name, text, **kwargs):
    """A process of this name that runs some Python."""
    named = f"open('/proc/self/comm', 'w').write('{name}')\n" + text
    return subprocess.run([PYTHON, "-c", named], check=True, capture_output=True, text=True,
                          timeout=60, **kwargs).stdout


# --- The kernel's own counters ------------------------------------------------------------------


def test_forks_and_faults_are_the_kernels():
    with Within(lambda: stat("processes")) as forks, Within(lambda: vmstat("pgfault")) as faults:
        with Watch() as watch, forks.inside(), faults.inside():
            for _ in range(40):
                subprocess.run(["true"], check=True)
            python("toucher", "import mmap; m = mmap.mmap(-1, 64 << 20)\n"
                   "for i in range(0, 64 << 20, 4096): m[i] = 1")
    forks.check(watch.fact("processes", "forks_per_second"))
    # Faults of the kernel on behalf of processes that are gone at once may be no task's: 1%.
    counted = watch.fact("memory", "faults_per_second")
    assert faults.least * 0.99 <= counted <= faults.around


def test_tcp_counts_are_the_kernels():
    with Within(lambda: tcp("PassiveOpens")) as accepted, \
            Within(lambda: tcp("ActiveOpens")) as opened:
        with Watch() as watch, accepted.inside(), opened.inside():
            with socket.create_server(("127.0.0.1", 0)) as server:
                for _ in range(50):
                    with socket.create_connection(server.getsockname()) as client:
                        server.accept()[0].close()
                        client.recv(1)
    accepted.check(watch.fact("network", "accepted_per_second"))
    opened.check(watch.fact("network", "opened_per_second"))


def write_and_read(path):
    subprocess.run(["dd", "if=/dev/zero", f"of={path}", "bs=1M", "count=16", "conv=fsync",
                    "status=none"], check=True)
    subprocess.run(["dd", f"if={path}", "of=/dev/null", "bs=64k", "iflag=direct", "status=none"],
                   check=True)


def test_disk_requests_are_the_kernels(tmp_path):
    """Of all disks, whoever asked them."""
    if os.statvfs(tmp_path).f_fsid == os.statvfs("/dev/shm").f_fsid:
        pytest.skip("the folder for temporary files is on no disk")
    kernel = {column: Within(lambda column=column: diskstats(column)) for column in (0, 2, 4, 6)}
    with kernel[0], kernel[2], kernel[4], kernel[6], UnseenRequests() as unseen:
        with Watch() as watch, kernel[0].inside(), kernel[2].inside(), \
                kernel[4].inside(), kernel[6].inside():
            write_and_read(tmp_path / "data")
    counted = {0: watch.fact("disks", "reads_per_second"),
               2: watch.fact("disks", "read_bytes_per_second") // 512,
               4: watch.fact("disks", "writes_per_second"),
               6: watch.fact("disks", "written_bytes_per_second") // 512}
    for column, within in kernel.items():
        within.check(counted[column], watch.said["lost"], unseen.column(column))
    assert watch.total("disks", "files", "bytes_per_second", operation="write",
                       file=f"{tmp_path.name}/data") == 16 * MIB


@contextlib.contextmanager
def file_system_of_ones_own(folder):
    """On a disk of its own, whose requests end while its worker runs: what ends beside a process that
    a kernel keeps probes from (as some hosts of virtual machines do with their own) nobody sees."""
    image, at = folder / "image", folder / "at"
    at.mkdir()
    with open(image, "wb") as file:
        file.truncate(64 * MIB)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    made = subprocess.run(["mount", "-o", "loop", image, at], capture_output=True, text=True,
                          check=False)
    if made.returncode:
        pytest.skip(f"needs a loop device: {made.stderr.strip()}")
    try:
        source = subprocess.run(["findmnt", "-n", "-o", "SOURCE", at], capture_output=True, text=True,
                                check=True).stdout.strip()
        yield at, os.path.basename(source)
    finally:
        subprocess.run(["umount", at], check=True)


def test_requests_of_a_disk_are_the_kernels():
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder, \
            file_system_of_ones_own(Path(folder)) as (at, disk):
        kernel = {column: Within(lambda column=column: diskstats(column, disk))
                  for column in (0, 2, 4, 6)}
        with kernel[0], kernel[2], kernel[4], kernel[6]:
            with Watch() as watch, kernel[0].inside(), kernel[2].inside(), \
                    kernel[4].inside(), kernel[6].inside():
                write_and_read(at / "data")
    lost = watch.said["lost"]
    for operation, requests, sectors in (("read", 0, 2), ("write", 4, 6)):
        of = {"disk": disk, "operation": operation}
        kernel[requests].check(watch.total("disks", "disks", "operations_per_second", **of), lost)
        kernel[sectors].check(watch.total("disks", "disks", "bytes_per_second", **of) // 512, lost)
    assert watch.total("disks", "files", "bytes_per_second", operation="write",
                       file="/data") == 16 * MIB
    direct = watch.total("disks", "files", "bytes_per_second", operation="read",
                         file=f"(past the cache, {disk})")
    assert direct == 16 * MIB
    counts = watch.said["panels"]["disks"]["read_us"]
    assert sum(bucket["count"] for bucket in counts) == watch.fact("disks", "reads_per_second")


# --- Workloads of known size --------------------------------------------------------------------


def test_cpu_time_is_the_processs():
    burn = ("import time, resource\nwhile time.process_time() < 1: pass\n"
            "u = resource.getrusage(resource.RUSAGE_SELF)\nprint(u.ru_utime + u.ru_stime)\n"
            "print(u.ru_minflt)")
    with Watch() as watch:
        used, faults = map(float, python("burner", burn).split())
    rows = [row for row in watch.rows("cpu", "processes") if row["process"] == "burner (1 ended)"]
    seconds = sum(row["cpu_percent"] for row in rows) / 100 * watch.said["seconds"]
    assert used * 0.97 - 0.02 <= seconds <= used * 1.03 + 0.05
    assert seconds > 0.9
    touched = sum(row["faults_per_second"] for row in watch.rows("memory", "processes")
                  if row["process"] == "burner (1 ended)") * watch.said["seconds"]
    assert touched <= faults * 1.1 + 50
    functions = watch.rows("cpu", "functions", process="burner")
    # 49 samples a second and CPU, of which idle ones do not count
    share = 100 * seconds / (watch.said["cpus"] * watch.said["seconds"])
    assert sum(row["percent"] for row in functions) > share / 2


SPINNER = """
#include <stdint.h>
#include <time.h>
__attribute__((noinline)) uint64_t spins_until(double seconds)
{
	struct timespec now, until;
	uint64_t n = 0;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &until);
	double end = until.tv_sec + until.tv_nsec / 1e9 + seconds;
	do {
		for (int i = 0; i < 1000000; i++)
			__asm__ volatile("" : "+r"(n));
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	} while (now.tv_sec + now.tv_nsec / 1e9 < end);
	return n;
}
int main(void) { return (int)spins_until(1.5); }
"""


def test_functions_have_names(tmp_path):
    """A program's own function, one of a file that is deleted meanwhile, and one that says nothing
    of itself."""
    (tmp_path / "spinner.c").write_text(SPINNER)
    for name, options in (("spinner", []), ("leaves", []), ("nameless", ["-s"])):
        subprocess.run(["cc", "-O1", *options, "-o", str(tmp_path / name),
                        str(tmp_path / "spinner.c")], check=True)
    with Watch() as watch:
        running = [subprocess.Popen([str(tmp_path / name)]) for name in
                   ("spinner", "leaves", "nameless")]
        (tmp_path / "leaves").unlink()
        for process in running:
            process.wait(60)
    for name, function in (("spinner", "spins_until"), ("leaves", "spins_until"),
                           ("nameless", "in nameless")):
        rows = [row for row in watch.rows("cpu", "functions", process=name)
                if row["in"] == "user"]
        assert rows and rows[0]["function"] == function, rows
    assert watch.said["overhead"]["places_unread"] >= 0


def test_waits_for_a_cpu_are_found():
    """Four that want one CPU: each waits for the three others."""
    burn = "import time\nend = time.time() + 3\nwhile time.time() < end: pass"
    cpu = min(os.sched_getaffinity(0))
    named = f"open('/proc/self/comm', 'w').write('rivals')\n{burn}"
    with Watch() as watch:
        rivals = [subprocess.Popen(["taskset", "-c", str(cpu), PYTHON, "-c", named])
                  for _ in range(4)]
        for rival in rivals:
            rival.wait(60)
    assert any(text.startswith("rivals waits ") for text in watch.findings), watch.findings
    row = [row for row in watch.rows("cpu", "processes") if row["process"].startswith("rivals")][0]
    assert row["wait_percent"] > row["cpu_percent"]
    assert row["wait_p99_ns"] > 1e6


def test_failing_calls_are_counted():
    fail = "import os\nfor i in range(1000):\n  try: os.open('/no/such/file', 0)\n  except OSError: pass"
    with Watch() as watch:
        python("opener", fail)
    assert watch.total("syscalls", "failed", "fails_per_second", process="opener", call="openat",
                       errno="ENOENT") == 1000


def test_programs_exits_and_signals_are_counted():
    work = """
import os, signal, subprocess, time
for i in range(30): subprocess.run(["false"])
signal.signal(signal.SIGUSR1, lambda *_: None)
for i in range(25): os.kill(os.getpid(), signal.SIGUSR1)
for i in range(3): subprocess.run(["sh", "-c", "kill -SEGV $$"])
"""
    with Watch() as watch:
        python("starter", work)
    assert watch.total("processes", "started", "starts_per_second", program="false",
                       parent="starter") == 30
    assert watch.rows("processes", "failed", process="false", status="status 1")[0]["times"] == 30
    assert watch.rows("processes", "signals", signal="SIGUSR1", to="starter")[0]["times"] == 25
    assert "sh crashed 3 times (SIGSEGV)" in watch.findings
    assert "false failed 30 times (status 1)" in watch.findings


def transfer(server, size):
    with socket.create_connection(server.getsockname()) as client:
        peer = server.accept()[0]
        sender = threading.Thread(target=client.sendall, args=(b"x" * size,))
        sender.start()
        left = size
        while left:
            left -= len(peer.recv(min(left, 65536)))
        sender.join()
        peer.close()


NAMES = 300
MANY_NAMES = """
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void)
{
	for (int round = 0; round < 2; round++, sleep(24)) {
		for (int i = 0; i < NAMES; i++) {
			char name[16];
			snprintf(name, sizeof(name), "one_of_%d", i);
			pid_t pid = vfork();
			if (!pid) {
				prctl(PR_SET_NAME, name);
				_exit(i % 2);
			}
			waitpid(pid, NULL, 0);
		}
	}
	return 0;
}
"""


def test_names_that_stood_still_leave_without_a_loss(tmp_path):
    """More names than are kept where they are not seen any more, each once, and once again after
    they were forgotten. Every second one fails: so many rows there are."""
    (tmp_path / "names.c").write_text(MANY_NAMES)
    subprocess.run(["cc", f"-DNAMES={NAMES}", "-o", str(tmp_path / "names"),
                    str(tmp_path / "names.c")], check=True)
    with Watch(seconds=600) as watch:
        subprocess.run([str(tmp_path / "names")], check=True)
    ends = {row["process"]: row["times"] for row in watch.rows("processes", "failed")
            if row["process"].startswith("one_of_")}
    assert ends == {f"one_of_{i}": 2 for i in range(1, NAMES, 2)}


def test_bytes_go_to_their_peer():
    size = 5 * MIB + 321
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with Watch() as watch:
            transfer(server, size)
            time.sleep(1.5)  # somebody still listens when it is looked
    for side, name in (("peer", "sent"), ("ours", "received")):
        assert abs(watch.total("network", "peers", f"{name}_bytes_per_second", service_of=side,
                               port=port) - size) <= 1
    assert any(row["round_trip_ns"] for row in watch.rows("network", "peers"))


def test_connections_that_end_at_once_all_count():
    """The kernel uses the memory of one for the next, often within the time between two readings."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with Watch() as watch:
            for _ in range(300):
                transfer(server, 100)
            time.sleep(1.5)
    assert watch.total("network", "peers", "sent_bytes_per_second", service_of="peer",
                       port=port) == 30000


def test_a_connection_that_stays_is_seen():
    """Its bytes are read while it is open, and only those since the watching began."""
    with socket.create_server(("127.0.0.1", 0)) as server, \
            socket.create_connection(server.getsockname()) as client:
        peer, _ = server.accept()
        client.sendall(b"x" * MIB)
        assert len(peer.recv(MIB, socket.MSG_WAITALL)) == MIB
        port = server.getsockname()[1]
        with Watch() as watch:
            client.sendall(b"y" * 3000)
            assert len(peer.recv(3000, socket.MSG_WAITALL)) == 3000
        peer.close()
    assert watch.total("network", "peers", "sent_bytes_per_second", peer="127.0.0.1",
                       port=port) == 3000
    assert watch.total("network", "peers", "received_bytes_per_second", peer="127.0.0.1",
                       port=port) == 3000


def test_other_network_namespaces_are_seen():
    work = """
import socket, time
s = socket.create_server(("127.0.0.1", 1234))
c = socket.create_connection(("127.0.0.1", 1234)); p = s.accept()[0]
time.sleep(2.5)
c.sendall(b"x" * 7000); p.recv(7000, socket.MSG_WAITALL)
time.sleep(2.5)
"""
    namespace = ["unshare", "-n", "sh", "-c", f"ip link set lo up; exec {PYTHON} -c '{work}'"]
    with subprocess.Popen(namespace) as process:
        time.sleep(1)
        with Watch() as watch:
            time.sleep(4)
        assert process.wait(30) == 0
    assert watch.total("network", "peers", "sent_bytes_per_second", port=1234,
                       service_of="peer") == 7000


def test_connections_that_fail_are_named():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
    with Watch() as watch:
        for _ in range(20):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address)
    assert watch.total("network", "failed", "failed_per_second", peer="127.0.0.1",
                       port=address[1], why=os.strerror(errno.ECONNREFUSED)) == 20
    assert any(text == f"20 connections to 127.0.0.1 port {address[1]} failed: "
               "Connection refused" for text in watch.findings)


@contextlib.contextmanager
def limited(size):
    """A control group that may have so much memory, of either version."""
    one = Path("/sys/fs/cgroup/memory")
    group = (one if one.is_dir() else Path("/sys/fs/cgroup")) / f"skep-watch-{os.getpid()}"
    limit = "memory.limit_in_bytes" if one.is_dir() else "memory.max"
    try:
        group.mkdir()
        (group / limit).write_text(str(size))
    except OSError as err:
        pytest.skip(f"no control group with a limit of memory: {err}")
    try:
        yield group
    finally:
        time.sleep(0.2)
        group.rmdir()


def test_a_kill_for_lack_of_memory_is_found():
    eat = "import time; time.sleep(2.5); x = [bytearray(1 << 20) for i in range(200)]"
    with limited(32 * MIB) as group:
        with Watch() as watch:
            with pytest.raises(subprocess.CalledProcessError) as ended:
                python("eater", f"open('{group}/cgroup.procs', 'w').write('0')\n{eat}")
    assert ended.value.returncode == -signal.SIGKILL
    assert watch.said["panels"]["memory"]["oom_kills"] == 1
    assert "memory ran out: the kernel killed eater once" in watch.findings
    stalls = watch.rows("memory", "reclaim", process="eater")
    assert stalls and stalls[0]["stalled_ns"] > 0


# --- Filters, outputs, refusals -----------------------------------------------------------------


def test_filters_take_rows_only():
    burn = "import time\nend = time.time() + 1\nwhile time.time() < end: pass"
    with Watch("-n", "picked") as watch:
        python("picked", burn)
        python("other", burn)
    names = {row["process"] for row in watch.rows("cpu", "processes")}
    assert names and all("picked" in name for name in names), names
    assert watch.said["panels"]["cpu"]["busy_percent"] > 0
    with Watch("-p", str(os.getpid())) as watch:
        end = time.time() + 0.5
        while time.time() < end:
            pass
    assert {row["pid"] for row in watch.rows("cpu", "processes")} == {os.getpid()}


def run(*options, **kwargs):
    return subprocess.run([SKEP, "watch", *options], capture_output=True, text=True, timeout=60,
                          check=False, **kwargs)


ZOMBIE_AND_FLUSH = """
import os, sys, threading, time
child = os.fork()
if not child:
    os._exit(0)
fd = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)
for _ in range(20):
    os.write(fd, b"x")
    os.fsync(fd)
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
time.sleep(2.5)
"""


def test_nothing_is_asked_for_what_it_has_not(tmp_path):
    """Threads that have ended have no namespaces, flushes no pages: no read of them may fail."""
    with Watch() as watch:
        subprocess.run([PYTHON, "-c", ZOMBIE_AND_FLUSH, tmp_path / "data"], check=True)
    assert watch.said["lost"]["read"] == 0


def test_the_summary_as_text():
    done = run("--for", "1s")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[2] == "Findings"
    titles = [line.split()[0] for line in lines if line and line[0].isalpha()]
    assert [title for title in titles if title in
            ("CPU", "Memory", "Disks", "Network", "Processes", "Syscalls")] == \
        ["CPU", "Memory", "Disks", "Network", "Processes", "Syscalls"]
    assert lines[-1].startswith("skep itself: ") and "% of a CPU" in lines[-1]
    assert "events/s" in lines[-1] and "nothing lost" in lines[-1]


def test_the_summary_as_a_file(tmp_path):
    done = run("--for", "500ms", "--json", "-o", str(tmp_path / "out"))
    assert done.returncode == 0 and done.stdout == ""
    said = json.loads((tmp_path / "out").read_text())
    assert 0.4 <= said["seconds"]
    assert said["overhead"]["resident_bytes"] > 0
    assert run("-o", "/no/such/folder/x").returncode == 1


def test_what_the_kernel_lacks_leaves_the_rest_at_work():
    """Without the kernel's types only the tracepoints of the memory panel can be had."""
    with Watch(env={"SKEP_BTF_PATH": "/nonexistent"}) as watch:
        subprocess.run(["true"], check=True)
    panels = watch.said["panels"]
    assert all(panels[name]["unavailable"] for name in ("cpu", "disks", "network", "processes"))
    assert panels["memory"]["total_bytes"] > 0
    done = run("--for", "200ms", env=os.environ | {"SKEP_BTF_PATH": "/nonexistent"})
    assert "  not all of it can be seen here: " in done.stdout


def test_without_rights_it_says_what_is_missing():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        copy = shutil.copy(SKEP, folder)
        done = subprocess.run([copy, "watch", "--for", "1s"], user=65534, group=65534,
                              extra_groups=[], capture_output=True, text=True, timeout=60,
                              check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error ") and done.stderr.count("error ") == 1, done.stderr
    assert done.stdout == ""


def test_wrong_usage():
    for options in (["x"], ["--for", "soon"], ["-i", "1ms"], ["-p", "x"], ["-p", "4194304"],
                    ["--cgroup", "no/such"], ["-r", "many"]):
        done = run(*options)
        assert done.returncode == 2, options
        assert done.stderr.startswith("error "), options
    assert run("--help").stdout.startswith("Usage: skep watch")


def test_the_rules_are_told():
    rules = run("--rules").stdout.splitlines()
    assert any(re.match(r"Disks +slow_reads +1% of the reads", rule) for rule in rules)
    assert len(rules) > 10 and all(len(rule.split()) > 4 for rule in rules)


def test_ctrl_c_ends_it_with_the_summary():
    process = subprocess.Popen([SKEP, "watch", "--for", "60s"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True,
                               env=os.environ | {"SKEP_NOTIFY_ATTACHED": "1"})
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0 and "Findings" in output


def test_a_reader_that_goes_is_no_error():
    done = subprocess.run(["bash", "-c", f"{SKEP} watch --for 500ms | true; "
                           "exit ${PIPESTATUS[0]}"], check=False, timeout=60,
                          capture_output=True)
    assert done.returncode == 0 and not done.stderr


def test_dumb_terminals_get_the_summary():
    text = subprocess.run(["script", "-qec", f"{SKEP} watch --for 300ms", "/dev/null"],
                          env=os.environ | {"TERM": "dumb"}, check=True, capture_output=True,
                          timeout=60).stdout
    assert b"Findings" in text and b"\x1b" not in text
