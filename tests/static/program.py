#!/usr/bin/python3
"""The static program as ./dev dist makes it, beside the one of a plain build.

    program.py SKEP [STATIC]

SKEP: the plain one. STATIC: the static one, built first where it is not given.
What is printed has cmocka's form, which tests/run counts.
"""

import ctypes
import http.server
import os
import re
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path += [str(TOP / "static"), str(TOP / "tests")]
import checks  # found by the line above
import elf

BYTES_MOST = 2_000_000
PT_LOAD, PF_X, PF_W = 1, 1, 2
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1
# What is said is the same whoever says it: the text of each is in the overlay.
SAME = (["help", "--language"], ["help", "--diagnostics"], ["help", "--man", "prog"],
        ["help", "--completion", "bash"], ["tool", "list", "--json"], ["--help"], ["nonsense"],
        ["trace", "--help"], ["watch", "--wrong"], ["map", "--wrong"])
BUILD_SECONDS = 1800  # whole-program optimisation, beside whatever else is built
MAPPED = "system(\"grep -c memfd:skep /proc/$PPID/maps\"); exit();"


def run(*command, timeout=300, **kwargs):
    """Exit status, and all that was said."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=timeout, check=False, **kwargs)
    return done.returncode, done.stdout


def check_size(_, static):
    size = static.stat().st_size
    assert size <= BYTES_MOST, f"{static} has {size} bytes, over {BYTES_MOST}"


def check_segments(_, static):
    """All code is mapped from the file, none of it writable; no segment of the overlay is left."""
    image = static.read_bytes()
    start, = struct.unpack_from("<Q", image, 32)
    count, = struct.unpack_from("<H", image, 56)
    rows = [struct.unpack_from("<IIQQQQQQ", image, start + i * 56) for i in range(count)]
    loads = [row for row in rows if row[0] == PT_LOAD]
    assert len(loads) == 3, loads
    assert not [row for row in rows if row[1] & PF_X and row[1] & PF_W], rows
    assert all(row[2] + row[5] <= len(image) for row in loads), loads


def check_answers(skep, static):
    for words in SAME:
        ours, theirs = run(static, *words), run(skep, *words)
        assert ours == theirs, f"{words}: {ours[1][:300]!r} is not {theirs[1][:300]!r}"


def check_commands(_, static):
    names = re.findall(r"^  (\w+) ", run(static, "--help")[1], re.M)
    assert {"trace", "tool", "watch", "prog", "map", "doctor", "export", "help"} <= set(names), names
    for name in names:
        status, said = run(static, name, "--help")
        assert status == 0 and said.startswith(f"Usage: skep {name}"), said


def check_machine(skep, static):
    """The machine, the verifier and libbpf are in the overlay."""
    with tempfile.TemporaryDirectory() as folder:
        text, object_file = Path(folder, "pass.txt"), Path(folder, "script.o")
        text.write_text("r0 = 2\nexit\n")
        run(static, "trace", "--emit-elf", object_file, "-e", "interval:s:1 { @ = count(); }")
        for words in (["run", "--engine", "user", text, "--hex", "00" * 14],
                      ["disasm", text], ["list", object_file], ["verify", object_file]):
            ours, theirs = run(static, "prog", *words), run(skep, "prog", *words)
            assert ours[0] == theirs[0] == 0, f"{words}: {ours} {theirs}"


def overlay_of(linked):
    """Where its code lies, and what."""
    image = linked.read_bytes()
    places = {name: value for name, _, value, _ in elf.symbols(image)}
    start, end = places["skep_overlay_code"], places["skep_overlay_constants"]
    header = elf.HEADER.unpack_from(image)
    segments = [elf.SEGMENT.unpack_from(image, header[5] + i * elf.SEGMENT.size)
                for i in range(header[10])]
    offset = next(row[2] for row in segments if row[0] == PT_LOAD and row[3] == start)
    return start, image[offset:offset + end - start]


def check_overlay_comes_back(_, static):
    """Byte for byte, as the linker made it. While it waits for a packet it can be looked at."""
    start, code = overlay_of(TOP / "build-dist/skep")
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder, "pass.txt")
        text.write_text("r0 = 2\nexit\n")
        words = [static, "prog", "run", "--engine", "user", text, "--data", "-"]
        with subprocess.Popen(list(map(str, words)), stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL) as process:
            maps = Path(f"/proc/{process.pid}/maps")
            for _ in range(200):
                if f"{start:x}-" in maps.read_text():
                    break
                time.sleep(0.05)
            with open(f"/proc/{process.pid}/mem", "rb") as memory:
                memory.seek(start)
                assert memory.read(len(code)) == code
            process.kill()


def check_trace_is_lean(_, static):
    """Where nobody needs the overlay, it is not loaded; names of C++ need it."""
    status, said = run(static, "trace", "--unsafe", "-q", "-e", "begin { " + MAPPED + " }")
    assert said.strip() == "0", (status, said)


def check_start_asks_nothing(_, static):
    """What asks the CPU for its caches is of one piece with the C library's start."""
    names = {name for name, *_ in elf.symbols((TOP / "build-dist/skep").read_bytes())}
    assert "__libc_start_main" in names and "handle_amd" not in names, sorted(names)[:50]


