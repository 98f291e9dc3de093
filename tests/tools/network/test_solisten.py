"""solisten: sockets that listen, with the backlog that was asked for."""

import errno
import os
import socket

import tcp
from toolbox import Tool


def test_families_and_failures(tmp_path):
    with Tool("solisten", "-p", os.getpid()) as tool:
        ports = [tcp.listener(version, backlog=7).getsockname()[1] for version in (4, 6)]
        unix = socket.socket(socket.AF_UNIX)
        unix.bind(str(tmp_path / "socket"))
        unix.listen(9)
        try:
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM).listen(1)
        except OSError as failure:
            assert failure.errno == errno.EOPNOTSUPP
    assert [(row["family"], row["ret"], row["backlog"], row["port"], row["addr"])
            for row in tool.rows] == [
        ("INET", 0, 7, ports[0], "127.0.0.1"), ("INET6", 0, 7, ports[1], "::1"),
        ("UNIX", 0, 9, 0, "-"), ("INET", -errno.EOPNOTSUPP, 1, 0, "0.0.0.0")]


def test_namespaces():
    with tcp.namespace() as name:
        number = os.stat(f"/run/netns/{name}").st_ino
        with Tool("solisten", "-s", "-N", number) as tool:
            tcp.listener()
            port = int(tcp.python_in(name, "print(tcp.listener().getsockname()[1])"))
    assert [(row["netns"], row["port"], row["proto"]) for row in tool.rows] == [
        (number, port, "TCP")]


def test_text():
    with Tool("solisten", "-p", os.getpid(), json=False) as tool:
        tcp.listener()
    assert tool.text.split("\n")[0].split() == [
        "PID", "COMM", "RET", "BACKLOG", "FAMILY", "PROTO", "PORT", "ADDR"]
