#!/usr/bin/python3
"""libskep as those see it who install it: a build is installed into an empty folder, and all that
follows knows of it only what pkg-config says.

    install.py BUILD

Checked: every public header alone, in C17 and C++17 with gcc's and clang's warnings; that the
shared library exports what the headers declare and nothing else; the examples, built by gcc and
clang, shared and static, and what they print; a program in C++; manual pages and completions.
What is printed has cmocka's form, which tests/run counts.
"""

import json
import os
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path.append(str(TOP / "tests"))
import checks  # found by the line above

EXAMPLES = TOP / "examples"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs",
             "--bounding-set=-all", "--inh-caps=-all"] if os.getuid() == 0 else []
COMPILERS = {"gcc": "g++", "clang": "clang++"}
# With libbpf's calls routed to the machine (src/machine/wrap.c), not in libskep itself.
OF_WRAP = {"skep_machine_route", "skep_machine_route_thread"}


def output_of(command, **kwargs):
    """What @command prints; AssertionError with all it said if it fails."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, **kwargs)
    assert done.returncode == 0, f"{' '.join(map(str, command))}:\n{done.stdout}"
    return done.stdout


class Installed:
    """A build in an empty folder."""

    def __init__(self, build, folder):
        self.root = folder / "root"
        self.work = folder / "work"
        self.work.mkdir()
        output_of(["meson", "install", "-C", build, "--no-rebuild", "--quiet",
                   "--destdir", self.root])
        self.include, = (path.parent for path in self.root.rglob("include/skep"))
        self.pc, = self.root.rglob("pkgconfig")
        self.lib = self.pc.parent
        self.prefix = self.include.parent

    def flags(self, package, *options):
        env = os.environ | {"PKG_CONFIG_PATH": str(self.pc),
                            "PKG_CONFIG_SYSROOT_DIR": str(self.root),
                            "PKG_CONFIG_ALLOW_SYSTEM_CFLAGS": "1"}
        return output_of(["pkg-config", *options, "--cflags", "--libs", package], env=env).split()

    def headers(self):
        return sorted(path for path in (self.include / "skep").glob("*.h")
                      if path.stem not in ("begin", "end"))

    def build_program(self, compiler, source, package, static):
        """@source by nothing but @compiler and pkg-config; what runs it."""
        program = self.work / f"{source.stem}-{compiler}{'-static' if static else ''}"
        link = ["-static"] if static else [f"-Wl,-rpath,{self.lib}"]
        std = ["-std=c++17"] if source.suffix == ".cc" else []
        options = ["--static"] if static else []
        output_of([compiler, *std, "-O1", *WARNINGS, "-Wno-pedantic", source, *link,
                   *self.flags(package, *options), "-o", program])
        return program


# --- The checks ---------------------------------------------------------------------------------

def check_headers(installed):
    """Each alone, as C17 and as C++17, without a warning."""
    assert len(installed.headers()) >= 10
    for c, cxx in COMPILERS.items():
        for header in installed.headers():
            for compiler, language in ((c, ["-x", "c", "-std=c17"]),
                                       (cxx, ["-x", "c++", "-std=c++17"])):
                output_of([compiler, *language, *WARNINGS, "-fsyntax-only",
                           f"-I{installed.include}", "-include", header, "/dev/null"])


def declared(installed):
    """The functions and objects that the headers declare; gcc tells the functions."""
    source, info = installed.work / "all.c", installed.work / "all.txt"
    source.write_text("".join(f"#include <skep/{h.name}>\n" for h in installed.headers()))
    output_of(["gcc", "-std=c17", f"-I{installed.include}", "-aux-info", info,
               "-c", source, "-o", installed.work / "all.o"])
    names = set(re.findall(r"^/\* \S*/skep/\w+\.h:\S+ \*/ extern .*?[ *](skep_\w+) \((?!\*)",
                           info.read_text(), re.M))
    for header in installed.headers():
        for line in re.findall(r"^extern const struct \w+ (.*);", header.read_text(), re.M):
            names |= set(line.split(", "))
    return names


def check_exports(installed):
    """The shared library's symbols are the declared ones."""
    lines = output_of(["nm", "-D", "--defined-only", installed.lib / "libskep.so"]).splitlines()
    exported = {line.split()[2].partition("@")[0] for line in lines if " A " not in line}
    names = declared(installed) - OF_WRAP
    assert len(names) > 150
    assert not names - exported, f"declared and not there: {sorted(names - exported)}"
    assert not exported - names, f"there and not declared: {sorted(exported - names)}"


def check_needs(installed):
    """Nothing but libc is needed."""
    text = output_of(["readelf", "-d", installed.lib / "libskep.so"])
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", text))
    assert needed <= {"libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}, needed
    assert "libskep.so.0" in re.search(r"\(SONAME\).*\[(.*)\]", text)[1]


def ways(compilers=tuple(COMPILERS)):
    return [(compiler, static) for compiler in compilers for static in (False, True)]


def check_embed(installed):
    for compiler, static in ways():
        program = installed.build_program(compiler, EXAMPLES / "embed.c", "libskep", static)
        assert output_of([program]) == "5 packets, 320 bytes\n"


def frame(protocol, extra=b""):
    """An Ethernet frame with an IPv4 header."""
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(extra), 0, 0, 64, protocol, 0, 1, 2)
    return bytes(12) + b"\x08\x00" + ip + extra


