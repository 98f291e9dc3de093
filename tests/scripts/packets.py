#!/usr/bin/env python3
"""Packets for packets.test, in a network of their own.

    packets.py alone COMMAND…  run it in a new network namespace whose lo is up
    packets.py WHAT…           send, over lo:
        udp4 udp6 tcp          five datagrams of 100 bytes to port 5353; seven of 200 to 5354;
                               a connection to port 7777 that carries one byte
        frame:HEX              an Ethernet frame as it is
        paged                  a frame of 6042 bytes, UDP to port 7, of which only the Ethernet
                               header lies in the first buffer
        pieces                 a datagram of 3000 bytes to port 9, in three fragments
"""
import ctypes
import fcntl
import os
import socket
import struct
import sys

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFMTU = 0x8913, 0x8914, 0x8922
IFF_UP = 1
SOL_PACKET, PACKET_VNET_HDR = 263, 15
ETH_P_ALL = 3


def lo_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        ask = fcntl.ioctl(sock, SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0))
        flags = struct.unpack("16sH14x", ask)[1]
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def alone(command):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        sys.exit("unshare: " + os.strerror(ctypes.get_errno()))
    lo_up()
    os.execvp(command[0], command)


def udp(family, address, port, size, count):
    with socket.socket(family, socket.SOCK_DGRAM) as to, \
            socket.socket(family, socket.SOCK_DGRAM) as sock:
        to.bind((address, port))  # nobody answers that there is no such port
        for _ in range(count):
            sock.sendto(b"x" * size, (address, port))


def tcp():
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 7777))
        listener.listen()
        with socket.create_connection(("127.0.0.1", 7777)) as there:
            here, _ = listener.accept()
            there.send(b"x")
            here.recv(1)
            here.close()


def frame(packet, header=b""):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
        sock.bind(("lo", 0))
        if header:
            sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        sock.send(header + packet)


def ipv4(payload, protocol, total=None):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, total or 20 + len(payload), 1, 0x4000, 64,
                       protocol, 0, socket.inet_aton("192.0.2.1"), socket.inet_aton("192.0.2.2"))
    return bytes(12) + b"\x08\x00" + head + payload


def paged():
    payload = struct.pack(">HHHH", 1234, 7, 6008, 0) + b"x" * 6000
    # struct virtio_net_hdr: flags, type, bytes of headers, which are the linear part, …
    frame(ipv4(payload, 17), struct.pack("BBHHHH", 0, 0, 14, 0, 0, 0))


def pieces():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCSIFMTU, struct.pack("16si12x", b"lo", 1500))
        sock.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER: may be fragmented
        sock.bind(("127.0.0.1", 9))
        sock.sendto(b"x" * 3000, ("127.0.0.1", 9))


SENDERS = {
    "udp4": lambda: udp(socket.AF_INET, "127.0.0.1", 5353, 100, 5),
    "udp6": lambda: udp(socket.AF_INET6, "::1", 5354, 200, 7),
    "tcp": tcp,
    "paged": paged,
    "pieces": pieces,
}


def main(args):
    if args[0] == "alone":
        alone(args[1:])
    for what in args:
        if what.startswith("frame:"):
            frame(bytes.fromhex(what[len("frame:"):]))
        else:
            SENDERS[what]()


main(sys.argv[1:])
