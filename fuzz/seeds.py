"""Writes seeds of the targets that take whole structures.

    python3 fuzz/seeds.py

Those of machine_bpf are sequences that make every kind of object and use it: the bytes are what
fuzz/machine_bpf.c reads, see its make_…() functions. Descriptors are named by the order in which a
sequence comes by them, addresses by where they are in the buffer.

Those of verify_program are programs that the verifier accepts, for fuzz/verify_program.c, one for
each kind of thing that it keeps apart. Those of verify_btf are programs with types, for
fuzz/verify_btf.c. Those of unwind_records are lives of processes, for fuzz/unwind_records.c.
Those of archive_segment are blocks of a segment, for fuzz/archive_segment.c.
"""

import struct
from pathlib import Path

SEEDS = Path(__file__).resolve().parent / "seeds"

# Ids in write_types() of machine_bpf.c.
ITER_MAP, ITER_MAP_ELEM, FENTRY = 6, 7, 8
NONE = 255  # address 0; as a descriptor: none of ours

(MAP_CREATE, LOOKUP, UPDATE, DELETE, NEXT_KEY, PROG_LOAD, PIN, GET, ATTACH, DETACH, RUN, PROG_NEXT,
 MAP_NEXT, PROG_BY_ID, MAP_BY_ID, INFO, QUERY, RAW_TRACEPOINT, BTF_LOAD, BTF_BY_ID, TASK_FD,
 LOOKUP_DELETE, FREEZE, BTF_NEXT, LOOKUP_BATCH, LOOKUP_DELETE_BATCH, UPDATE_BATCH, DELETE_BATCH,
 LINK_CREATE, LINK_UPDATE, LINK_BY_ID, LINK_NEXT, STATS, ITER_CREATE, LINK_DETACH, BIND_MAP,
 TOKEN, STREAM, HOOK, READ) = range(40)

# Sequences whose programs the verifier does not let pass, and machines that do not ask it.
UNVERIFIED = ("run-fault", "iterator-elements", "iterator-maps", "links-fentry")

# type, key size, value size, entries (None: 4096), flags
MAP_TYPES = {
    "hash": (1, 4, 8, 8, 0), "array": (2, 4, 8, 8, 0), "prog_array": (3, 4, 4, 4, 0),
    "perf_event_array": (4, 4, 4, 4, 0), "percpu_hash": (5, 4, 8, 8, 0),
    "percpu_array": (6, 4, 8, 8, 0), "stack_trace": (7, 4, 16, 8, 0),
    "cgroup_array": (8, 4, 4, 4, 0), "lru_hash": (9, 4, 8, 8, 0),
    "lru_percpu_hash": (10, 4, 8, 8, 0), "lpm_trie": (11, 8, 8, 8, 1),
    "array_of_maps": (12, 4, 4, 4, 0), "hash_of_maps": (13, 4, 4, 4, 0),
    "devmap": (14, 4, 4, 4, 0), "sockmap": (15, 4, 4, 4, 0), "cpumap": (16, 4, 4, 2, 0),
    "xskmap": (17, 4, 4, 4, 0), "sockhash": (18, 4, 4, 4, 0), "cgroup_storage": (19, 8, 8, 0, 0),
    "reuseport_sockarray": (20, 4, 4, 4, 0), "percpu_cgroup_storage": (21, 8, 8, 0, 0),
    "queue": (22, 0, 8, 4, 0), "stack": (23, 0, 8, 4, 0), "sk_storage": (24, 4, 4, 0, 1),
    "devmap_hash": (25, 4, 4, 4, 0), "struct_ops": (26, 4, 8, 1, 0), "ringbuf": (27, 0, 0, None, 0),
    "inode_storage": (28, 4, 4, 0, 1), "task_storage": (29, 4, 4, 0, 1),
    "bloom_filter": (30, 0, 8, 4, 0), "user_ringbuf": (31, 0, 0, None, 0),
    "cgrp_storage": (32, 4, 4, 0, 1), "arena": (33, 0, 0, 4, 1 << 10),
    "hash_no_prealloc": (1, 4, 8, 8, 1), "array_mmapable": (2, 4, 8, 8, 1 << 10),
}


def call(command, fill=b"", *fields):
    return bytes([command, len(fill)]) + fill + bytes(fields)


def insn(code, dst=0, src=0, off=0, imm=0):
    return struct.pack("<BBhi", code, dst | src << 4, off, imm)


EXIT = insn(0x95)


def mov(dst, imm):
    return insn(0xb7, dst, imm=imm)


def map_fd(dst, fd):
    return insn(0x18, dst, 1, imm=fd) + insn(0)


def make_map(name, inner=NONE, btf=NONE, key_type=0, value_type=0):
    kind, key, value, entries, flags = MAP_TYPES[name]
    room = (0,) if entries is None else (1, entries)
    return call(MAP_CREATE, b"", kind, key, value, *room, flags & 255, flags >> 8, inner, btf,
                key_type, value_type)


