"""How many stacks are whole: skep profile beside perf -g and perf --call-graph dwarf, in one run.

    ./dev bench stacks [--seconds S] [--only NAME[,NAME...]] [--why N] [--skep FILE]

Programs of Debian, as they are, work all at once while the three look at the whole system. A stack
is whole if its outermost frame is where threads and processes begin: _start, which the loader calls
_dl_start_user behind its first call, main, clone. Who has
no name for it is asked for the address, which must be at the entry point of the program or of the
dynamic linker, so that all three are judged alike. Of a sample in the kernel, the stack that
entered it counts. Whose process it was is told by the forks that perf has recorded.

A process that ends has given its memory back, and one that executes another program has that one's
memory but not its registers yet: of these moments there is no stack in user space. They are told by
the functions of the kernel that do that work, and whole is then what begins where the kernel is
entered: of skep if it shows nothing of user space there, of perf whatever it shows.

--why says what of skep's is not whole: how often, whose, the reason, the outermost frame of user
space, and where the kernel was.

Needs root and linux-perf; programs that are not here are left out, and said to be.
"""

import argparse
import collections
import contextlib
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests/unwind"))
from kernel import BUSY  # noqa: E402

BUILD = Path(os.environ.get("BUILD", TOP / "build"))
HERTZ = 99
PERF = {"perf -g": ["-g"], "perf dwarf": ["--call-graph", "dwarf"]}
ROOTS = re.compile(r"(_start|_dl_start_user|main|__libc_start_(main|call_main)\S*|(__)?clone3?|"
                   r"start_thread)$")
# Where clone() lies: what returns there has come from the kernel with a thread of its own.
THREADS = ("clone", "__clone", "clone3", "__clone3")
ENTRY = 64
KERNEL_ROOTS = re.compile(r"(entry_\w+|asm_\w+|ret_from_fork\w*)$")
# From here on a task has no user stack any more, or not yet. What loads a program has asked for
# some pages of its file before.
LEAVING = re.compile(r"(do_exit|begin_new_exec|load_elf_binary)(\.|$)")
JAVA = """
public class Load {
	static int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
	public static void main(String[] args) {
		for (;;) {
			fib(22);
			java.util.Map<String, Integer> map = new java.util.TreeMap<>();
			for (int i = 0; i < 2000; i++) map.merge("k" + i % 37, i, Integer::sum);
		}
	}
}
"""
RUBY = """
def fib(n) n < 2 ? n : fib(n - 1) + fib(n - 2) end
loop { fib(14); (1..500).map(&:to_s).sort_by(&:reverse) }
"""
PHP = """
function fib($n) { return $n < 2 ? $n : fib($n - 1) + fib($n - 2); }
while (true) { fib(14); json_decode(json_encode(range(1, 500))); }
"""
SQL = """
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)
SELECT sum(length(printf('%d %s', x, hex(x)))) FROM c;
"""
SOURCE = "#include <stdio.h>\n" + "".join(
    f"int f{i}(int *p, int n) {{ int s = 0; for (int k = 0; k < n; k++) s += p[k] * {i}; "
    f'printf("%d\\n", s); return s; }}\n' for i in range(400))


