"""What skep profile says is what programs did of which that is known; how it begins and ends."""

import collections
import fcntl
import gzip
import json
import os
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from profiling import ENV, NOTIFY, SKEP, TIME, Profile, Stacks, build, folded, numbers, run

sys.path.append(str(Path(__file__).resolve().parents[1]))
from unseen import Traced  # noqa: E402, found by the line above

SPLIT = r"""
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
static double used(void)
{
	struct timespec used;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return used.tv_sec + used.tv_nsec / 1e9;
}
void thirty(double until) { do for (volatile int i = 20000; i; i--); while (used() < until); }
void seventy(double until) { do for (volatile int i = 20000; i; i--); while (used() < until); }
int main(int argc, char **argv)
{
	for (int i = atoi(argv[1]); i; i--) {
		double now = used();
		thirty(now + 0.003);
		seventy(now + 0.01);
	}
	if (argc > 3)
		printf("used=%f\n", used());
	return argc > 2 ? atoi(argv[2]) : 0;
}
"""

THREADS = r"""
#include <pthread.h>
#include <time.h>
void worker(void)
{
	struct timespec used;
	do {
		for (volatile int n = 20000; n; n--);
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	} while (used.tv_sec == 0 && used.tv_nsec < 300000000);
}
static void *start(void *at) { worker(); return at; }
int main(void)
{
	pthread_t threads[10];
	for (int i = 0; i < 10; i++) pthread_create(&threads[i], NULL, start, NULL);
	for (int i = 0; i < 10; i++) pthread_join(threads[i], NULL);
	return 0;
}
"""

WAITS = r"""
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
static int pipes[2];
static long waits(void)
{
	struct rusage usage;
	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nvcsw;
}
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}
static int send(void) { return write(pipes[1], "x", 1) == 1; }
static void *other(void *arg)
{
	for (int i = 0; i < 5; i++) { usleep(200000); if (!send()) return NULL; }
	pthread_mutex_lock(&mutex);
	if (!send()) return NULL;
	usleep(300000);
	pthread_mutex_unlock(&mutex);
	return NULL;
}
/* The C library's functions have no frame pointers: their callers are lost, not those of these. */
static long one(void) { char c; return read(pipes[0], &c, 1) == 1; }
static int lock(void) { return pthread_mutex_lock(&mutex) == 0; }
double reader(int n)
{
	double start = now();
	while (n--) if (!one()) return 0;
	return now() - start;
}
double locker(void)
{
	double start = now();
	return lock() ? now() - start : 0;
}
int main(void)
{
	pthread_t thread;
	usleep(200000); /* what it maps is known a few milliseconds later */
	if (pipe(pipes)) return 1;
	pthread_create(&thread, NULL, other, NULL);
	long before = waits();
	double reads = reader(6);
	long after = waits();
	double locks = locker();
	pthread_join(thread, NULL);
	printf("reads=%f waits=%ld locks=%f\n", reads, after - before, locks);
	return 0;
}
"""

MEMORY = r"""
#include <stdlib.h>
#include <string.h>
static void *volatile kept[64];
void *leaky(void) { void *at = malloc(1024); memset(at, 1, 1024); return at; }
void tidy(void)
{
	char *at = calloc(10, 300);
	at = realloc(at, 5000);
	free(at);
	if (posix_memalign((void **)&at, 64, 640)) return;
	free(at);
}
int main(void)
{
	for (int i = 0; i < 64; i++) {
		kept[i] = leaky();
		tidy();
	}
	return 0;
}
"""