def load(kind, code, attach=0, btf_id=0, btf=NONE, funcs=0, lines=0, at=0):
    return call(PROG_LOAD, code, kind, len(code) // 8 if not funcs else funcs, at, 1, btf, NONE, 0,
                NONE, 0, attach, NONE, btf_id)


def run(fd, data=0, out=0):
    return call(RUN, b"", fd, 0, data, out, 0, 1)


def element(command, fd, key, value=b"", flags=0, names=None):
    """Keys and values begin where the buffer does. names: the value is that descriptor."""
    fill = value.ljust(16, b"\0") + key if value else key
    at = NONE if not key else 2 if value else 0
    return call(command, fill, fd, at, flags, *((0,) if names is None else (3, names)))


def word(number, size=4):
    return number.to_bytes(size, "little")


def use_map(fd, key_bytes):
    key = word(1, key_bytes) if key_bytes else b""
    return b"".join([
        element(UPDATE, fd, key, word(7, 8)), element(LOOKUP, fd, key),
        call(NEXT_KEY, b"", fd, NONE), call(UPDATE_BATCH, bytes(64), 0, fd, 3, 0),
        call(LOOKUP_BATCH, b"", 0, fd, 4, 0), call(LOOKUP_BATCH, b"", 1, fd, 4, 0),
        element(LOOKUP_DELETE, fd, key), call(DELETE, key, fd, 0),
        call(LOOKUP_DELETE_BATCH, b"", 0, fd, 2, 0), call(DELETE_BATCH, bytes(16), 0, fd, 1, 0),
        call(INFO, b"", fd, 26), call(FREEZE, b"", fd, 0), element(UPDATE, fd, key, word(7, 8)),
    ])


def btf():
    """Header, an int, a struct with it, a function of it."""
    types = (struct.pack("<III", 1, 1 << 24, 4) + struct.pack("<I", 32) +
             struct.pack("<III", 5, 4 << 24 | 1, 4) + struct.pack("<III", 7, 1, 0) +
             struct.pack("<III", 0, 13 << 24, 1) + struct.pack("<III", 9, 12 << 24, 3))
    strings = b"\0int\0s\0m\0main\0"
    strings += bytes(-len(strings) % 4)
    return struct.pack("<HBBIIIII", 0xeb9f, 1, 0, 24, 0, len(types), len(types),
                       len(strings)) + types + strings


