"""What skep profile --continuous costs on a machine that works: processor time and memory.

    ./dev bench continuous [--minutes N] [--processes N] [--objects N] [--execs N] [--skep FILE]

100 processes map 500 libraries between them: copies of Debian's, each with a build id of its own,
whose functions they call. Two of them never rest, so both processors are busy; the others work a
hundredth of the time. Beside that short programs are started, ten a second; then the same without.
After a minute to settle, each minute shows, as a share of one processor: what skep and the processes
that it has started ran, and what its programs in the kernel did (kernel.bpf_stats_enabled, which is
set meanwhile); and as MB: what is resident, and with it the maps in the kernel, those that are mapped
counted once. At the end: how many of its stacks are whole, what was lost, and what is on disk. What
the kernel does for skep beside running its programs (records of mappings, interrupts) is in neither.

Needs root.
"""

import argparse
import contextlib
import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True

import measure

TOP = Path(__file__).resolve().parent.parent
LIBRARIES = Path("/usr/lib") / (os.uname().machine + "-linux-gnu")
# Of a library: a function, how it is called (by the load), and how many of 100 are copies of it, so
# that sizes are as in all of Debian: 7,000 rows of call frame information on the average.
CALLED = {"libz.so.1": ("compress2", "deflate", 34), "libcrypto.so.3": ("SHA256", "bytes", 1),
          "libm.so.6": ("tgamma", "number", 15), "libzstd.so.1": ("ZSTD_compress", "compress", 10),
          "libstdc++.so.6": ("_ZSt11_Hash_bytesPKvmm", "bytes", 5),
          "libsqlite3.so.0": ("sqlite3_complete", "bytes", 5),
          "liblzma.so.5": ("lzma_crc64", "bytes", 30)}
BUILD_ID = bytes.fromhex("04000000 14000000 03000000") + b"GNU\0"
SHORT = [["/bin/true"], ["ls", "/usr"], ["sh", "-c", "echo $((6 * 7)) | grep -q 42"],
         ["sort", "/etc/passwd"], ["sha256sum", "/etc/services"]]
LOAD = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char text[20001], room[40000];

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void call(void *fn, const char *how)
{
	unsigned long n = sizeof(room);
	volatile double x = 1.5;
	if (!strcmp(how, "bytes"))
		((unsigned long (*)(char *, unsigned long, char *))fn)(text, sizeof(text) - 1, room);
	else if (!strcmp(how, "deflate"))
		((int (*)(char *, unsigned long *, char *, unsigned long, int))fn)(room, &n, text, 2000, 1);
	else if (!strcmp(how, "compress"))
		((unsigned long (*)(char *, unsigned long, char *, unsigned long, int))fn)(
			room, n, text, 2000, 1);
	else
		for (int i = 0; i < 100; i++)
			x += ((double (*)(double))fn)(x - (int)x + 1);
}

/* MS of work, MS of rest, then FILE FUNCTION HOW... */
int main(int argc, char **argv)
{
	int n = (argc - 3) / 3, work = atoi(argv[1]), rest = atoi(argv[2]);
	void **fns = calloc(n, sizeof(*fns));
	for (size_t i = 0; i + 1 < sizeof(text); i++)
		text[i] = "the quick brown fox; "[i * 7 % 21];
	for (int i = 0; i < n; i++) {
		void *at = dlopen(argv[3 + 3 * i], RTLD_NOW | RTLD_LOCAL);
		fns[i] = at ? dlsym(at, argv[4 + 3 * i]) : NULL;
		if (!fns[i]) {
			fprintf(stderr, "%s\n", dlerror());
			return 1;
		}
	}
	puts("ready");
	fclose(stdout);
	for (int i = 0;; i++) {
		double end = now() + work;
		while (now() < end)
			call(fns[i % n], argv[5 + 3 * (i % n)]);
		usleep(rest * 1000);
	}
}
"""


# --- The load -----------------------------------------------------------------------------------


def copies(folder, n):
    """[(file, function, how)] of @n files whose build ids all differ."""
    images = []
    for name, (function, how, share) in CALLED.items():
        if (LIBRARIES / name).exists():
            images += [((LIBRARIES / name).read_bytes(), function, how)] * share
    random.Random(1).shuffle(images)
    made = []
    for i in range(n):
        image, function, how = images[i % len(images)]
        at = image.index(BUILD_ID) + len(BUILD_ID)
        file = folder / f"lib{i}.so"
        file.write_bytes(image[:at] + hashlib.sha1(b"%d" % i).digest() + image[at + 20:])
        made.append((str(file), function, how))
    return made


@contextlib.contextmanager
def load(folder, n_processes, n_objects):
    (folder / "load.c").write_text(LOAD)
    program = str(folder / "load")
    subprocess.run(["gcc", "-O2", "-o", program, str(folder / "load.c"), "-ldl"], check=True)
    objects, each = copies(folder, n_objects), -(-n_objects // n_processes)
    processes = []
    try:
        for i in range(n_processes):
            mine = [objects[k % n_objects] for k in range(i * each, (i + 1) * each)]
            work, rest = ("1000", "0") if i < 2 else ("1", "100")
            command = [program, work, rest, *(word for called in mine for word in called)]
            processes.append(subprocess.Popen(command, stdout=subprocess.PIPE))
        for process in processes:
            if process.stdout.readline() != b"ready\n":
                raise RuntimeError("the load does not start")
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


class Churn(threading.Thread):
    """Starts @rate short programs a second, one after the other."""

    def __init__(self, rate):
        super().__init__(daemon=True)
        self.rate, self.ends, self.n = rate, False, 0

    def run(self):
        next_s = time.monotonic()
        while not self.ends and self.rate:
            subprocess.run(SHORT[self.n % len(SHORT)], stdout=subprocess.DEVNULL, check=False)
            self.n += 1
            next_s = max(next_s + 1 / self.rate, time.monotonic() - 1)
            time.sleep(max(0, next_s - time.monotonic()))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ends = True
        self.join()


# --- What it costs ------------------------------------------------------------------------------


def family(pid):
    """@pid and whatever it has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(it for child in children for it in family(int(child)))]


