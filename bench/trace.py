#!/usr/bin/python3
"""skep trace beside Debian's bpftrace and libbpf-tools: start, memory, cost per event, output.

    ./dev bench trace [--rounds N] [start] [wildcard] [event] [output]

Runs go in pairs, one of each contender after the other, so that what else the machine
does falls on both; a ratio is the median of the pairs' ratios (and their range), over
one where skep needs less. Costs per event are the kernel's own (bpf_stats_enabled).
"""

import argparse
import re
import subprocess
import time

from measure import (Attached, Contender, bpf_stats, bpftrace, median, memlock_shim, programs,
                     ratios, skep, table)

ONE = "tracepoint:syscalls:sys_enter_openat { @[comm] = count(); }"
WILD = "tracepoint:syscalls:sys_enter_* { @[probe] = count(); }"
READS = 200000
LOAD = ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", f"count={READS}"]

# Cost per event: (what, programs for skep and bpftrace, probes that run for one event).
READ = "tracepoint:syscalls:sys_enter_read"
READ_EXIT = "tracepoint:syscalls:sys_exit_read"
EVENTS = [
    ("@ = count()", READ + " { @ = count(); }"),
    ("@[comm] = count()", READ + " { @[comm] = count(); }"),
    ("@[pid] = count()", READ + " { @[pid] = count(); }"),
    ("predicate, false", READ + " /pid == 1/ { @ = count(); }"),
    ("@ = hist(args->count)", READ + " { @ = hist(args->count); }"),
    ("latency: enter + exit, hist", READ + " { @s[tid] = nsecs; } " + READ_EXIT +
     " /@s[tid]/ { @h = hist(nsecs - @s[tid]); delete(@s[tid]); }"),
]
FLOOR = READ + " { }"


def libbpf_tool(name, sign, *arguments):
    return Contender(name, [f"/usr/sbin/{name}", *arguments], sign)


def paired(contenders, rounds, use):
    """use(attached) for each contender in turn, rounds times: a list of results for each."""
    results = [[] for _ in contenders]
    for _ in range(rounds):
        for contender, of_one in zip(contenders, results):
            with Attached(contender) as attached:
                value = use(attached)
            of_one.append((attached, value))
    return results


def start_rows(contenders, rounds):
    results = paired(contenders, rounds, lambda attached: None)
    ours = results[0]
    for contender, of_one in zip(contenders, results):
        starts = [attached.start_s * 1000 for attached, _ in of_one]
        stops = [attached.stop_s * 1000 for attached, _ in of_one]
        peaks = [attached.peak_kib for attached, _ in of_one]
        yield [contender.name, f"{median(starts):.1f}", f"{median(stops):.1f}",
               f"{median(peaks) / 1024:.1f}",
               ratios([attached.start_s for attached, _ in ours], starts_s(of_one)),
               ratios([attached.peak_kib for attached, _ in ours], peaks)]


def starts_s(results):
    return [attached.start_s for attached, _ in results]


START_HEAD = ["", "start ms", "stop ms", "peak MiB", "start, times skep's", "memory, times skep's"]


def bench_start(rounds, shim):
    contenders = [skep(ONE), bpftrace(ONE, shim), libbpf_tool("opensnoop", b"PATH")]
    table(f"Start: one tracepoint, exec to attached ({rounds} rounds)\n  {ONE}", START_HEAD,
          start_rows(contenders, rounds))