PAGES = r"""
#include <sys/mman.h>
#include <fcntl.h>
#include <unistd.h>
void toucher(char *at) { for (long i = 0; i < 2000; i++) at[i * 4096] = 1; }
static long one(int fd) { return write(fd, "0123456789", 10) == 10 ? 10 : 0; }
int writer(void)
{
	int fd = open("/dev/null", O_WRONLY), n = 0;
	for (int i = 0; i < 100; i++) n += one(fd);
	return n;
}
int main(void)
{
	char *at = mmap(0, 2000 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(at, 2000 * 4096, MADV_NOHUGEPAGE);
	usleep(200000); /* what it maps is known a few milliseconds later */
	toucher(at);
	return writer() != 1000;
}
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """Programs by name, built once."""
    folder = tmp_path_factory.mktemp("programs")
    sources = {"split": SPLIT, "threads": THREADS, "waits": WAITS, "memory": MEMORY, "pages": PAGES}
    return {name: build(folder / name, text) for name, text in sources.items()}


def share(stacks, *functions):
    return 100 * stacks.of(*functions) / stacks.of("main")


# --- On a CPU -----------------------------------------------------------------------------------


def test_cpu_time_is_split_as_the_program_does(programs, tmp_path):
    stacks, done = folded(tmp_path, "-F", 4999, command=[programs["split"], 250])
    assert abs(share(stacks, "thirty") - 30) <= 2
    assert abs(share(stacks, "seventy") - 70) <= 2
    # Before main() there is the dynamic loader, and nothing else.
    assert stacks.of("main") > 0.98 * stacks.total()
    # What is to become the command is called skep until it is.
    assert set(stacks.by_root()) <= {"split", "skep"}
    assert "samples" in done.stderr and "whole stacks" in done.stderr


def test_cpu_time_is_what_the_kernel_counts(programs, tmp_path):
    # often: what is counted is how often the timer met it
    with Traced("timer/hrtimer_expire_entry", threads=[str(os.getpid())]) as timers:
        stacks, done = folded(tmp_path, "-F", 4999, command=[programs["split"], 150, 0, "said"])
        met = rings(timers.lines(), "split") / 4999
    used = numbers(done.stdout)["used"]
    # Where a hypervisor takes the processor away the timer rings once more when it is back, of which
    # the program's time has nothing.
    assert abs(stacks.of("main") / 1e9 - max(used, met)) <= 0.03 * used


def rings(lines, name):
    """How often the fastest timer of events of each CPU rang while @name ran."""
    timers = collections.defaultdict(collections.Counter)
    for line in lines:
        found = re.match(rf" *{name}-\d+ +\[(\d+)\].* hrtimer=(\S+) function=perf_swevent_hrtimer", line)
        if found:
            timers[found[1]][found[2]] += 1
    return sum(max(of_cpu.values()) for of_cpu in timers.values())


def test_inverted_stacks_begin_with_who_works(programs, tmp_path):
    stacks, _ = folded(tmp_path, "-F", 499, "--inverted", command=[programs["split"], 20])
    assert max(stacks.rows, key=lambda row: row[1])[0][0] in ("seventy", "thirty")


def test_threads_are_told_apart(programs, tmp_path):
    stacks, _ = folded(tmp_path, "-F", 4999, "--per-thread", command=[programs["threads"]])
    shares = sorted((100 * n / stacks.of("worker") for n in stacks.by_root().values()),
                    reverse=True)[:10]
    assert len(shares) == 10
    assert all(abs(one - 10) <= 2 for one in shares), shares


def test_only_the_process_that_was_asked_for(programs, tmp_path):
    with subprocess.Popen([programs["split"], "100000"]) as wanted, \
            subprocess.Popen([programs["split"], "100000"]) as other:
        with Profile("-p", wanted.pid, "--per-process", "-o", tmp_path / "x.folded") as profile:
            time.sleep(1)
        wanted.kill()
        other.kill()
    assert profile.process.returncode == 0, profile.errors
    assert list(Stacks(tmp_path / "x.folded").by_root()) == [f"split-{wanted.pid}"]


def test_several_processes(programs, tmp_path):
    work = [subprocess.Popen([programs["split"], "100000"]) for _ in range(3)]
    pids = ",".join(str(process.pid) for process in work[:2])
    with Profile("-p", pids, "--per-process", "-o", tmp_path / "x.folded"):
        time.sleep(1)
    for process in work:
        process.kill()
        process.wait()
    assert set(Stacks(tmp_path / "x.folded").by_root()) == \
        {f"split-{process.pid}" for process in work[:2]}


def test_only_one_thread(programs, tmp_path):
    with subprocess.Popen([programs["split"], "100000"]) as work:
        with Profile("-t", work.pid, "--per-thread", "-o", tmp_path / "x.folded"):
            time.sleep(1)
        work.kill()
    assert list(Stacks(tmp_path / "x.folded").by_root()) == [f"split-{work.pid}/{work.pid}"]


CGROUP = """
mount -t cgroup2 none "$1" && mkdir "$1/skep-profile" || exit 77
sh -c 'echo $$ > "$1/skep-profile/cgroup.procs" && exec "$2" 100000' sh "$1" "$3" & inside=$!
"$3" 100000 & outside=$!
"$2" profile --cgroup "$1/skep-profile" --per-process -f folded --for 1s
kill $inside $outside; wait
echo $inside; rmdir "$1/skep-profile"; umount "$1"
"""


def test_only_what_is_in_a_cgroup(programs, tmp_path):
    done = subprocess.run(["unshare", "-m", "sh", "-c", CGROUP, "sh", tmp_path, SKEP,
                           programs["split"]], capture_output=True, text=True, env=ENV,
                          check=False)
    if done.returncode == 77:
        pytest.skip(f"no control groups of version 2 here: {done.stderr}")
    *lines, inside = done.stdout.splitlines()
    assert lines, done.stderr
    assert all(line.startswith((f"split-{inside};", f"sh-{inside};")) for line in lines), lines


def test_a_half_of_the_stacks(programs, tmp_path):
    command = ["dd", "if=/dev/zero", "of=/dev/null", "bs=1M", "count=4000", "status=none"]
    stacks, _ = folded(tmp_path, "-F", 499, "--marks", command=command)
    assert any(frame.endswith("_[k]") for frames, _ in stacks.rows for frame in frames)
    stacks, _ = folded(tmp_path, "-F", 499, "--marks", "--no-kernel", command=command)
    assert not any(frame.endswith("_[k]") for frames, _ in stacks.rows for frame in frames)
    stacks, _ = folded(tmp_path, "-F", 499, "--marks", "--no-user", command=command)
    assert all(frame.endswith("_[k]") for frames, _ in stacks.rows for frame in frames[1:])


def test_what_a_command_starts_counts(programs, tmp_path):
    stacks, _ = folded(tmp_path, "-F", 499,
                       command=["sh", "-c", f"{programs['split']} 20; {programs['split']} 20"])
    assert stacks.by_root()["split"] > 0.9 * stacks.total()


# --- Waiting ------------------------------------------------------------------------------------


def test_waits_are_as_long_as_the_program_says(programs, tmp_path):
    stacks, done = folded(tmp_path, "--off-cpu", command=[programs["waits"]])
    said = numbers(done.stdout)
    assert said["reads"] > 1
    assert abs(stacks.of("reader") / 1e9 - said["reads"]) <= 0.02 * said["reads"]
    assert abs(stacks.of("locker") / 1e9 - said["locks"]) <= 0.02 * said["locks"]


def test_waits_are_counted(programs, tmp_path):
    stacks, done = folded(tmp_path, "--off-cpu", command=[programs["waits"]], value="waits")
    assert stacks.of("reader") == numbers(done.stdout)["waits"]


def test_who_ends_a_wait(programs, tmp_path):
    stacks, _ = folded(tmp_path, "--off-cpu", "--wakers", command=[programs["waits"]])
    assert stacks.of("reader", "other", "[woken by waits]") > 0.98 * stacks.of("reader")


def test_a_wait_that_lasts_counts_until_the_end(tmp_path):
    program = "import os\nr, w = os.pipe()\ninput()\nos.read(r, 1)"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as process:
        with Profile("--off-cpu", "-p", process.pid, "-o", tmp_path / "x.folded"):
            process.stdin.write(b"\n")
            process.stdin.flush()
            time.sleep(3)
        process.kill()
    read = Stacks(tmp_path / "x.folded").total() / 1e9
    assert 1.5 <= read <= 4


def test_locks_are_as_long_as_the_program_says(programs, tmp_path):
    stacks, done = folded(tmp_path, "--lock", command=[programs["waits"]])
    said = numbers(done.stdout)["locks"]
    assert abs(stacks.of("locker") / 1e9 - said) <= 0.02 * said
    assert stacks.of("reader") == 0


def test_all_of_a_threads_time(programs, tmp_path):
    stacks, done = folded(tmp_path, "--wall", "-F", 997, "--unwind", "fp", command=[programs["waits"]])
    said = numbers(done.stdout)["reads"]
    assert abs(stacks.of("reader") / 1e9 - said) <= 0.03 * said


# --- Memory, events -----------------------------------------------------------------------------


def test_leaks_are_where_they_are_made(programs, tmp_path):
    stacks, _ = folded(tmp_path, "--leaks", command=[programs["memory"]])
    assert stacks.of("leaky") == 64 * 1024
    assert stacks.of("tidy") == 0
    stacks, _ = folded(tmp_path, "--leaks", command=[programs["memory"]], value="inuse_objects")
    assert stacks.of("leaky") == 64


def test_allocations_are_counted_and_summed(programs, tmp_path):
    stacks, _ = folded(tmp_path, "--mem", command=[programs["memory"]])
    assert stacks.of("leaky") == 64 * 1024
    # calloc and realloc may ask malloc for what they give.
    assert stacks.of("tidy") >= 64 * (3000 + 5000 + 640)
    stacks, _ = folded(tmp_path, "--mem", command=[programs["memory"]], value="alloc_objects")
    assert stacks.of("leaky") == 64


def test_a_program_may_bring_its_own_malloc(tmp_path):
    """Linked statically, and with characters in its name that mean something in a probe's."""
    program = build(tmp_path / "s t:x", MEMORY, "-static")
    stacks, _ = folded(tmp_path, "--mem", command=[program])
    assert stacks.of("leaky") == 64 * 1024
    stacks, _ = folded(tmp_path, "--leaks", command=[program])
    assert stacks.of("leaky") == 64 * 1024