def check_time_is_lean(_, static):
    """The C library reads rules of a time zone by a format."""
    script = "begin { print(strftime(\"%H %z\", (uint64)0)); " + MAPPED + " }"
    status, said = run(static, "trace", "--unsafe", "-q", "-e", script,
                       env={"TZ": "CET-1CEST,M3.5.0,M10.5.0/3", "PATH": "/bin:/usr/bin"})
    assert re.search(r"^\d\d \+0[12]00$", said, re.M) and said.split()[-1] == "0", (status, said)


def check_no_memory(_, static):
    """Where there is room for the program, but none for its overlay, it says so."""
    said = [run("prlimit", f"--as={limit}", static, "help", "--man", "map")
            for limit in range(3_500_000, 8_000_000, 250_000)]
    assert any(status == 1 and "B0035" in text and "ulimit -v" in text for status, text in said), said
    assert said[-1][0] == 0, said[-1]


def forbid_files():
    """The overlay's is one."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def check_unwinding_needs_it(_, static):
    """A script that wants call frame information does not go on by frame pointers instead."""
    for how, wanted in (("cfi", 1), ("fp", 0)):
        script = f"config = {{ unwind = \"{how}\" }} profile:hz:9 {{ @[ustack] = count(); }}"
        status, said = run(static, "trace", "--dry-run", "-e", script, preexec_fn=forbid_files)
        assert status == wanted and ("B0035" in said) == wanted, (how, status, said)
        assert not wanted or "the code for unwind = \"cfi\" cannot be unpacked" in said, said


def forbid_new_code():
    ctypes.CDLL(None).prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)


def check_no_new_code(_, static):
    """Where memory that was writable cannot be made executable (Linux 6.3 on; a unit's
    MemoryDenyWriteExecute=)."""
    status, said = run(static, "help", "--man", "map", preexec_fn=forbid_new_code)
    assert status == 0 and said.startswith(".TH"), said


class Nothing(http.server.BaseHTTPRequestHandler):
    """Has no file, but notes what it is asked for."""
    asked = []

    def do_GET(self):  # pylint: disable=invalid-name
        self.asked.append(self.path)
        self.send_error(404)

    def log_message(self, *_):
        pass


def check_hosts(_, static):
    """A host is spoken to, without the C library looking it up: the shell's debug file is asked for."""
    busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Nothing) as server, \
            tempfile.TemporaryDirectory() as folder:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        urls = f"http://127.0.0.1:{server.server_port}/a http://localhost:{server.server_port}/b"
        status, said = run(static, "profile", "-U", "-o", f"{folder}/out.json", "--", "sh", "-c", busy,
                           env=os.environ | {"DEBUGINFOD_URLS": urls, "DEBUGINFOD_CACHE_PATH": folder})
        server.shutdown()
    assert status == 0 and "debug files" not in said, said
    assert {path.split("/")[1] for path in Nothing.asked} == {"a", "b"}, (Nothing.asked, said)


CHECKS = [check_size, check_segments, check_answers, check_commands, check_machine,
          check_overlay_comes_back, check_trace_is_lean, check_start_asks_nothing, check_time_is_lean,
          check_no_memory, check_unwinding_needs_it, check_no_new_code, check_hosts]


def built():
    status, said = run(TOP / "dev", "dist", timeout=BUILD_SECONDS)
    assert status == 0, said
    return TOP / "dist/skep"


def main():
    skep = Path(sys.argv[1])
    static = Path(sys.argv[2]).resolve() if sys.argv[2:] else built()
    return checks.run(CHECKS, skep, static)


if __name__ == "__main__":
    sys.exit(main())
