"""bindsnoop: each bind() with its options, and those that fail with what they asked for."""

import errno
import os
import socket

import tcp
from toolbox import Tool

IP_TRANSPARENT, IP_FREEBIND, IP_BIND_ADDRESS_NO_PORT = 19, 15, 24


def bind_with_options():
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    for option in (IP_FREEBIND, IP_BIND_ADDRESS_NO_PORT):
        sock.setsockopt(socket.SOL_IP, option, 1)
    sock.bind(("::1", 0))
    return sock.getsockname()[1]


def test_options_and_addresses():
    with Tool("bindsnoop", "-p", os.getpid()) as tool:
        first = tcp.listener().getsockname()[1]
        second = bind_with_options()
    keys = ("proto", "fb", "tp", "np", "ra", "rp", "port", "addr", "ret")
    assert [tuple(row[key] for key in keys) for row in tool.rows] == [
        ("TCP", 0, 0, 0, 0, 0, first, "127.0.0.1", 0),
        ("UDP", 1, 0, 1, 0, 1, second, "::1", 0)]


def test_failures_and_ports():
    busy = tcp.listener()
    port = busy.getsockname()[1]
    with Tool("bindsnoop", "-x", "-P", port) as tool, Tool("bindsnoop", "-P", port) as good:
        tcp.listener()
        for version in (4, 6):
            try:
                socket.socket(tcp.FAMILY[version]).bind((tcp.LOCAL[version], port))
            except OSError as failure:
                assert failure.errno == errno.EADDRINUSE
    assert [(row["ret"], row["addr"]) for row in tool.rows] == [
        (-errno.EADDRINUSE, "127.0.0.1"), (0, "::1")]
    assert [row["addr"] for row in good.rows] == ["::1"]


def test_counts():
    port = tcp.closed_port()
    with Tool("bindsnoop", "--count", "-P", port) as tool:
        for _ in range(3):
            with socket.socket() as sock:
                sock.bind(("127.0.0.1", port))
    assert tool.rows == [{"addr": "127.0.0.1", "port": port, "binds": 3}]


def test_text():
    with Tool("bindsnoop", "-U", "-p", os.getpid(), json=False) as tool:
        tcp.listener()
    assert tool.text.split("\n")[0].split() == [
        "UID", "PID", "COMM", "RET", "PROTO", "FB", "TP", "NP", "RA", "RP", "IF", "PORT", "ADDR"]