REALLOCATING = r"""
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
static void *volatile kept[4];
static volatile size_t too_much = SIZE_MAX / 4;
void failing(void) { kept[0] = malloc(1000); if (realloc(kept[0], too_much)) abort(); }
void growing(void) { kept[1] = malloc(100); kept[1] = realloc(kept[1], 100000); }
void shrinking(void) { kept[2] = realloc(malloc(3000), 30); }
void freeing(void) { kept[3] = realloc(malloc(7000), 0); }
static void *keeper(void) { return malloc(2000); }
static void *volatile others_kept[4][2000];
static void *others(void *at)
{
	for (int i = 0; i < 2000; i++) {
		free(realloc(malloc(2000), 5000));
		(*(void *volatile(*)[2000])at)[i] = keeper();
	}
	return at;
}
int main(void)
{
	pthread_t threads[4];
	mallopt(M_ARENA_MAX, 1); /* all threads take what each of them gave back */
	failing();
	growing();
	shrinking();
	freeing();
	for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, others, (void *)others_kept[i]);
	for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
	return 0;
}
"""


def test_blocks_that_are_reallocated(tmp_path):
    """One that cannot be is kept as it was; an address that another thread gets meanwhile is its."""
    program = build(tmp_path / "again", REALLOCATING, "-fno-builtin")
    stacks, done = folded(tmp_path, "--leaks", command=[program])
    assert stacks.of("failing") == 1000, done.stderr
    assert stacks.of("growing") == 100000
    assert stacks.of("shrinking") == 30
    assert stacks.of("freeing") == 0
    assert stacks.of("keeper") == 4 * 2000 * 2000
    assert stacks.of("others") <= stacks.of("keeper")


ALLOCATING = r"""
#include <stdlib.h>
#include <unistd.h>
static void *volatile kept;
void taker(void) { kept = malloc(1000); }
int main(void)
{
	char begin;
	if (read(0, &begin, 1) != 1) return 1;
	for (int i = 0; i < 500; i++) { taker(); free(kept); }
	return 0;
}
"""

OWN_MALLOC = r"""
#include <stddef.h>
static char room[1000];
void *malloc(size_t n) { return n > sizeof(room) ? NULL : room; }
void free(void *at) { (void)at; }
"""

# What is in the second folder is seen in the first one, in there only; our processes are not.
ELSEWHERE = """
mount -t tmpfs none "$1" && cp "$2"/* "$1" && mount -t tmpfs none /proc && exec "$1/program"
"""


@pytest.mark.parametrize("options", [["-static"], ["-Wl,--no-as-needed", "-lownmalloc"], []],
                         ids=["program", "library", "libc"])
def test_memory_of_a_process_that_sees_other_files(tmp_path, options):
    """Its program, and the library that has malloc(), are in its mount namespace alone."""
    inside, files = tmp_path / "inside", tmp_path / "files"
    inside.mkdir()
    files.mkdir()
    source = tmp_path / "ownmalloc.c"
    source.write_text(OWN_MALLOC)
    subprocess.run(["gcc", "-shared", "-fPIC", "-fno-builtin", "-o", files / "libownmalloc.so", source],
                   check=True)
    program = build(files / "program", ALLOCATING, "-fno-builtin", f"-L{files}",
                    f"-Wl,-rpath,{inside}", *options)
    (files / "program.c").unlink()
    script = ELSEWHERE if options else "exec \"$2/program\""
    with subprocess.Popen(["unshare", "-m", "sh", "-c", script, "sh", inside, files],
                          stdin=subprocess.PIPE) as process:
        while Path(f"/proc/{process.pid}/comm").read_text() != "program\n":
            time.sleep(0.01)
        with Profile("--mem", "-p", process.pid, "-o", tmp_path / "x.folded") as profile:
            process.communicate(b"x", timeout=60)
    assert profile.process.returncode == 0, profile.errors
    assert Stacks(tmp_path / "x.folded").of("taker") == 500 * 1000, profile.errors
    assert program.exists() and not list(inside.iterdir())


def test_page_faults_are_where_pages_are_touched(programs, tmp_path):
    stacks, _ = folded(tmp_path, "--page-faults", command=[programs["pages"]])
    assert 1960 <= stacks.of("toucher") <= 2040


def test_any_probe_and_what_it_sees(programs, tmp_path):
    event = "tracepoint:syscalls:sys_enter_write"
    stacks, _ = folded(tmp_path, "--event", event, command=[programs["pages"]])
    assert stacks.of("writer") == 100
    stacks, _ = folded(tmp_path, "--event", event, "--sum", "args.count",
                       command=[programs["pages"]])
    assert stacks.of("writer") == 1000
    stacks, _ = folded(tmp_path, "--event", f"uprobe:{programs['pages']}:toucher",
                       command=[programs["pages"]])
    assert stacks.of("toucher") == 1


