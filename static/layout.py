#!/usr/bin/env python3
"""layout.py OUTPUT: how the static program lies in memory, for the linker, beside its own script.

Nothing in the program unwinds a stack, so the tables for that, mostly the C library's, are left
out. The start files keep theirs: a start and an end mark.

The overlay is what skep trace and skep tool do without. It lies behind everything else, with a gap
for the heap: code, constants and data each in a stretch of its own, which is compressed better
than a mixture. pack.py compresses it, and overlay.c has it put to its place. A reference into it from
outside is an error of the link, but from CALLERS.
"""

import sys

OVERLAY, PACKED = 0x10000000, 0x20000000
CODE, CONSTANTS, DATA = ".text .text.*", ".rodata .rodata.*", ".data .data.*"
RELOCATED = ".data.rel.ro .data.rel.ro.*"  # read only, but in position-independent code

FOLDERS = ["archive", "capture", "dwarf", "engine", "export", "helper", "http", "image", "interp", "jit",
           "machine", "map", "profile", "profiler", "unwind", "verify", "vm", "watch"]
COMMANDS = ["doctor", "export", "help", "language", "map", "profile", "prog", "watch"]
LIBRARIES = ["libbpf", "libelf", "libevent", "libiberty", "libncursesw", "libtinfo", "libyaml"]
# Its part of that: locales, wide characters, numbers with a point and of 128 bits, reading by a
# format, compressed files; and what is needed by what is in it alone.
OF_LIBRARIES = {
    "libc": ["explodename", "findlocale", "l10nflist", "loadarchive", "loadlocale", "localealias",
             "setlocale", "btowc", "gconv*", "iofwide", "mb*", "wc*", "wfile*", "wgenops",
             "fpioconst", "printf_fp", "divrem", "mul", "mul_[1n]", "*mul_1", "[lr]shift",
             "*2mpn", "mpn2*", "iowpadn", "tens_in_limb", "atof", "strtof*", "strtod", "strtod_l",
             "strtod_nan", "strtold*", "isoc99_*scanf", "vfscanf*", "strptime*",
             "*vdprintf*", "arc4random", "fmemopen", "freopen64",
             "iofopncook", "pthread_cond_*", "pthread_getattr_np", "pthread_mutex_cond_lock"],
    "libgcc": ["*[dl]tf[23]", "*tf2"],
    "libz": ["deflate", "gz*", "trees"],
}
IN_OVERLAY = [
    *(f"*libskep_{name}.a.p*" for name in FOLDERS),
    *(f"*src_cmd_{name}*" for name in COMMANDS),
    *(f"*{name}.a:*" for name in LIBRARIES),
    *(f"*{library}.a:{name}.o" for library, names in OF_LIBRARIES.items() for name in names),
    "*symbol.a.p/debuginfod.c.o",
    *(f"*libskep_sink.a.p/{name}.c.o" for name in
      ["accept", "double", "exposition", "metrics_*", "protobuf"]),
    "*trace.a.p/run_metric_plan.c.o",
    "*symbol.a.p/expect.c.o",
]

# Who may call into the overlay, because it has been loaded where they do.
CALLERS = {
    # main() loads it for the commands that are marked so
    "*cmd_commands.c.o": CONSTANTS,
    # the machine is called once an engine has been opened, which is in the overlay
    "*libskep_machine_wrap.a.p*": CODE,
    # they load it themselves
    "*static_overlay.c.o": CODE,
    "*static_doors.c.o": CODE,
    "*trace.a.p/run_metrics.c.o": CODE,
    "*symbol.a.p/demangle.c.o": CODE,
    "*symbol.a.p/lines.c.o": CODE,
    # who keeps no symbol tables is in it
    "*symbol.a.p/usyms.c.o": CODE,
    "*trace.a.p/lower_unwind.c.o": CODE,
    # who fetches has been made by skep profile
    "*symbol.a.p/debugfile.c.o": CODE,
    # what runs for programs that unwind, which have been compiled by then
    "*trace.a.p/run_unwinding.c.o": CODE,
    "*trace.a.p/run_output_line.c.o": CODE,
    "*trace.a.p/run_output_stack.c.o": CODE,
    # wide streams, and locales with other digits: nobody but skep watch sets a locale
    "*libc.a:fileops.o": CODE,
    "*libc.a:fxprintf.o": CODE,
    "*libc.a:genops.o": CODE,
    "*libc.a:iofclose.o": CODE,
    "*libc.a:ioseekoff.o": CODE,
    "*libc.a:vfprintf-internal.o": CODE,
}
CALLERS_DATA = dict.fromkeys(["*libc.a:wcsmbsload.o", "*ctype.s.o"], RELOCATED)


def section(head, files, before="", after=""):
    rows = "".join(f"\t\t{name}({kinds})\n" for name, kinds in files.items())
    return f"\t{head} : {{\n{before}{rows}{after}\t}}\n"


def sections(place, *parts):
    return f"SECTIONS {{\n{''.join(parts)}}} INSERT {place};\n"


def overlay(head, kinds, symbol, after=""):
    return section(head, dict.fromkeys(IN_OVERLAY, kinds), f"\t\t{symbol} = .;\n", after)


def script():
    yield sections("AFTER .rodata", section("/DISCARD/", {
        "*": "EXCLUDE_FILE(*crtbegin*.o *crtend*.o) .eh_frame"}))
    yield sections("BEFORE .text", section(".overlay_callers", CALLERS))
    yield sections("BEFORE .data", section(".overlay_callers_data", CALLERS_DATA))
    page = "ALIGN(CONSTANT(COMMONPAGESIZE))"
    yield sections(
        "AFTER .stab",
        overlay(f".overlay_code {OVERLAY:#x}", CODE, "skep_overlay_code"),
        overlay(f".overlay_constants {page}", CONSTANTS, "skep_overlay_constants",
                "\t\t*(.overlay_tables)\n"),
        overlay(f".overlay_data {page}", f"{DATA} {RELOCATED}", "skep_overlay_data",
                "\t\tskep_overlay_end = .;\n"))
    yield ('ASSERT(__rela_iplt_start == __rela_iplt_end, "a function that there is for several kinds of '
           'CPU: see start.c")\n')
    yield f"skep_overlay_packed = {PACKED:#x};\n"
    for name in ("code", "constants", "data"):
        yield (f"NOCROSSREFS_TO(.overlay_{name} .text .rodata .data .data.rel.ro .init_array "
               ".fini_array)\n")


def main():
    with open(sys.argv[1], "w", encoding="ascii") as file:
        file.writelines(script())


if __name__ == "__main__":
    main()