def capture(packets):
    """A file in the pcap format."""
    data = struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1)
    for i, packet in enumerate(packets):
        data += struct.pack("<IIII", i, 0, len(packet), len(packet)) + packet
    return data


def check_filter(installed):
    """UDP passes; what is short, or another protocol, does not; a bad filter is told off."""
    udp = [frame(17), frame(17, b"hello"), frame(17, bytes(1400))]
    other = [frame(6), bytes(60), bytes(14), bytes(3)]
    source, target = installed.work / "in.pcap", installed.work / "out.pcap"
    source.write_bytes(capture([udp[0], *other, *udp[1:]]))
    for compiler, static in ways():
        program = installed.build_program(compiler, EXAMPLES / "filter.c", "libskep", static)
        said = output_of([program, EXAMPLES / "udp.asm", source, target])
        assert said == "dropped: 4\npassed: 3\n", said
        kept = target.read_bytes()
        for packet in udp:
            assert kept.count(packet) >= 1
        assert len(kept) == 24 + sum(16 + len(packet) for packet in udp)
        check_bad_filters(installed, program, source)


def check_bad_filters(installed, program, source):
    """Neither what cannot be assembled nor what reads too far goes unnoticed."""
    for text, word in (("r0 = r11\nexit", "r0 = r11"),
                       ("r2 = *(u32 *)(r1 + 0)\nr0 = *(u8 *)(r2 + 4000)\nexit", "instruction 1: ")):
        bad = installed.work / "bad.asm"
        bad.write_text(text)
        done = subprocess.run([program, bad, source, installed.work / "none.pcap"],
                              stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 1 and word in done.stderr, done.stderr


def check_xdp(installed):
    """clang's object through libbpf, as nobody in particular: no capability is left."""
    clang = next(name for name in ("clang-19", "clang") if is_there(name))
    target = installed.work / "xdp_count.bpf.o"
    output_of([clang, "-target", "bpf", "-O2", "-g", "-idirafter",
               f"/usr/include/{os.uname().machine}-linux-gnu", "-c",
               EXAMPLES / "xdp_count.bpf.c", "-o", target])
    for compiler, static in ways():
        program = installed.build_program(compiler, EXAMPLES / "xdp.c", "libskep-libbpf", static)
        said = output_of([*AS_NOBODY, program, target])
        said = re.sub(r"\d+ ns", "N ns", said)
        lines = said.splitlines()
        assert lines[:3] == ["udp   passed, N ns", "tcp   passed, N ns", "icmp  dropped, N ns"], said
        assert sorted(lines[3:]) == ["protocol 17: 1000", "protocol 1: 1000", "protocol 6: 1000"], said


def is_there(name):
    return any(os.access(Path(folder) / name, os.X_OK) for folder in os.get_exec_path())


CPLUSPLUS = """
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <skep/image.h>
#include <skep/isa.h>

int main()
{
	const char text[] = "r0 = r1\\nr0 *= 2\\nexit";
	const skep_link_env env{};
	skep_insn *insns;
	skep_image *image;
	skep_code *code;
	size_t n;

	if (skep_asm(text, std::strlen(text), &insns, &n, nullptr))
		return 1;
	if (skep_image_link(insns, n, 0, &env, nullptr, &image))
		return 2;
	if (skep_exec_jit.compile(image, nullptr, &code))
		return 3;
	const skep_program program = {image, &skep_exec_jit, code};
	skep_run run{};
	run.budget = UINT64_MAX;
	const auto r0 = skep_program_run(&program, reinterpret_cast<void *>(21), &run);
	std::printf("%llu\\n", static_cast<unsigned long long>(r0));
	skep_exec_jit.free(code);
	skep_image_free(image);
	std::free(insns);
}
"""


def check_cplusplus(installed):
    """The engine without bpf(2), from C++."""
    source = installed.work / "twice.cc"
    source.write_text(CPLUSPLUS)
    for compiler, static in ways(COMPILERS.values()):
        program = installed.build_program(compiler, source, "libskep", static)
        assert output_of([program]) == "42\n"


def check_documents(installed):
    """The program, its manual pages and its completions are where they are looked for."""
    said = output_of([installed.prefix / "bin/skep", "--version"])
    assert re.match(r"skep \d", said), said
    tools = output_of([installed.prefix / "bin/skep", "tool", "list", "--json"]).splitlines()
    tools = [tool for tool in map(json.loads, tools) if "tool" not in tool]
    assert "opensnoop" in [tool["name"] for tool in tools]
    for page in ("skep", "skep-trace", "skep-doctor", "skep-help",
                 *(f"skep-{tool['name']}" for tool in tools)):
        text = (installed.prefix / f"share/man/man1/{page}.1").read_text()
        assert text.startswith(f'.TH "{page.upper()}" 1'), page
    for path in ("bash-completion/completions/skep", "zsh/site-functions/_skep",
                 "fish/vendor_completions.d/skep.fish"):
        assert "opensnoop" in (installed.prefix / "share" / path).read_text(), path


CHECKS = [check_headers, check_exports, check_needs, check_embed, check_filter, check_xdp,
          check_cplusplus, check_documents]


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        return checks.run(CHECKS, Installed(Path(sys.argv[1]).resolve(), Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