def test_requests_to_disks(tmp_path):
    path = tmp_path / "data"
    if os.statvfs(tmp_path).f_fsid == os.statvfs("/dev/shm").f_fsid:
        pytest.skip("the folder for temporary files is on no disk")
    command = ["dd", "if=/dev/zero", f"of={path}", "bs=1M", "count=8", "oflag=direct",
               "status=none"]
    stacks, _ = folded(tmp_path, "--block-io", command=command)
    assert stacks.by_root()["dd"] > 0


PARTLY = r"""
#include <unistd.h>
void probed_one(void) { __asm__ volatile(""); }
void probed_two(void) { __asm__ volatile(""); }
/* The kernel has no way to execute this instruction elsewhere. */
__asm__(".globl probed_no\n.type probed_no,@function\n"
	"probed_no: lock; addl $0,(%rsp)\nret\n.size probed_no,.-probed_no\n");
void probed_no(void);
int main(void)
{
	for (;;) {
		probed_one();
		probed_two();
		probed_no();
		usleep(1000);
	}
}
"""


def test_probes_of_which_some_cannot_be_put(tmp_path):
    """They are counted, and the others go on; unless there is none of them."""
    if os.uname().machine != "x86_64":
        pytest.skip("written in that machine's instructions")
    program = build(tmp_path / "partly", PARTLY)
    with subprocess.Popen([program]) as process:
        time.sleep(0.1)
        some = run("-p", process.pid, "--for", "300ms", "--event", f"uprobe:{program}:probed_*",
                   "-o", tmp_path / "x.folded")
        none = run("-p", process.pid, "--for", "300ms", "--event", f"uprobe:{program}:probed_no")
        script = f'config = {{ missing_probes = "error" }} uprobe:{program}:probed_* {{ exit(); }}'
        traced = subprocess.run([SKEP, "trace", "-p", str(process.pid), "-e", script],
                                capture_output=True, text=True, check=False, env=ENV)
        process.kill()
    assert some.returncode == 0, some.stderr
    stacks = Stacks(tmp_path / "x.folded")
    assert stacks.of("probed_one") > 20 and stacks.of("probed_two") > 20
    assert "lost: 1 places where no probe could be put" in some.stderr
    assert none.returncode == 1 and "cannot attach to" in none.stderr, none.stderr
    assert traced.returncode == 1
    assert "error L0025: 1 of 3 probes could not be attached" in traced.stderr


# --- Formats, files -----------------------------------------------------------------------------


def test_several_outputs_at_once(programs, tmp_path):
    names = ["a.svg", "b.pb.gz", "c.folded", "d.speedscope.json", "e.html", "f.json", "g.txt"]
    outputs = [word for name in names for word in ("-o", str(tmp_path / name))]
    done = run("-F", 499, *outputs, "--", programs["split"], 10)
    assert done.returncode == 0 and done.stdout == "", done.stderr
    assert "<svg" in (tmp_path / "a.svg").read_text()
    assert (tmp_path / "b.pb.gz").read_bytes()[:2] == b"\x1f\x8b"
    json.loads((tmp_path / "d.speedscope.json").read_text())
    for line in (tmp_path / "f.json").read_text().splitlines():
        json.loads(line)
    for name in names:
        assert b"seventy" in (tmp_path / name).read_bytes() or name == "b.pb.gz"


def test_what_was_written_can_be_shown(programs, tmp_path):
    done = run("-F", 499, "-o", tmp_path / "a.pb.gz", "-o", tmp_path / "a.folded", "--",
               programs["split"], 10)
    assert done.returncode == 0, done.stderr
    shown = run("show", tmp_path / "a.pb.gz", "-o", tmp_path / "b.folded")
    assert shown.returncode == 0, shown.stderr
    ours, again = Stacks(tmp_path / "a.folded"), Stacks(tmp_path / "b.folded")
    assert again.of("seventy") == ours.of("seventy")
    text = run("show", tmp_path / "a.pb.gz")
    assert text.returncode == 0 and "seventy" in text.stdout
    assert "samples with whole stacks" in text.stderr
    text = run("show", tmp_path / "a.folded")
    assert text.returncode == 0 and "seventy" in text.stdout
    assert "whole" not in text.stderr  # nobody can tell


LINES = r"""
#include <stdlib.h>
#include <time.h>
static unsigned long table[4096];
static inline __attribute__((always_inline)) unsigned long inner(unsigned long x)
{
	for (int i = 0; i < 8; i++)
		x = x * 6364136223846793005ul + table[x % 4096];
	return x;
}
static inline __attribute__((always_inline)) unsigned long middle(unsigned long x)
{
	return inner(x) + 1;
}
unsigned long outer(unsigned long x)
{
	for (int i = 0; i < 100000; i++)
		table[i % 4096] ^= x = middle(x);
	return x;
}
int main(int argc, char **argv)
{
	unsigned long x = 1;
	while (clock() < CLOCKS_PER_SEC / 2)
		x = outer(x);
	return x == 7;
}
"""


def test_lines_and_inlined_functions(tmp_path):
    program = build(tmp_path / "lines", LINES, "-O2")
    done = run("--lines", "-F", 499, "-o", tmp_path / "a.json", "-o", tmp_path / "a.folded",
               "-o", tmp_path / "a.pb.gz", "--marks", "--", program)
    assert done.returncode == 0, done.stderr
    assert "source lines" not in done.stderr
    source = str(program.with_suffix(".c"))
    seen = 0
    for stack in map(json.loads, (tmp_path / "a.json").read_text().splitlines()):
        frames = [(f["name"], f["kind"], f.get("file"), f.get("line"))
                  for f in stack.get("frames", []) if f.get("module") == str(program)]
        is_broken = any(f["kind"] == "broken" for f in stack.get("frames", []))
        if is_broken or not frames or frames[0][0] != "inner":
            continue
        seen += stack["samples"]
        assert frames[0][1] == "inline" and frames[0][2] == source and frames[0][3] in (7, 8)
        assert frames[1:3] == [("middle", "inline", source, 13),
                               ("outer", "user", source, 18)]
        assert len(frames) == 3 or frames[3][:3] == ("main", "user", source)  # 3: one cut short
    assert seen > 50
    assert Stacks(tmp_path / "a.folded").of("main", "outer", "middle_[i]", "inner_[i]") > 0
    shown = run("show", tmp_path / "a.pb.gz", "--by", "line", "-f", "top")
    assert "middle lines.c:13 " in shown.stdout and "outer lines.c:18 " in shown.stdout


