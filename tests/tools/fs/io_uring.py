"""One request of io_uring after the other, by the bare system calls; their numbers are the same on
every architecture. Offsets are those of struct io_uring_params, io_uring_sqe and io_uring_cqe."""

import ctypes
import mmap
import struct

SETUP, ENTER = 425, 426
READ, WRITE, FSYNC = 22, 23, 3
GETEVENTS = 1
SQ_RING, SQES = 0, 0x10000000
LIBC = ctypes.CDLL(None, use_errno=True)


class Ring:
    """@works is False where the kernel has no io_uring for us."""

    def __init__(self):
        params = ctypes.create_string_buffer(120)
        self.fd = LIBC.syscall(SETUP, 4, params)
        self.works = self.fd >= 0
        if self.works:
            # sq_off begins at 40: head, tail, ring_mask, ring_entries, flags, dropped, array
            _, self.tail, _, _, _, _, self.array = struct.unpack_from("7I", params, 40)
            # cq_off at 80: head, tail, ring_mask, ring_entries, overflow, cqes
            self.cq_head, _, self.cq_mask, _, _, self.cqes = struct.unpack_from("6I", params, 80)
            self.ring = mmap.mmap(self.fd, 4096, offset=SQ_RING)
            self.requests = mmap.mmap(self.fd, 4096, offset=SQES)

    def number(self, at):
        return struct.unpack_from("I", self.ring, at)[0]

    def run(self, opcode, fd, buffer, size, offset):
        """What the request came to: bytes, or an error below 0."""
        tail, head = self.number(self.tail), self.number(self.cq_head)
        slot = tail % 4
        address = ctypes.addressof(buffer) if buffer else 0
        self.requests[slot * 64:slot * 64 + 64] = struct.pack(
            "BBHiQQI36x", opcode, 0, 0, fd, offset, address, size)
        struct.pack_into("I", self.ring, self.array + slot * 4, slot)
        struct.pack_into("I", self.ring, self.tail, tail + 1)
        assert LIBC.syscall(ENTER, self.fd, 1, 1, GETEVENTS, None, 0) == 1
        at = self.cqes + (head & self.number(self.cq_mask)) * 16
        result = struct.unpack_from("i", self.ring, at + 8)[0]
        struct.pack_into("I", self.ring, self.cq_head, head + 1)
        return result