def loads(folder):
    """{program: [its commands, which go on until they are killed]}; servers before their clients"""
    (folder / "Load.java").write_text(JAVA)
    (folder / "load.c").write_text(SOURCE)
    (folder / "data").mkdir()
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;\n"
        "events {}\nhttp { access_log off; server { listen 127.0.0.1:18080; "
        "location / { root /usr/share/doc/libc6; } } }\n")
    fetch = """
import http.client
while True:
    connection = http.client.HTTPConnection("127.0.0.1", 18080)
    for _ in range(100):
        connection.request("GET", "/copyright")
        connection.getresponse().read()
"""
    query = """SELECT count(*) FROM generate_series(1, 20000) a
        JOIN generate_series(1, 20000) b ON a = b;"""
    server = f"""
        bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
        chown -R postgres {folder}/data && cd {folder}/data &&
        runuser -u postgres -- $bin/initdb -D {folder}/data &&
        exec runuser -u postgres -- $bin/postgres -D . -p 15432 -k {folder}/data -h ''"""
    asked = f"psql -q -U postgres -h {folder}/data -p 15432 postgres"
    shell = {
        "xz": "head -c 20000000 /bin/node | xz -T1",
        "git": f"cd {TOP}; git log -p -n 50 --stat; git --no-optional-locks status",
        "gcc": f"cd {folder}; gcc -O2 -c load.c -o load.o",
    }
    commands = {name.partition(",")[0]: [command] for name, command in BUSY.items()}
    commands |= {name: [["sh", "-c", f"while :; do {text}; done"]] for name, text in shell.items()}
    return commands | {
        "ruby": [["ruby", "-e", RUBY]],
        "php": [["php", "-r", PHP]],
        "java": [["java", str(folder / "Load.java")]],
        "sqlite3": [["sqlite3", ":memory:", SQL]],
        "postgres": [["sh", "-c", server],
                     ["sh", "-c", f"while :; do yes '{query}' | head -n 500 | {asked}; done"]],
        "nginx": [["nginx", "-c", str(folder / "nginx.conf")], ["python3", "-c", fetch]],
        "redis-server": [["redis-server", "--port", "16379", "--save", ""],
                         ["sh", "-c", "while :; do redis-benchmark -q -p 16379 -P 8; done"]],
    }


def is_kernel(module):
    return "kernel" in module or module.endswith(".ko") or module.startswith(("[bpf", "bpf_prog"))


class Files:
    """Where programs and threads begin, by file: addresses as the file has them."""

    def __init__(self):
        self.known = {}

    def load(self, path):
        begins, segments = [], []
        try:
            with open(path, "rb") as file:
                head = file.read(64)
                if head[:4] != b"\x7fELF":
                    raise ValueError(path)
                entry, table = struct.unpack_from("<QQ", head, 24)
                size, count = struct.unpack_from("<HH", head, 54)
                file.seek(table)
                for _ in range(count):
                    kind, _, offset, address, _, length = struct.unpack_from("<IIQQQQ",
                                                                             file.read(size))
                    if kind == 1:
                        segments.append((offset, offset + length, address - offset))
        except (OSError, ValueError, struct.error):
            return begins, segments
        begins.append((entry, entry + ENTRY))
        if "libc.so" in path or "libc-2" in path:
            names = subprocess.run(["nm", "-D", path], stdout=subprocess.PIPE, text=True,
                                   check=True).stdout
            begins += [(int(words[0], 16), int(words[0], 16) + 2 * ENTRY)
                       for words in map(str.split, names.splitlines())
                       if len(words) == 3 and words[2].partition("@")[0] in THREADS]
            # clone3() has no name there. It is the function behind clone().
            begins += [(end, end + 2 * ENTRY) for _, end in begins[1:]]
        return begins, segments

    def of(self, path):
        if path not in self.known:
            self.known[path] = self.load(path)
        return self.known[path]

    def is_begin(self, path, address):
        return any(begin <= address < end for begin, end in self.of(path)[0])

    def is_begin_at(self, path, offset):
        return any(begin <= offset < end and self.is_begin(path, offset + bias)
                   for begin, end, bias in self.of(path)[1])


def is_leaving(kernel):
    """Do the kernel's @functions, the innermost first, say that there is no user stack?"""
    return bool(kernel) and bool(KERNEL_ROOTS.match(kernel[-1])) and any(map(LEAVING.match, kernel))