def in_kernel(pid):
    """ns that its programs ran, how often, bytes of its maps"""
    ns = runs = maps = 0
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            said = dict(line.split(":", 1) for line in path.read_text(encoding="ascii").splitlines()
                        if ":" in line)
        except OSError:
            continue
        ns += int(said.get("run_time_ns", 0))
        runs += int(said.get("run_cnt", 0))
        maps += int(said.get("memlock", 0)) if "map_type" in said else 0
    return ns, runs, maps


def resident(pid):
    """bytes that are resident, and of them those of maps"""
    all_kib = maps_kib = 0
    is_map = False
    for line in Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8").splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            is_map = "bpf-map" in line
        elif line.startswith("Rss:"):
            all_kib += int(line.split()[1])
            maps_kib += int(line.split()[1]) if is_map else 0
    return all_kib * 1024, maps_kib * 1024


class Sight:
    """What has been used until now, and what there is."""

    def __init__(self, pid):
        self.at_s = time.monotonic()
        self.own_s = sum(measure.cpu_s(it) for it in family(pid))
        self.kernel_ns, self.runs, self.maps = in_kernel(pid)
        found = [resident(it) for it in family(pid)]
        self.resident = sum(it[0] for it in found)
        self.both = self.resident + self.maps - sum(it[1] for it in found)

    def row(self, before, what):
        took_s = self.at_s - before.at_s
        own = (self.own_s - before.own_s) / took_s
        kernel = (self.kernel_ns - before.kernel_ns) / 1e9 / took_s
        n = self.runs - before.runs
        return [what, f"{own:.2%}", f"{kernel:.2%}", f"{own + kernel:.2%}",
                f"{n / took_s:.0f}", f"{(self.kernel_ns - before.kernel_ns) / 1e3 / max(n, 1):.1f}",
                f"{self.resident / 1e6:.1f}", f"{self.both / 1e6:.1f}"]


def say_quality(skep, store):
    shown = subprocess.run([skep, "profile", "show", store, "--from", "-1d", "--health"],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    lines = [line for line in shown.stdout.splitlines() if re.search("whole|lost|broken", line)]
    print("\n".join(line[:160] for line in lines[:12]))
    size = sum(path.stat().st_size for path in Path(store).iterdir())
    print(f"on disk: {size / 1e6:.2f} MB")


def measured(args, rate, folder):
    store = str(folder / f"kept-{rate}")
    process = subprocess.Popen([args.skep, "profile", "--continuous", "--store", store],
                               stderr=subprocess.DEVNULL)
    rows = []
    try:
        with Churn(rate) as churn:
            time.sleep(args.settle)
            first = before = Sight(process.pid)
            for i in range(args.minutes):
                time.sleep(args.minute)
                now = Sight(process.pid)
                rows.append(now.row(before, f"minute {i + 1}"))
                before = now
            rows.append(before.row(first, "all"))
            print(f"{churn.n} programs were started")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
    measure.table(f"{args.processes} processes, {args.objects} objects, {rate} execs a second",
                  ["", "skep", "its programs", "both", "runs a second", "µs a run", "resident MB",
                   "with maps"], rows)
    say_quality(args.skep, store)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=3)
    parser.add_argument("--minute", type=float, default=60, help="how long that is, in seconds")
    parser.add_argument("--settle", type=float, default=60, help="seconds before the first")
    parser.add_argument("--processes", type=int, default=100)
    parser.add_argument("--objects", type=int, default=500)
    parser.add_argument("--execs", type=float, nargs="*", default=[10, 0], help="a second")
    parser.add_argument("--skep", default=str(TOP / "dist" / "skep"))
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="skep-continuous-") as name, measure.bpf_stats():
        folder = Path(name)
        with load(folder, args.processes, args.objects):
            for rate in args.execs:
                measured(args, rate, folder)


if __name__ == "__main__":
    main()