def test_a_file_whose_lines_cannot_be_read_has_names_still(tmp_path):
    program = build(tmp_path / "broken", LINES, "-O2")
    (tmp_path / "bad").write_bytes(b"abcdefgh" * 500)
    subprocess.run(["objcopy", "--update-section", f".debug_info={tmp_path / 'bad'}",
                    "--update-section", f".debug_aranges={tmp_path / 'bad'}", program], check=True)
    stacks, done = folded(tmp_path, "--lines", "-F", 499, command=[program])
    lost = re.findall(r"^lost: (\d+) addresses without source lines, the DWARF of "
                      rf"{program} is not read: [a-z ]+$", done.stderr, re.M)
    assert len(lost) == 1 and 1 < int(lost[0]) < 200  # of main() and what is in it
    assert done.stderr.count("DWARF") == 1
    assert stacks.of("main", "outer") > 0


def test_what_reads_lines_has_no_memory_of_maps(tmp_path):
    """No memory that is written and shared, with the kernel's maps or with anybody, goes to a child."""
    program = build(tmp_path / "lines", LINES, "-O2")
    process = subprocess.Popen([SKEP, "profile", "--lines", "-o", tmp_path / "a.folded"],
                               stderr=subprocess.PIPE, text=True,
                               env=ENV | {"SKEP_NOTIFY_ATTACHED": "1"})
    try:
        assert NOTIFY in process.stderr.readline()
        subprocess.run([program], check=False)
        areas = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", Path(f"/proc/{process.pid}/smaps").read_text(),
                         flags=re.M)
        shared = [area for area in areas if re.match(r"\S+ rw.s ", area)]
        assert len(shared) > 2
        assert not [area for area in shared if " dc" not in re.search("VmFlags:.*", area)[0]]
    finally:
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=TIME)[1]
    assert process.returncode == 0 and Stacks(tmp_path / "a.folded").of("outer") > 0, said


SLOW_UNITS = """
.section .debug_info,"",@progbits
.rept 50000
.long 8
.short 4
.long 0
.byte 8, 1
.endr
.section .debug_abbrev,"",@progbits
.byte 1, 0x11, 0, 0, 0
.rept 250000
.byte 2, 0x2e, 0, 3, 8, 0, 0
.endr
.byte 0
.section .note.GNU-stack,"",@progbits
"""


def test_nobody_waits_for_lines_who_is_to_end(tmp_path):
    """A file that takes minutes to read, and a second Ctrl-C: the profile is there, without its lines."""
    (tmp_path / "units.s").write_text(SLOW_UNITS)
    program = build(tmp_path / "slow", LINES, "-O2", "-g0", tmp_path / "units.s")
    process = subprocess.Popen([SKEP, "profile", "--lines", "-o", tmp_path / "a.folded", "-n", "slow"],
                               stderr=subprocess.PIPE, text=True,
                               env=ENV | {"SKEP_NOTIFY_ATTACHED": "1"})
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        assert NOTIFY in process.stderr.readline()
        subprocess.run([program], check=False)
        process.send_signal(signal.SIGINT)
        while not children.read_text():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=TIME)[1]
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert f"the DWARF of {program} is not read: a signal ended the reading" in said
    assert Stacks(tmp_path / "a.folded").of("main", "outer") > 0


def test_split_lines_are_said_not_to_be_there(tmp_path):
    """What is inlined is told elsewhere: a line of it is not one of the function around it."""
    program = build(tmp_path / "split", LINES, "-O2", "-gsplit-dwarf")
    done = run("--lines", "-F", 499, "-f", "json", "--", program)
    assert re.search(rf"^lost: \d+ addresses without source lines, the DWARF of {program} is not read: "
                     r"its functions are in files apart \(\.dwo\), which are not read$", done.stderr, re.M)
    assert done.stderr.count(".dwo") == 1
    frames = [f for row in map(json.loads, done.stdout.splitlines()) for f in row.get("frames", [])
              if f.get("module") == str(program)]
    assert frames and not [f for f in frames if f.get("line")]


def test_lines_are_only_there_if_asked_for(tmp_path):
    program = build(tmp_path / "lines", LINES, "-O2")
    done = run("-F", 499, "-f", "json", "--", program)
    assert "outer" in done.stdout and '"line"' not in done.stdout and "inline" not in done.stdout


def build_id(path):
    notes = subprocess.run(["readelf", "-n", path], capture_output=True, text=True, check=True)
    return re.search(r"Build ID: ([0-9a-f]+)", notes.stdout)[1]


def test_builds_of_files_are_told(programs, tmp_path):
    """Of the program, its library and the kernel, each as their notes say."""
    done = run("-F", 499, "-o", tmp_path / "x.json", "-o", tmp_path / "x.pb.gz", "--",
               programs["split"], 10)
    assert done.returncode == 0, done.stderr
    rows = map(json.loads, (tmp_path / "x.json").read_text().splitlines())
    builds = {frame["module"]: frame.get("build_id") for one in rows
              for frame in one.get("frames", []) if frame.get("module")}
    libc = next(module for module in builds if "libc.so" in module)
    notes = Path("/sys/kernel/notes").read_bytes()
    at = notes.index(b"\x14\0\0\0\x03\0\0\0GNU\0") + 12
    assert builds[str(programs["split"])] == build_id(programs["split"])
    assert builds[libc] == build_id(libc)
    assert builds["[kernel]"] == notes[at:at + 20].hex()
    assert build_id(libc).encode() in gzip.decompress((tmp_path / "x.pb.gz").read_bytes())


def test_what_is_different_between_two(tmp_path):
    (tmp_path / "a.folded").write_text("x;main;f 30\nx;main;g 70\n")
    (tmp_path / "b.folded").write_text("x;main;f 60\nx;main;g 40\n")
    done = run("diff", tmp_path / "a.folded", tmp_path / "b.folded")
    assert done.returncode == 0, done.stderr
    assert "f" in done.stdout and "30" in done.stdout
    done = run("diff", tmp_path / "a.folded", tmp_path / "b.folded", "-o", tmp_path / "d.svg")
    assert done.returncode == 0 and "<svg" in (tmp_path / "d.svg").read_text()