def load_btf():
    blob = btf()
    return call(BTF_LOAD, blob, 0, len(blob) // 4, 1)


def seeds():
    for name, (_, key, _, _, _) in MAP_TYPES.items():
        first, types = b"", (NONE, 0, 0)
        if name.endswith("of_maps"):
            first = make_map("hash")
        elif name.endswith(("k_storage", "inode_storage", "cgrp_storage")):
            first, types = load_btf(), (0, 1, 1)
        yield "map-" + name, first + make_map(name, 0, *types) + use_map(1 if first else 0, key)

    add_one = (insn(0x7a, 10, off=-8) + insn(0xbf, 2, 10) + insn(0x07, 2, imm=-8) +
               map_fd(1, 0) + insn(0x85, imm=1) +
               insn(0x15, 0, off=2) + mov(1, 1) + insn(0xdb, 0, 1) + mov(0, 0) + EXIT)
    yield "run-array", (make_map("array") + load(6, add_one) + run(1, 20, 60) +
                        element(LOOKUP, 0, word(0)) + call(INFO, b"", 1, 58) +
                        call(BIND_MAP, b"", 1, 0))
    tail_call = map_fd(2, 0) + mov(3, 0) + insn(0x85, imm=12) + mov(0, 1) + EXIT
    yield "run-tail-call", (make_map("prog_array") + load(6, tail_call) +
                            load(6, mov(0, 2) + EXIT) + element(UPDATE, 0, word(0), names=2) +
                            element(LOOKUP, 0, word(0)) + run(1, 20, 20) +
                            call(DELETE, word(0), 0, 0) + run(1, 20, 20))
    for outer in ("array_of_maps", "hash_of_maps"):
        yield "inner-" + outer, (make_map("hash") + make_map(outer, inner=0) +
                                 element(UPDATE, 1, word(0), names=0) +
                                 element(LOOKUP, 1, word(0)) + call(LOOKUP_BATCH, b"", 0, 1, 2, 0) +
                                 element(UPDATE, 1, word(0), names=0) + call(DELETE, word(0), 1, 0))
    yield "run-types", b"".join(load(kind, mov(0, 1) + EXIT) + run(i, 20, 60) for i, kind in
                                enumerate((1, 3, 4, 6, 8, 10, 17, 19, 22)))
    yield "run-fault", load(6, insn(0x79, 0, 1, 200) + EXIT) + run(0, 20, 0) + call(INFO, b"", 0, 58)
    yield "btf", (load_btf() + call(INFO, b"", 0, 8) + call(BTF_NEXT, b"", 0) +
                  call(BTF_BY_ID, b"", 1) + make_map("cgrp_storage", btf=0, key_type=1, value_type=2))
    yield "btf-funcs", (load_btf() + call(PROG_LOAD, mov(0, 0) + EXIT + struct.pack("<II", 0, 4) +
                                          struct.pack("<IIII", 0, 5, 5, 1 << 10), 6, 2, 0, 1, 0, 2,
                                          1, 3, 1, 0, NONE, 0) + run(1, 20, 0))
    yield "links", (load(17, mov(0, 3) + EXIT) + call(RAW_TRACEPOINT, b"", 0, 0) +
                    call(HOOK, b"", 0, 0) + call(INFO, b"", 1, 16) + call(LINK_NEXT, b"", 0) +
                    call(LINK_BY_ID, b"", 1) + call(TASK_FD, b"", 1, 1, 0, 20) +
                    call(LINK_DETACH, b"", 1, 0) + call(HOOK, b"", 0, 0))
    yield "links-xdp", (load(6, mov(0, 2) + EXIT, attach=37) +
                        call(LINK_CREATE, b"", 0, 0, 1, 37, 1) + call(HOOK, b"", 5, 1) +
                        load(6, mov(0, 1) + EXIT, attach=37) + call(LINK_UPDATE, b"", 1, 2, 0) +
                        call(LINK_DETACH, b"", 1, 0))
    yield "links-fentry", (load(26, mov(0, 0) + EXIT, attach=24, btf_id=FENTRY) +
                           call(LINK_CREATE, b"", 0, 0, 0, 24, 1) + run(0))
    write_key = (insn(0x79, 6, 1) + insn(0x79, 7, 6) + insn(0x79, 2, 1, 16) +
                 insn(0x15, 2, off=3) + insn(0xbf, 1, 7) + mov(3, 4) + insn(0x85, imm=127) +
                 mov(0, 0) + EXIT)
    yield "iterator-elements", (make_map("array") + load(26, write_key, 28, ITER_MAP_ELEM) +
                                call(LINK_CREATE, b"", 1, 0, 0, 28, 0, 0) +
                                call(ITER_CREATE, b"", 2, 0) + call(READ, b"", 3) +
                                call(INFO, b"", 2, 16))
    write_id = write_key.replace(insn(0x79, 2, 1, 16), insn(0x79, 2, 1, 8))
    yield "iterator-maps", (make_map("hash") + make_map("array") +
                            load(26, write_id, 28, ITER_MAP) +
                            call(LINK_CREATE, b"", 2, 0, 0, 28, 1) +
                            call(ITER_CREATE, b"", 3, 0) + call(READ, b"", 4))
    yield "pins", (make_map("hash") + call(PIN, b"", 0, 1, 0, 1) + call(GET, b"", 0, 0, 1) +
                   call(GET, b"", 0, 0, 0) + call(PIN, b"", 1, 1, 1, 1) + call(GET, b"", 2, 0, 1))
    yield "ids", (make_map("hash") + load(6, mov(0, 0) + EXIT) + call(MAP_NEXT, b"", 0) +
                  call(PROG_NEXT, b"", 0) + call(MAP_BY_ID, b"", 1) + call(PROG_BY_ID, b"", 1) +
                  call(STATS, b"", 0) + run(1, 20, 0) + call(INFO, b"", 1, 58))
    yield "attach", (make_map("sockmap") + load(16, mov(0, 1) + EXIT) +
                     call(ATTACH, b"", 0, 1, 7, 0, NONE) + call(QUERY, b"", 0, 7, 0, 4) +
                     call(DETACH, b"", 0, 1, 7, 0, NONE))


# Types of programs, by their place in verify_program.c.
SOCKET, CGROUP_SKB, TC, XDP, LWT_IN, LWT_XMIT, RAW_TP, FLOW, SK_LOOKUP, SYSCALL, NETFILTER = range(11)
UNPRIVILEGED, EXTENDED, LOG2, MANY_STATES, NO_PRUNING = 1, 2, 8, 64, 128
# Its maps.
ARRAY, HASH, PERCPU, PROGS, QUEUE, LRU, RINGBUF, ITEMS = range(8)
# Its functions of the kernel.
NUM_NEW, NUM_NEXT, NUM_DESTROY, RCU_LOCK, RCU_UNLOCK = range(5)


def reg(dst, src):
    return insn(0xbf, dst, src)


def add(dst, imm):
    return insn(0x07, dst, imm=imm)


def load_from(size, dst, src, off=0):
    return insn({1: 0x71, 2: 0x69, 4: 0x61, 8: 0x79}[size], dst, src, off)


def store_to(size, dst, src, off=0):
    return insn({1: 0x73, 2: 0x6b, 4: 0x63, 8: 0x7b}[size], dst, src, off)


def put(size, dst, imm, off=0):
    return insn({1: 0x72, 2: 0x6a, 4: 0x62, 8: 0x7a}[size], dst, 0, off, imm)


def helper(number):
    return insn(0x85, imm=number)


def kfunc(number):
    return insn(0x85, src=2, imm=number)


def skip_if(code, dst, operand, by, src=None):
    """Jump over @by slots: 5 is ==, 0x15 with a number; as the instruction's code has it."""
    return insn(code, dst, src or 0, by, 0 if src is not None else operand)


def look_up(which, key_bytes=4):
    return (put(key_bytes, 10, 0, -8) + reg(2, 10) + add(2, -8) + map_fd(1, which) + helper(1))


def program(kind, code, how=0, packet=40):
    return bytes([how, kind, packet, 0]) + code


def programs():
    give = mov(0, 0) + EXIT
    ends = load_from(4, 2, 1) + load_from(4, 3, 1, 4)  # of an XDP packet
    yield "nothing", program(SOCKET, give)
    yield "arithmetic", program(SOCKET, load_from(4, 0, 1) + insn(0x57, 0, imm=7) + insn(0x67, 0, imm=3) +
                                insn(0x97, 0, imm=5) + insn(0xc4, 0, imm=1) + insn(0xdc, 0, imm=16) +
                                EXIT, UNPRIVILEGED)
    yield "branches", program(SOCKET, load_from(4, 6, 1) + skip_if(0x25, 6, 9, 3) + mov(0, 1) +
                              skip_if(0x65, 6, 3, 1) + mov(0, 2) + mov(0, 3) + EXIT, UNPRIVILEGED | LOG2)
    yield "stack", program(SOCKET, put(8, 10, 7, -16) + reg(2, 10) + add(2, -16) + load_from(4, 1, 1) +
                           insn(0x57, 1, imm=4) + insn(0x0f, 2, 1) + load_from(4, 0, 2) + EXIT)
    yield "spill", program(SOCKET, store_to(8, 10, 1, -8) + load_from(8, 6, 10, -8) + load_from(4, 7, 6) +
                           store_to(4, 10, 7, -12) + load_from(4, 0, 10, -12) + EXIT, UNPRIVILEGED)
    yield "packet-xdp", program(XDP, ends + reg(4, 2) + add(4, 14) + skip_if(0x2d, 4, 0, 2, 3) +
                                load_from(1, 0, 2, 13) + store_to(1, 2, 0, 12) + mov(0, 2) + EXIT)
    yield "packet-variable", program(XDP, ends + reg(4, 2) + add(4, 15) + skip_if(0x2d, 4, 0, 7, 3) +
                                     load_from(1, 5, 2, 14) + insn(0x57, 5, imm=15) +
                                     insn(0x67, 5, imm=2) + insn(0x0f, 2, 5) + reg(4, 2) + add(4, 20) +
                                     skip_if(0x2d, 4, 0, 1, 3) + load_from(1, 0, 2, 19) +
                                     mov(0, 2) + EXIT, LOG2)
    yield "packet-tc", program(TC, load_from(4, 2, 1, 76) + load_from(4, 3, 1, 80) + reg(4, 2) + add(4, 34) +
                               skip_if(0x3d, 3, 0, 2, 4) + give + load_from(4, 6, 2, 30) +
                               store_to(4, 1, 6, 48) + put(1, 2, 9, 33) + give)
    yield "adjust", program(XDP, reg(6, 1) + mov(2, -4) + helper(44) + skip_if(0x55, 0, 0, 8) +
                            load_from(4, 2, 6) + load_from(4, 3, 6, 4) + reg(4, 2) + add(4, 4) +
                            skip_if(0x2d, 4, 0, 1, 3) + put(4, 2, 1) + mov(0, 2) + EXIT + give)
    yield "ld-abs", program(SOCKET, reg(6, 1) + insn(0x28, imm=12) + insn(0x57, 0, imm=15) + reg(7, 0) +
                            insn(0x50, 0, 7, imm=14) + EXIT, UNPRIVILEGED)
    yield "array", program(SOCKET, look_up(ARRAY) + skip_if(0x15, 0, 0, 6) + load_from(8, 1, 0) +
                           insn(0x57, 1, imm=15) + insn(0x0f, 0, 1) + load_from(1, 2, 0, 8) +
                           store_to(1, 0, 2, 1) + insn(0xdb, 10, 1, -8) + give)
    yield "array-value", program(TC, insn(0x18, 1, 2, imm=ARRAY) + insn(0, imm=8) + load_from(8, 2, 1) +
                                 mov(3, 1) + insn(0xdb, 1, 3, 0, 1) + insn(0xc3, 1, 3, 8, 0xe1) + give)
    yield "hash", program(TC, look_up(HASH, 8) + skip_if(0x55, 0, 0, 8) + put(8, 10, 3, -16) +
                          reg(3, 10) + add(3, -16) + reg(2, 10) + add(2, -8) + map_fd(1, HASH) +
                          mov(4, 0) + give)
    yield "update", program(TC, put(8, 10, 1, -8) + put(8, 10, 3, -16) + reg(2, 10) + add(2, -8) + reg(3, 10) +
                            add(3, -16) + map_fd(1, HASH) + mov(4, 0) + helper(2) + look_up(HASH, 8) +
                            skip_if(0x15, 0, 0, 1) + load_from(8, 0, 0) + mov(0, 0) + EXIT)
    yield "percpu", program(RAW_TP, look_up(PERCPU) + skip_if(0x15, 0, 0, 2) + mov(1, 1) +
                            insn(0xdb, 0, 1, 8) + give)
    yield "queue", program(TC, put(8, 10, 5, -8) + reg(2, 10) + add(2, -8) + map_fd(1, QUEUE) + mov(3, 0) +
                           helper(87) + reg(2, 10) + add(2, -16) + map_fd(1, QUEUE) + helper(88) +
                           skip_if(0x55, 0, 0, 1) + load_from(8, 3, 10, -16) + give)
    yield "ringbuf", program(XDP, map_fd(1, RINGBUF) + mov(2, 16) + mov(3, 0) + helper(131) +
                             skip_if(0x15, 0, 0, 5) + put(8, 0, 1) + put(8, 0, 2, 8) + reg(1, 0) + mov(2, 0) +
                             helper(132) + give)
    yield "lock", program(TC, look_up(ITEMS) + skip_if(0x15, 0, 0, 8) + reg(6, 0) + reg(1, 6) + add(1, 8) +
                          helper(93) + put(8, 6, 4, 32) + reg(1, 6) + add(1, 8) + helper(94) + give)
    callback = mov(0, 0) + EXIT
    yield "timer", program(TC, look_up(ITEMS) + skip_if(0x15, 0, 0, 13) + reg(6, 0) + reg(1, 6) + add(1, 16) +
                           map_fd(2, ITEMS) + mov(3, 1) + helper(169) + reg(1, 6) + add(1, 16) +
                           insn(0x18, 2, 4, imm=3) + insn(0) + helper(170) + give + callback)
    yield "tail-call", program(TC, map_fd(2, PROGS) + mov(3, 1) + helper(12) + give)
    yield "call", program(TC, mov(1, 5) + insn(0x85, src=1, imm=1) + EXIT + reg(0, 1) +
                          store_to(8, 10, 0, -8) + insn(0x0f, 0, 1) + EXIT)
    yield "call-stack", program(SOCKET, put(8, 10, 1, -8) + reg(1, 10) + add(1, -8) + insn(0x85, src=1, imm=2) +
                                load_from(8, 0, 10, -8) + EXIT + load_from(8, 2, 1) + add(2, 1) +
                                store_to(8, 1, 2) + mov(0, 0) + EXIT)
    yield "loop-callback", program(TC, mov(1, 4) + insn(0x18, 2, 4, imm=8) + insn(0) + reg(3, 10) + add(3, -8) +
                                   put(8, 10, 0, -8) + mov(4, 0) + helper(181) + mov(0, 0) + EXIT +
                                   load_from(8, 3, 2) + insn(0x0f, 3, 1) + store_to(8, 2, 3) + mov(0, 0) +
                                   EXIT)
    yield "for-each", program(TC, map_fd(1, ARRAY) + insn(0x18, 2, 4, imm=6) + insn(0) + mov(3, 0) + mov(4, 0) +
                              helper(164) + mov(0, 0) + EXIT + load_from(8, 5, 3, 8) + load_from(4, 0, 2) +
                              mov(0, 0) + EXIT)
    yield "bounded-loop", program(TC, mov(6, 0) + add(6, 1) + skip_if(0xa5, 6, 20, -2) + reg(0, 6) + EXIT)
    yield "may-goto", program(TC, mov(6, 0) + add(6, 1) + insn(0xe5, off=1) + insn(0x05, off=-3) + give,
                              EXTENDED)
    yield "numbers", program(TC, reg(1, 10) + add(1, -8) + mov(2, 0) + mov(3, 5) + kfunc(NUM_NEW) +
                             reg(1, 10) + add(1, -8) + kfunc(NUM_NEXT) + skip_if(0x15, 0, 0, 2) +
                             load_from(4, 6, 0) + insn(0x05, off=-6) + reg(1, 10) + add(1, -8) +
                             kfunc(NUM_DESTROY) + give)
    yield "rcu", program(TC, kfunc(RCU_LOCK) + kfunc(RCU_UNLOCK) + give)
    yield "copy", program(TC, reg(6, 1) + mov(2, 14) + reg(3, 10) + add(3, -8) + mov(4, 8) + helper(26) +
                          load_from(8, 0, 10, -8) + mov(0, 0) + EXIT)
    yield "size", program(TC, load_from(4, 4, 1) + skip_if(0x25, 4, 16, 5) + skip_if(0x15, 4, 0, 4) + mov(2, 0) +
                          reg(3, 10) + add(3, -16) + helper(26) + give)
    yield "pointers", program(XDP, ends + insn(0x1f, 3, 2) + reg(0, 3) + insn(0x57, 0, imm=3) + EXIT)
    yield "cgroup", program(CGROUP_SKB, load_from(4, 0, 1, 16) + insn(0x57, 0, imm=1) + EXIT,
                            UNPRIVILEGED | MANY_STATES)
    yield "raw-tp", program(RAW_TP, load_from(8, 6, 1) + load_from(8, 7, 1, 24) + insn(0x0f, 6, 7) + reg(0, 6) +
                            EXIT, NO_PRUNING)
    yield "sk-lookup", program(SK_LOOKUP, load_from(4, 6, 1, 8) + load_from(8, 7, 1) +
                               skip_if(0x15, 7, 0, 1) + load_from(4, 8, 7) + mov(0, 1) + EXIT)
    yield "syscall", program(SYSCALL, load_from(8, 2, 1) + store_to(8, 1, 2, 8) + give)
    yield "netfilter", program(NETFILTER, mov(0, 1) + EXIT)
    yield "flow", program(FLOW, load_from(4, 2, 1, 76) + load_from(4, 3, 1, 80) + reg(4, 2) + add(4, 2) +
                          skip_if(0x2d, 4, 0, 3, 3) + load_from(2, 5, 2) + load_from(8, 6, 1, 144) +
                          store_to(2, 6, 5) + give)


class Types:
    """BTF, type by type: each function returns the new type's id."""

    def __init__(self):
        self.types, self.strings, self.n = b"", b"\0", 0

    def text(self, text):
        if not text:
            return 0
        self.strings += text.encode() + b"\0"
        return len(self.strings) - len(text) - 1

    def add(self, name, kind, vlen, size, *words, flag=0):
        self.types += struct.pack("<III", self.text(name), kind << 24 | vlen | flag << 31, size)
        self.types += b"".join(struct.pack("<I", word & 0xffffffff) for word in words)
        self.n += 1
        return self.n

    def number(self, name, size, signed=False):
        return self.add(name, 1, 0, size, signed << 24 | size * 8)

    def pointer(self, to):
        return self.add("", 2, 0, to)

    def array(self, of, n, index=1):
        return self.add("", 3, 0, 0, of, index, n)

    def struct(self, name, size, *members):
        words = [word for name, kind, off in members for word in (self.text(name), kind, off * 8)]
        return self.add(name, 4, len(members), size, *words)

    def typedef(self, name, of):
        return self.add(name, 8, 0, of)

    def proto(self, ret, *params):
        words = [word for name, kind in params for word in (self.text(name), kind)]
        return self.add("", 13, len(params), ret, *words)

    def func(self, name, proto, linkage=1):
        return self.add(name, 12, linkage, proto)

    def tag(self, name, of, member=-1):
        return self.add(name, 17, 0, of, member)

    def bytes(self):
        strings = self.strings + bytes(-len(self.strings) % 4)
        return struct.pack("<HBBIIIII", 0xeb9f, 1, 0, 24, 0, len(self.types), len(self.types),
                           len(strings)) + self.types + strings


def kernel_types():
    """A small kernel's types, and the ids of its functions by name."""
    types = Types()
    word, wide = types.number("int", 4, True), types.number("unsigned long", 8)
    types.pointer(0)
    any_pointer = types.n
    task = types.n + 2
    to_task = types.pointer(task)
    types.struct("task_struct", 32, ("pid", word, 0), ("flags", wide, 8), ("parent", to_task, 16),
                 ("files", any_pointer, 24))
    number = types.struct("bpf_iter_num", 8, ("opaque", wide, 0))
    head = types.struct("bpf_list_head", 16, ("opaque", types.array(wide, 2), 0))
    node = types.struct("bpf_list_node", 24, ("opaque", types.array(wide, 3), 0))
    to_number, to_head, to_node, to_word = (types.pointer(of) for of in (number, head, node, word))
    ids = {}
    for name, ret, *params in (
            ("bpf_fentry_test1", word, to_task), ("bpf_iter_num_new", word, to_number, word, word),
            ("bpf_iter_num_next", to_word, to_number), ("bpf_iter_num_destroy", 0, to_number),
            ("bpf_obj_new_impl", any_pointer, wide, any_pointer),
            ("bpf_obj_drop_impl", 0, any_pointer, any_pointer),
            ("bpf_list_push_front_impl", word, to_head, to_node, any_pointer, wide),
            ("bpf_list_pop_front", to_node, to_head), ("bpf_rcu_read_lock", 0),
            ("bpf_rcu_read_unlock", 0), ("bpf_task_acquire", to_task, to_task),
            ("bpf_task_release", 0, to_task), ("bpf_cast_to_kern_ctx", any_pointer, any_pointer)):
        ids[name] = types.func(name, types.proto(ret, *((f"a{i}", p) for i, p in enumerate(params))))
    proto = types.proto(0, ("data", any_pointer), ("task", to_task), ("n", word))
    ids["trace"] = types.typedef("btf_trace_test", types.pointer(proto))
    return types.bytes(), ids


def own_types():
    """A program's: functions, an object with a node, a value with a lock, a list and a pointer."""
    types = Types()
    word, wide = types.number("int", 4, True), types.number("unsigned long", 8)
    node = types.struct("bpf_list_node", 24, ("opaque", types.array(wide, 3), 0))
    head = types.struct("bpf_list_head", 16, ("opaque", types.array(wide, 2), 0))
    lock = types.struct("bpf_spin_lock", 4, ("val", word, 0))
    ids = {"object": types.struct("object", 32, ("node", node, 0), ("n", wide, 24))}
    ids["value"] = types.struct("value", 32, ("n", wide, 0), ("lock", lock, 8), ("list", head, 16))
    types.tag("contains:object:node", ids["value"], 2)
    ctx = types.pointer(types.struct("__sk_buff", 192, ("len", word, 0)))
    ids["main"] = types.func("main", types.proto(word, ("ctx", ctx)))
    pair = types.pointer(types.struct("pair", 16, ("a", wide, 0), ("b", wide, 8)))
    proto = types.proto(word, ("pair", pair), ("n", word))
    ids["static"] = types.func("local", proto, 0)
    ids["global"] = types.func("anywhere", proto, 1)
    types.tag("arg:nonnull", ids["global"], 0)
    return types.bytes(), ids


def typed(kind, code, funcs=(), lines=(), attach=0, target=0, value=0, value_bytes=8, how=2):
    kernel, own = kernel_types()[0], own_types()[0]
    return (struct.pack("<8BHH", kind, attach, how, value, value_bytes, len(funcs), len(lines), target,
                        len(kernel), len(own)) + kernel + own +
            b"".join(struct.pack("<II", *func) for func in funcs) +
            b"".join(struct.pack("<IIII", *line) for line in lines) + code)


def typed_programs():
    kernel, own = kernel_types()[1], own_types()[1]
    give, main = mov(0, 0) + EXIT, (0, own["main"])

    def ask(name):
        return insn(0x85, src=2, imm=kernel[name])

    yield "lines", typed(3, give, (main,), ((0, 1, 5, 1 << 10 | 2), (1, 1, 5, 2 << 10)))
    follow = (load_from(8, 6, 1) + load_from(8, 7, 6, 16) + skip_if(0x15, 7, 0, 1) + load_from(4, 8, 7) +
              give)
    yield "entry", typed(26, follow, (main,), attach=24, target=kernel["bpf_fentry_test1"])
    yield "tracepoint", typed(26, follow, (main,), attach=23, target=kernel["trace"])
    numbers = (reg(1, 10) + add(1, -8) + mov(2, 0) + mov(3, 5) + ask("bpf_iter_num_new") + reg(1, 10) +
               add(1, -8) + ask("bpf_iter_num_next") + skip_if(0x15, 0, 0, 1) + insn(0x05, off=-5) +
               reg(1, 10) + add(1, -8) + ask("bpf_iter_num_destroy") + give)
    yield "numbers", typed(3, numbers, (main,))
    new = (mov(1, own["object"]) + mov(2, 0) + ask("bpf_obj_new_impl") + skip_if(0x15, 0, 0, 4) +
           put(8, 0, 7, 24) + reg(1, 0) + mov(2, 0) + ask("bpf_obj_drop_impl") + give)
    yield "object", typed(3, new, (main,))
    push = (put(4, 10, 0, -4) + reg(2, 10) + add(2, -4) + map_fd(1, 0) + helper(1) +
            skip_if(0x15, 0, 0, 21) + reg(7, 0) + mov(1, own["object"]) + mov(2, 0) +
            ask("bpf_obj_new_impl") + skip_if(0x15, 0, 0, 16) + reg(6, 0) + reg(1, 7) + add(1, 8) +
            helper(93) + reg(1, 7) + add(1, 16) + reg(2, 6) + mov(3, 0) + mov(4, 0) +
            ask("bpf_list_push_front_impl") + reg(1, 7) + add(1, 8) + helper(94) + give)
    yield "list", typed(3, push, (main,), value=own["value"], value_bytes=32)
    calls = (put(8, 10, 1, -8) + put(8, 10, 2, -16) + reg(1, 10) + add(1, -16) + mov(2, 3) +
             insn(0x85, src=1, imm=1) + EXIT + load_from(8, 0, 1) + insn(0x0f, 0, 2) + EXIT)
    yield "local", typed(3, calls, (main, (7, own["static"])))
    yield "global", typed(3, calls, (main, (7, own["global"])))
    yield "rcu", typed(26, ask("bpf_rcu_read_lock") + ask("bpf_rcu_read_unlock") + give, (main,), attach=24,
                       target=kernel["bpf_fentry_test1"])
    hold = (load_from(8, 1, 1) + ask("bpf_task_acquire") + skip_if(0x15, 0, 0, 2) + reg(1, 0) +
            ask("bpf_task_release") + give)
    yield "task", typed(26, hold, (main,), attach=23, target=kernel["trace"])
    yield "cast", typed(3, ask("bpf_cast_to_kern_ctx") + give, (main,))


def record(kind, who, body=b"", time=1):
    """What fuzz/unwind_records.c reads: process who % 32, and as a parent who // 8."""
    return bytes([kind | time << 2, len(body), who]) + body


def mapping(who, start, size, path, inode=1, off=0):
    return record(0, who, struct.pack("<8xQQQIIQQII", start, size, off, 8, 1, inode, 0, 5, 2) + path + b"\0")


def histories():
    """Processes as the kernel tells of them."""
    forked, ended = bytes(16), struct.pack("<8xI4x", 0x70000000 + 1)
    start = record(3, 1, bytes(8)) + mapping(1, 0x1000, 0x9000, b"/bin/a") + mapping(1, 0x20000, 0x1000, b"[vdso]", 0)
    yield "life", start + record(1, 8, forked) + record(1, 9, forked) + record(2, 1, ended)
    yield "overlap", (start + mapping(1, 0x3000, 0x1000, b"//anon", 0) + mapping(1, 0x4000, 0x2000, b"", 0) +
                      mapping(1, 0x2000, 0x5000, b"/lib/b", 2, 4096) + mapping(1, 0, 1 << 40, b"[uprobes]", 0))
    yield "many", b"".join(record(3, pid, bytes(8)) + mapping(pid, 4096 * n, 4096, b"/lib/%d" % n, n)
                           for pid in range(20) for n in range(2, 12, 2))
    yield "older", start + record(3, 1, bytes(8), time=0) + record(2, 1, ended, time=0)


def block(strings, frames, nodes, losses, columns):
    """What src/archive/segment.h says is in a block, of one type and one module."""
    out = bytearray()

    def number(n):
        while n > 127:
            out.append(n & 127 | 128)
            n >>= 7
        out.append(n)

    def signed(*values):
        for n in values:
            number((n << 1 ^ n >> 63) & (1 << 64) - 1)

    number(len(strings))
    for text in strings:
        number(len(text))
        out.extend(text)
    number(len(frames))
    for *steps, kind in frames:
        signed(*steps)
        number(kind)
    number(len(nodes))
    for up, frame in nodes:
        number(up)
        signed(frame)
    for n in (1, 2, 3, 1, 4, 5):  # a module and its build; a type and its unit
        number(n)
    signed(10101010)
    for n in (4, 5, 1, len(losses), *(n for loss in losses for n in loss)):
        number(n)
    number(len(columns[0]))
    for column in columns:
        signed(*column)
    return struct.pack("<H", len(out)) + bytes(out)


def segments():
    """Blocks as the profiler writes them, the second by numbers of the first."""
    first = block([b"main", b"/bin/a", b"abcdef", b"cpu", b"nanoseconds", b"nginx", b"/system.slice", b"full"],
                  [(1, 2, 0, 0, 4096, 0), (0, 0, 1, 7, 16, 2), (5, 0, -1, -7, 0, 1)],
                  [(1, 1), (1, 1), (2, 1)], [(8, 3)],
                  [(2, 1), (12, 0), (12, 1), (6, 0), (7, 0), (10101010, 20202020)])
    second = block([b"read"], [(9, 2, 0, 0, 1, 0)], [(3, 4)], [],
                   [(4, -3, 1), (12, 1, 0), (0, 0, 0), (6, 0, -6), (0, 7, 0), (1, 2, 3)])
    yield "two", first + second
    yield "twice", first + second + block([b"read"], [], [], [], [(), (), (), (), (), ()])


def write(folder, each):
    (SEEDS / folder).mkdir(parents=True, exist_ok=True)
    for name, data in each:
        (SEEDS / folder / name).write_bytes(data)


def main():
    write("machine_bpf", ((name, bytes([name in UNVERIFIED]) + data) for name, data in seeds()))
    write("verify_program", programs())
    write("verify_btf", typed_programs())
    write("unwind_records", histories())
    write("archive_segment", segments())


if __name__ == "__main__":
    main()
