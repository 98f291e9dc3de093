"""Writes the captures that tests/scripts/prog.test runs: capture.py FILE KIND

KIND: plain (frames of 60, 100, 200 and 60 bytes, the last cut by the capture), ng (the same as
pcapng), raw (link type raw IP), cut (plain without its last byte), absurd (a frame of 2 GB), tiny
(one frame of 8 bytes), empty (no frame).
"""

import struct
import sys

FRAMES = [60, 100, 200, 60]


def frame(n):
    return bytes(range(12)) + b"\x08\x00" + bytes(n - 14)


def pcap(frames, link=1):
    out = struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, link)
    for i, (data, wire) in enumerate(frames):
        out += struct.pack("<IIII", 1000 + i, 0, len(data), wire) + data
    return out


def block(kind, body):
    body += bytes(-len(body) % 4)
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length


def pcapng(frames):
    out = block(0x0a0d0d0a, struct.pack("<IHHq", 0x1a2b3c4d, 1, 0, -1))
    out += block(1, struct.pack("<HHI", 1, 0, 0))
    for data, wire in frames:
        out += block(6, struct.pack("<IIIII", 0, 0, 0, len(data), wire) + data)
    return out


def main():
    path, kind = sys.argv[1:]
    frames = [(frame(n), n) for n in FRAMES[:-1]] + [(frame(FRAMES[-1]), 1500)]
    made = {
        "plain": lambda: pcap(frames),
        "ng": lambda: pcapng(frames),
        "raw": lambda: pcap(frames, 101),
        "cut": lambda: pcap(frames)[:-1],
        "absurd": lambda: pcap([]) + struct.pack("<IIII", 0, 0, 0x7fffffff, 60),
        "tiny": lambda: pcap([(b"12345678", 8)]),
        "empty": lambda: pcap([]),
    }[kind]()
    with open(path, "wb") as file:
        file.write(made)


if __name__ == "__main__":
    main()