def test_values_and_units_of_a_difference(tmp_path):
    (tmp_path / "a.folded").write_text("x;f 30\n")
    (tmp_path / "b.folded").write_text("x;f 60\n")
    for value in (), ("--value", "samples"):
        done = run("diff", tmp_path / "a.folded", tmp_path / "b.folded", *value, "-f", "top")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("samples: 30 before, 60 now\n")
    done = run("diff", tmp_path / "a.folded", tmp_path / "b.folded", "--value", "cpu")
    assert done.returncode == 1 and "there is samples (count)" in done.stderr


def test_nothing_that_is_told_acts_on_a_terminal(tmp_path):
    (tmp_path / "a.txt").write_text("# ordinary text, by far the most of it\n" * 5 +
                                    "e\x1b[2J\x9b 1 [000] 1.5: 1 ev\x1b]0;x\x07:\n\tab f\x1b[1m (/x\x1b[7m)\n\n")
    for options in (), ("-o", tmp_path / "a.pb.gz"), ("--health",), ("-f", "folded"):
        done = run("show", tmp_path / "a.txt", *options)
        assert done.returncode == 0, done.stderr
        assert not set(done.stdout + done.stderr) & {"\x1b", "\x07", "\x9b"}, done.stderr
        assert "?]0;x?" in done.stderr and (not done.stdout or "e?[2J?" in done.stdout)


def test_dash_is_standard_output(tmp_path):
    (tmp_path / "a.folded").write_text("x;f 30\n")
    plain = run("show", tmp_path / "a.folded")
    done = run("show", tmp_path / "a.folded", "-o", "-", "-o", tmp_path / "b.folded")
    assert done.returncode == 0 and done.stdout == plain.stdout
    assert (tmp_path / "b.folded").read_text() == "x;f 30\n"
    done = run("show", tmp_path / "a.folded", "-o", "-", "-f", "folded")
    assert done.stdout == "x;f 30\n"


def test_a_full_disk_leaves_what_was_there(tmp_path):
    (tmp_path / "a.folded").write_text("".join(f"x;f{i} 1\n" for i in range(40000)))
    (tmp_path / "disk").mkdir()
    words = f"""mount -t tmpfs -o size=64k none {tmp_path}/disk && echo 'old;stack 1' > {tmp_path}/disk/old.folded
        for name in old new; do {SKEP} profile show {tmp_path}/a.folded -o {tmp_path}/disk/$name.folded; echo $?; done
        cat {tmp_path}/disk/*"""
    done = subprocess.run(["unshare", "-m", "sh", "-c", words], capture_output=True, text=True,
                          timeout=60, env=ENV, check=False)
    assert done.stdout == "1\n1\nold;stack 1\n", done
    assert done.stderr.count("No space left on device") == 2
    for full in (["-f", "folded"], []):
        with open("/dev/full", "w", encoding="utf-8") as stdout:
            done = subprocess.run([SKEP, "profile", "show", tmp_path / "a.folded", *full], stdout=stdout,
                                  stderr=subprocess.PIPE, text=True, timeout=60, env=ENV, check=False)
        assert done.returncode == 1 and "No space left on device" in done.stderr


def test_a_shorter_profile_takes_a_longer_ones_place(tmp_path):
    (tmp_path / "a.folded").write_text("x;f 30\n")
    (tmp_path / "b.folded").write_text("x;" + "y" * 5000 + " 1\n")
    done = run("show", tmp_path / "a.folded", "-o", tmp_path / "b.folded")
    assert done.returncode == 0 and (tmp_path / "b.folded").read_text() == "x;f 30\n"


def test_text_on_standard_output(programs):
    done = run("-F", 499, "--", programs["split"], 10)
    assert done.returncode == 0
    assert "seventy" in done.stdout and "main" in done.stdout
    done = run("-F", 499, "--json", "--", programs["split"], 10)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines and isinstance(lines[0], dict)


# --- Health -------------------------------------------------------------------------------------


def test_stacks_without_frame_pointers_are_said_to_be_broken(tmp_path):
    """The innermost function is a library's, which uses that register for something else."""
    source = r"""
#include <stdlib.h>
static volatile unsigned long sink;
__attribute__((optimize("omit-frame-pointer"))) void lost(unsigned long n)
{
	register unsigned long b __asm__("rbp") = 1;
	__asm__ volatile("1: dec %0\n jnz 1b" : "+r"(n) : "r"(b) : "memory");
	sink = b;
}
int main(void) { for (int i = 0; i < 200; i++) lost(5000000); return 0; }
"""
    if os.uname().machine != "x86_64":
        pytest.skip("written in that machine's instructions")
    program = build(tmp_path / "lost", source)
    stacks, done = folded(tmp_path, "-F", 499, "--unwind", "fp", "--health", command=[program])
    assert stacks.of("main") < 0.1 * stacks.total()
    assert any(frames[1].startswith("[broken: ") for frames, _ in stacks.rows)
    assert "broken stacks: lost" in done.stderr
    assert "PROCESS" in done.stderr and "lost" in done.stderr.split("PROCESS")[1]


def test_stacks_need_no_frame_pointers(tmp_path):
    """Neither of the program nor of the library that sorts for it."""
    if os.uname().machine != "x86_64":
        pytest.skip("stacks are walked by frame pointers on other machines")
    source = r"""
#include <stdlib.h>
#include <unistd.h>
static int compare(const void *a, const void *b)
{
	for (volatile int i = 300; i; i--);
	return *(const int *)a - *(const int *)b;
}
void sorter(int *numbers, int n) { qsort(numbers, n, sizeof(int), compare); }
int main(void)
{
	static int numbers[1000];
	usleep(200000); /* what it maps is known a few milliseconds later */
	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < 1000; i++) numbers[i] = (i * 7919 + round) % 1009;
		sorter(numbers, 1000);
	}
	return 0;
}
"""
    program = build(tmp_path / "sort", source, "-O2", "-fomit-frame-pointer")
    stacks, done = folded(tmp_path, "-F", 997, command=[program])
    assert stacks.of("compare") > 0.5 * stacks.of("main")
    assert stacks.of("main", "sorter", "compare") > 0.99 * stacks.of("compare"), done.stderr


# --- Beginning and ending -----------------------------------------------------------------------


def test_ctrl_c_prints_what_was_found(programs):
    with subprocess.Popen([programs["split"], "100000"]) as work:
        with Profile("-p", work.pid) as profile:
            time.sleep(1)
        work.kill()
    assert profile.process.returncode == 0
    assert "seventy" in profile.output
    assert "samples" in profile.errors