def bench_wildcard(rounds, shim):
    rounds = max(3, rounds // 5)
    limits = {"BPFTRACE_MAX_PROBES": "2000"}
    other = bpftrace(WILD, shim | limits)
    table(f"Start: every system call's entry ({rounds} rounds)\n  {WILD}", START_HEAD,
          start_rows([skep(WILD), other], rounds))


def run_load():
    begin = time.perf_counter()
    subprocess.run(LOAD, check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


def cost_ns(contender):
    """Kernel time for one event: of all the contender's programs, over the events of the load."""
    before = programs()
    with Attached(contender) as attached:
        new = {id: counts for id, counts in programs().items() if id not in before}
        run_load()
        after = programs()
        attached.drain()
    spent = sum(after[id][1] - counts[1] for id, counts in new.items() if id in after)
    runs = max((after[id][0] - counts[0] for id, counts in new.items() if id in after), default=0)
    return spent / runs if runs else float("nan")


def event_row(what, contenders, rounds, floors):
    costs = [[cost_ns(contender) for contender in contenders] for _ in range(rounds)]
    ours, theirs = ([row[i] for row in costs] for i in (0, 1))
    return [what, f"{median(ours):.0f}", f"{median(theirs):.0f}", ratios(ours, theirs),
            f"{median(ours) - floors[0]:.0f}", f"{median(theirs) - floors[1]:.0f}"]


def bench_event(rounds, shim):
    rounds = max(3, rounds // 5)
    head = ["", "skep ns", "other ns", "times skep's", "skep, above floor", "other, above floor"]
    with bpf_stats():
        floors = [median([cost_ns(contender) for _ in range(rounds)])
                  for contender in (skep(FLOOR), bpftrace(FLOOR, shim))]
        rows = [["floor: an empty program", f"{floors[0]:.0f}", f"{floors[1]:.0f}", "", "", ""]]
        for what, script in EVENTS:
            rows.append(event_row(what, [skep(script), bpftrace(script, shim)], rounds, floors))
        raw = "tracepoint:raw_syscalls:sys_exit { @[pid] = count(); }"
        rows.append(event_row("@[pid] = count() / syscount -P",
                              [skep(raw), libbpf_tool("syscount", b"Tracing", "-P")], rounds,
                              floors))
    table(f"Cost per event in the kernel, read(2) of dd ({rounds} rounds of {READS} events; "
          "other: bpftrace unless named)", head, rows)


def output_seconds(contender):
    """The load's time while every event is printed, and how many lines came of it."""
    with Attached(contender, settle_s=1.5) as attached:
        load = subprocess.Popen(LOAD, stderr=subprocess.DEVNULL)
        begin = time.perf_counter()
        while load.poll() is None:
            attached.drain()
            time.sleep(0.001)
        seconds = time.perf_counter() - begin
    lines = len(re.findall(rb"^event \d+ \w+$", attached.output, re.M))
    return seconds, lines, attached.cpu_s


def bench_output(rounds, shim):
    rounds = max(3, rounds // 5)
    script = READ + ' /comm == "dd"/ { printf("event %d %s\\n", pid, comm); }'
    contenders = [skep(script), bpftrace(script, shim | {"BPFTRACE_PERF_RB_PAGES": "1024"})]
    alone, runs = [], [[] for _ in contenders]
    for _ in range(rounds):
        alone.append(run_load())
        for contender, of_one in zip(contenders, runs):
            of_one.append(output_seconds(contender))
    rows = [["alone", f"{median(alone):.3f}", "1.00", "", "", ""]]
    for contender, of_one in zip(contenders, runs):
        seconds = [run[0] for run in of_one]
        slowdown = median([mine / bare for mine, bare in zip(seconds, alone)])
        lines = median([run[1] for run in of_one])
        rows.append([contender.name, f"{median(seconds):.3f}", f"{slowdown:.2f}",
                     f"{lines:.0f}", f"{max(0, 100 * (1 - lines / READS)):.1f}",
                     f"{median([run[2] for run in of_one]):.2f}"])
    table(f"Output: a line for each of {READS} read(2) of dd ({rounds} rounds)",
          ["", "load s", "slowdown", "lines", "lost %", "tracer CPU s"], rows)


PARTS = {"start": bench_start, "wildcard": bench_wildcard, "event": bench_event,
         "output": bench_output}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=" ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]}; there are: {' '.join(PARTS)}")
    shim = memlock_shim()
    version = subprocess.run(["bpftrace", "--version"], stdout=subprocess.PIPE, text=True,
                             check=True).stdout.strip()
    print(f"skep (dist/skep) beside {version} and libbpf-tools")
    for part in options.parts or PARTS:
        PARTS[part](options.rounds, shim)


if __name__ == "__main__":
    main()