class Recording:
    """What perf script tells: samples by process with their kernel's functions and the outermost
    frame, maps, forks."""

    EVENT = re.compile(r"^.*?\s+(\d+)(?:/(\d+))?\s+(?:\[\d+\]\s+)?[\d.]+:\s+(.*)$")
    MAP = re.compile(r"PERF_RECORD_MMAP2? (-?\d+)/\d+: "
                     r"\[(0x[0-9a-f]+)\((0x[0-9a-f]+)\) @ (\S+) .*?\]: \S+ (.*)$")
    FORK = re.compile(r"PERF_RECORD_FORK\((\d+):\d+\):\((\d+):\d+\)")
    FRAME = re.compile(r"^\s+([0-9a-f]+)\s+(.*?)(?:\+0x[0-9a-f]+)? \((.*)\)$")

    def __init__(self, data):
        self.maps, self.parent, self.samples = collections.defaultdict(list), {}, []
        done = subprocess.run(
            ["perf", "script", "-i", data, "--no-inline", "--show-mmap-events",
             "--show-task-events", "-F", "comm,pid,tid,time,event,ip,sym,dso"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if done.returncode: # at a record that it cannot read: what came before counts
            print(f"{data.name}: perf script ended with {done.returncode}: "
                  f"{done.stderr.decode(errors='replace').strip()[-200:]}", file=sys.stderr)
        text = done.stdout.decode(errors="replace")
        pid, kernel, last, is_open = 0, [], None, False
        for line in text.splitlines():
            frame = self.FRAME.match(line) if is_open and line[:1] in " \t" else None
            if frame and is_kernel(frame[3]):
                kernel.append(frame[2])
                continue
            if frame:
                last = (int(frame[1], 16), frame[2], frame[3])
                continue
            if is_open:
                self.samples.append((pid, kernel, last))
                is_open = False
            event = self.EVENT.match(line)
            if event and "PERF_RECORD" in line:
                self.record(line)
            elif event:
                pid, kernel, last, is_open = int(event[1]), [], None, True
        if is_open:
            self.samples.append((pid, kernel, last))

    def record(self, line):
        mapped, forked = self.MAP.search(line), self.FORK.search(line)
        if mapped:
            start, length, offset = (int(mapped[i], 16 if i < 4 else 0) for i in (2, 3, 4))
            self.maps[int(mapped[1])].append((start, start + length, offset, mapped[5]))
        elif forked and forked[1] != forked[2]:
            self.parent.setdefault(int(forked[1]), int(forked[2]))

    def maps_of(self, pid):
        seen = set()
        while pid in self.parent and not self.maps[pid] and pid not in seen:
            seen.add(pid)
            pid = self.parent[pid]
        return self.maps[pid]

    def is_whole(self, files, pid, kernel, last):
        if is_leaving(kernel):
            return True
        if not last:
            return False
        if ROOTS.match(last[1]):
            return True
        for start, end, offset, path in reversed(self.maps_of(pid)):
            if start <= last[0] < end:
                return files.is_begin_at(path, last[0] - start + offset)
        return False


def of_skep(path):
    """Stacks of processes, as skep has them."""
    for line in path.read_text().splitlines():
        stack = json.loads(line)
        if stack["type"] == "stack" and stack.get("pid"):
            yield stack


def halves(stack):
    """The kernel's functions, frames of user space; the innermost first."""
    frames = stack["frames"]
    return ([frame["name"] for frame in frames if frame.get("kind") == "kernel"],
            [frame for frame in frames if frame.get("kind") != "kernel"])


def is_whole(files, stack):
    kernel, users = halves(stack)
    if not users:
        return is_leaving(kernel)
    frame = users[-1]
    if ROOTS.match(frame["name"]):
        return True
    return "addr" in frame and files.is_begin(frame.get("module", ""), frame["addr"])


def words_of(frame):
    return frame["name"] + (f"+{frame['addr']:#x}" if "addr" in frame else "")


def why(stack):
    """One line: what there is instead of where it began."""
    kernel, users = halves(stack)
    reason = words_of(users.pop()) if users and users[-1]["kind"] == "broken" else "no root"
    user = " < ".join(map(words_of, users[-3:])) + (f" ({len(users)})" if len(users) > 3 else "")
    return f"{stack['comm']}: {reason}: {user or '-'} | {' < '.join(kernel[:3] + kernel[-3:])}"


@contextlib.contextmanager
def working(commands):
    """{pid of what was started: program}"""
    started, processes = {}, []
    quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    try:
        for name, lines in commands.items():
            for i, line in enumerate(lines):
                processes.append(subprocess.Popen(line, start_new_session=True, **quiet))
                if i == 0:
                    started[processes[-1].pid] = name
        yield started
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def record(folder, skep, seconds):
    watchers = [
        [skep, "profile", "--per-process", "-F", str(HERTZ), "--for", f"{seconds}s", "-o",
         folder / "skep.json"],
        *(["perf", "record", "-q", "-a", *how, "-F", str(HERTZ), "-o", folder / name, "sleep",
           str(seconds)] for name, how in PERF.items())]
    running = [subprocess.Popen(line, stdout=subprocess.DEVNULL) for line in watchers]
    for process in running:
        process.wait()


def is_here(program):
    return shutil.which(program) or list(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--only", default="", help="programs, by commas")
    parser.add_argument("--why", type=int, default=0, help="so many causes of each that is broken")
    parser.add_argument("--skep", default=BUILD / "skep", help="the program, if not BUILD/skep")
    args = parser.parse_args()
    os.environ["PATH"] += ":/usr/sbin"
    with tempfile.TemporaryDirectory(prefix="skep-stacks-") as top:
        folder = Path(top)
        folder.chmod(0o755)
        commands = loads(folder)
        unknown = {name for name in args.only.split(",") if name} - set(commands)
        if unknown:
            parser.error(f"no such program: {', '.join(unknown)}; there are {', '.join(commands)}")
        if args.only:
            commands = {name: commands[name] for name in args.only.split(",") if name}
        gone = [program for program in commands if not is_here(program)]
        commands = {program: lines for program, lines in commands.items() if program not in gone}
        with working(commands) as started:
            time.sleep(4)
            record(folder, args.skep, args.seconds)
        table(folder, started, list(commands), args.why)
        for program in gone:
            print(f"{program}: not here")


def table(folder, started, programs, n_causes):
    files = Files()
    recordings = {name: Recording(folder / name) for name in PERF}
    parents = {pid: parent for it in recordings.values() for pid, parent in it.parent.items()}

    def program_of(pid):
        seen = set()
        while pid not in started and pid in parents and pid not in seen:
            seen.add(pid)
            pid = parents[pid]
        return started.get(pid)

    found = collections.defaultdict(lambda: collections.defaultdict(lambda: [0, 0]))
    causes = collections.defaultdict(collections.Counter)
    for stack in of_skep(folder / "skep.json"):
        program, whole = program_of(stack["pid"]), is_whole(files, stack)
        if program and not whole:
            causes[program][why(stack)] += stack["samples"]
        for row in (program, "all") if program else ():
            found[row]["skep"][0] += stack["samples"] * whole
            found[row]["skep"][1] += stack["samples"]
    for side, recording in recordings.items():
        for pid, kernel, last in recording.samples:
            if program_of(pid):
                for row in (program_of(pid), "all"):
                    found[row][side][0] += recording.is_whole(files, pid, kernel, last)
                    found[row][side][1] += 1
    sides = ("skep", *PERF)
    print(f"{'':14}" + "".join(f"{side:>18}" for side in sides))
    for row in [*programs, "all"]:
        cells = [f"{whole / n:7.1%} of {n:<5}" if n else "-"
                 for whole, n in (found[row][side] for side in sides)]
        print(f"{row:14}" + "".join(f"{cell:>18}" for cell in cells))
    for program, lines in causes.items():
        for line, samples in lines.most_common(n_causes):
            print(f"{program} {samples} {line}")


if __name__ == "__main__":
    main()