def test_it_ends_with_the_processes(programs):
    with subprocess.Popen([programs["split"], "100"]) as work:
        done = run("-p", work.pid)
    assert done.returncode == 0
    assert "seventy" in done.stdout


def test_the_commands_status_is_ours(programs, tmp_path):
    done = run("-o", tmp_path / "x.folded", "--", programs["split"], 2, 7)
    assert done.returncode == 7
    assert (tmp_path / "x.folded").exists()


def test_options_behind_the_command_are_its_own(tmp_path):
    done = run("-o", tmp_path / "x.folded", "--", "echo", "--health", "a b", "it's")
    assert done.stdout == "--health a b it's\n"
    done = run("-o", tmp_path / "x.folded", "echo", "-p", "x")
    assert done.stdout == "-p x\n"
    done = run("-o", tmp_path / "x.folded", "--", "show")
    assert done.returncode == 1 and "cannot start show" in done.stderr


def test_for_a_time(tmp_path):
    began = time.monotonic()
    done = run("--for", "300ms", "-o", tmp_path / "x.svg")
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began >= 0.3
    assert "<svg" in (tmp_path / "x.svg").read_text()


def test_nothing_was_seen(tmp_path):
    outputs = [tmp_path / name for name in ("a.svg", "b.pb.gz", "c.folded", "d.json", "e.txt")]
    with subprocess.Popen(["sleep", "1000"]) as idle:
        time.sleep(0.3)
        done = run("-p", idle.pid, "--for", "200ms",
                   *[word for path in outputs for word in ("-o", path)])
        idle.kill()
    assert done.returncode == 0
    assert "nothing of that was seen" in done.stderr
    assert all(path.exists() for path in outputs)


@pytest.mark.parametrize("args, message", [
    (["--frobnicate"], "skep profile has no option --frobnicate"),
    (["-F", "0"], "option -F takes a number from 1 to 10000, not 0"),
    (["-F", "fast"], "option -F takes a number from 1 to 10000, not fast"),
    (["-p", "1,x"], "option -p takes up to 256 numbers of processes: 12,34, not x"),
    (["-p", "4194303"], "there is no process 4194303"),
    (["-t", "x"], "option -t takes the number of a thread, not x"),
    (["--for", "soon"], "option --for takes a time like 10s, 500ms or 2m, not soon"),
    (["--least", "x"], "option --least takes a percentage, not x"),
    (["--cgroup", "no/such"], "option --cgroup takes a folder below /sys/fs/cgroup, not no/such"),
    (["-o", "x.xyz"], "option -o takes a file whose suffix says the format, not x.xyz"),
    (["-f", "xyz"], "option -f takes tree, top, svg"),
    (["--cpu", "--lock"], "options --cpu and --lock exclude each other"),
    (["-p", "1", "--", "true"], "options -p and -- COMMAND exclude each other"),
    (["-K", "-U"], "options --no-kernel and --no-user exclude each other"),
    (["--sum", "1"], "skep profile needs --event with --sum"),
    (["--wakers"], "skep profile needs --off-cpu with --wakers"),
    (["--mem"], "skep profile needs one process, or a command"),
    (["show"], "skep profile needs a file to show"),
    (["diff", "x"], "skep profile needs two files to compare"),
    (["show", "x", "y"], "skep profile has no use for y"),
    (["-F", "4294967396"], "option -F takes a number from 1 to 10000, not 4294967396"),
    (["-F", "+99"], "option -F takes a number from 1 to 10000, not +99"),
    (["-f", "bogus", "-o", "a.svg"], "option -f takes tree, top, svg"),
    (["-f", "json", "--json"], "options --format and --json exclude each other"),
    (["-n", "sixteen-bytes-xx"], "option -n takes a name of 1 to 15 bytes, not sixteen-bytes-xx"),
    (["-n", ""], "option -n takes a name of 1 to 15 bytes, not"),
    (["-a", "-p", "1"], "options --all and --pid exclude each other"),
    (["-a", "-t", "1"], "options --all and --tid exclude each other"),
    (["-a", "-n", "x"], "options --all and --comm exclude each other"),
    (["-a", "--cgroup", "."], "options --all and --cgroup exclude each other"),
    (["-a", "--", "true"], "options --all and -- COMMAND exclude each other"),
    (["--event", "BEGIN"], "option --event takes a probe that meets running code, not BEGIN"),
    (["--event", "s:faults:1, end"], "option --event takes a probe that meets running code, not"),
    (["--event", "self:signal:SIGUSR1"], "option --event takes a probe that meets running code"),
    (["--event", "iter:task"], "option --event takes a probe that meets running code, not iter"),
    (["--off-cpu", "-F", "9"], "skep profile needs --cpu or --wall with --frequency"),
    (["--allocator", "x"], "skep profile needs --mem or --leaks with --allocator"),
    (["-K", "--unwind", "cfi"], "options --no-user and --unwind exclude each other"),
    (["--script", "-o", "x.svg"], "options --script and --output exclude each other"),
    (["show", "x", "-p", "1"], "options --pid and show exclude each other"),
    (["show", "x", "--for", "1s"], "options --for and show exclude each other"),
    (["show", "x", "--off-cpu"], "options --off-cpu and show exclude each other"),
    (["-F", "9", "show", "x"], "options --frequency and show exclude each other"),
    (["show", "x", "--lines"], "options --lines and show exclude each other"),
    (["diff", "x", "y", "-a"], "options --all and diff exclude each other"),
    (["diff", "x", "y", "--health"], "options --health and diff exclude each other"),
])
def test_wrong_usage(args, message):
    done = run(*args)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr and done.stdout == ""


@pytest.mark.parametrize("args, message", [
    (["--event", "tracepoint:no:such", "--", "true"], "no tracepoint"),
    (["--", "/no/such/program"], "cannot start /no/such/program"),
    (["show", "/no/such/file"], "cannot read /no/such/file"),
    (["show", "/etc/passwd"], "/etc/passwd"),
    (["--value", "frogs", "--", "true"], "frogs"),
])
def test_what_fails(args, message):
    done = run(*args)
    assert done.returncode == 1, done.stderr
    assert message in done.stderr


def test_a_thread_is_no_process():
    """One that is there, but not the first of its process; -t is for those."""
    program = ("import threading, time, sys\n"
               "t = threading.Thread(target=time.sleep, args=(1000,), daemon=True)\n"
               "t.start()\nprint(t.native_id, flush=True)\ntime.sleep(1000)")
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE,
                          text=True) as process:
        tid = process.stdout.readline().strip()
        done = run("-p", tid, "--for", "5s")
        traced = subprocess.run([SKEP, "trace", "-p", tid, "-e", "BEGIN { exit(); }"],
                                capture_output=True, text=True, check=False, env=ENV)
        shown = run("-t", tid, "--for", "100ms")
        process.kill()
    for one in (done, traced):
        assert one.returncode == 2
        assert f"B0040: {tid} is a thread of process {process.pid}" in one.stderr
    assert shown.returncode == 0, shown.stderr


def test_whose_end_cannot_be_known(tmp_path):
    """There are more processes than descriptors: none of them has ended for that."""
    work = [subprocess.Popen(["sleep", "1000"]) for _ in range(40)]
    done = run("-p", ",".join(str(one.pid) for one in work), "--for", "5s",
               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30)))
    for one in work:
        one.kill()
        one.wait()
    assert done.returncode == 1
    assert re.search("B0041: cannot wait for the end of process [0-9]+: Too many open files",
                     done.stderr), done.stderr


def test_numbers_are_decimal():
    """In the script a leading 0 would make them octal."""
    done = run("--script", "-t", "010", "-F", "010", "-p", f"0{os.getpid()}")
    assert done.returncode == 0, done.stderr
    assert "profile:hz:10\n" in done.stdout
    assert f"pid == {os.getpid()} && tid == 10/" in done.stdout


def test_a_command_of_many_words(tmp_path):
    words = [f"word {i}" for i in range(3000)]
    done = run("-o", tmp_path / "x.folded", "--", "printf", "%s\\n", *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == words


def test_a_file_that_cannot_be_written_is_told_before(tmp_path):
    marker = tmp_path / "ran"
    done = run("-o", tmp_path / "no" / "x.folded", "--", "touch", marker)
    assert done.returncode == 1
    assert "cannot write" in done.stderr and not marker.exists()


def test_a_pipe_that_nobody_reads_can_be_given_up(tmp_path):
    path = tmp_path / "x.folded"
    os.mkfifo(path)
    with subprocess.Popen([SKEP, "profile", "-o", tmp_path / "new.svg", "-o", path], env=ENV,
                          stderr=subprocess.PIPE, text=True) as process:
        while not (tmp_path / "new.svg").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=TIME)[1]
    assert process.returncode == 1
    assert f"cannot write {path}: nobody reads it" in errors
    assert not (tmp_path / "new.svg").exists()


def test_a_pipe_is_waited_for(programs, tmp_path):
    path = tmp_path / "x.folded"
    os.mkfifo(path)
    with subprocess.Popen([programs["split"], "100000"]) as busy, \
            subprocess.Popen([SKEP, "profile", "--for", "200ms", "-o", path], env=ENV,
                             stderr=subprocess.PIPE, text=True) as process:
        time.sleep(0.3)
        rows = path.read_text().splitlines()
        errors = process.communicate(timeout=TIME)[1]
        busy.kill()
    assert process.returncode == 0, errors
    assert rows and all(row.rsplit(" ", 1)[1].isdigit() for row in rows)


def test_a_reader_that_stalls_can_be_given_up(tmp_path):
    """By a second Ctrl-C: what is found is more than a pipe holds."""
    path = tmp_path / "x.json"
    os.mkfifo(path)
    with subprocess.Popen([SKEP, "profile", "--off-cpu", "-o", path],
                          env=ENV | {"SKEP_NOTIFY_ATTACHED": "1"}, stderr=subprocess.PIPE,
                          text=True) as process:
        with open(path, "rb") as pipe:
            assert NOTIFY in process.stderr.readline()
            time.sleep(1)
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 4096)
            process.send_signal(signal.SIGINT)
            while not select.select([pipe], [], [], 0.1)[0]:
                assert process.poll() is None
            time.sleep(0.5)
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            errors = process.communicate(timeout=TIME)[1]
    assert process.returncode == 1
    assert f"cannot write {path}" in errors


def test_a_file_stays_as_it_was_if_nothing_came_of_it(tmp_path):
    (tmp_path / "old.pb.gz").write_text("precious")
    done = run("-o", tmp_path / "old.pb.gz", "-o", tmp_path / "new.folded", "--event",
               "tracepoint:no:such", "--", "true")
    assert done.returncode == 1
    assert (tmp_path / "old.pb.gz").read_text() == "precious"
    assert not (tmp_path / "new.folded").exists()


def test_without_privileges(tmp_path):
    tmp_path.chmod(0o711)
    skep = tmp_path / "skep"
    shutil.copy(SKEP, skep)
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", skep,
                           "profile", "--for", "1s"], capture_output=True, text=True, env=ENV,
                          check=False)
    assert done.returncode == 1
    assert "not permitted" in done.stderr and "CAP_BPF" in done.stderr


def test_the_script_is_one_that_runs(tmp_path):
    done = run("--script", "-p", os.getpid(), "--per-thread")
    assert done.returncode == 0 and f"pid == {os.getpid()}" in done.stdout
    for option in ("--cpu", "--off-cpu", "--wall", "--page-faults", "--lock", "--block-io"):
        script = tmp_path / "x.bt"
        script.write_text(run("--script", option, "-n", 'a"b\\c').stdout)
        loaded = subprocess.run([SKEP, "trace", "--dry-run", script], capture_output=True,
                                text=True, check=False)
        assert loaded.returncode == 0, option + loaded.stderr


def test_nothing_stays_attached(programs, tmp_path):
    """Of probes in a program of ours: others may be at work on this machine."""
    event = f"uprobe:{programs['pages']}:toucher"
    with Profile("--event", event, "-o", tmp_path / "x.folded"):
        pass
    run("--event", event, "--sum", "no.such", "--", programs["pages"])
    run("--mem", "-o", tmp_path / "x.folded", "--", programs["memory"])
    links = subprocess.run([SKEP, "prog", "links", "--json"], capture_output=True, text=True,
                           check=True).stdout
    events = Path("/sys/kernel/tracing/uprobe_events").read_text()
    folder = str(programs["pages"].parent)
    assert folder not in links and folder not in events
