"""tcpconnect: each connect() once, with its addresses, also where nobody answers."""

import os
import socket
import subprocess
import sys

import tcp
from toolbox import Tool


def mine(tool, *ports):
    return [row for row in tool.rows if row["dport"] in ports]


def test_both_versions_and_one_that_is_refused():
    refused = tcp.closed_port()
    with Tool("tcpconnect", "-L", "-p", os.getpid()) as tool:
        pairs = [tcp.pair(version) for version in (4, 6)]
        assert socket.socket().connect_ex(("127.0.0.1", refused)) != 0
    rows = mine(tool, pairs[0][2], pairs[1][2], refused)
    assert [row["ip"] for row in rows] == [4, 6, 4]
    assert [row["dport"] for row in rows] == [pairs[0][2], pairs[1][2], refused]
    assert [row["lport"] for row in rows[:2]] == [pairs[0][3], pairs[1][3]]
    assert [row["daddr"] for row in rows] == ["127.0.0.1", "::1", "127.0.0.1"]
    assert [row["saddr"] for row in rows[:2]] == ["127.0.0.1", "::1"]
    assert {row["pid"] for row in rows} == {os.getpid()}


def test_ports_and_versions_are_filters():
    servers = [tcp.listener(version) for version in (4, 4, 6)]
    ports = [server.getsockname()[1] for server in servers]
    with Tool("tcpconnect", "-P", f"{ports[0]},{ports[2]}") as one, \
            Tool("tcpconnect", "-6", "-p", os.getpid()) as six:
        for version, server in zip((4, 4, 6), servers):
            tcp.pair(version, server)
    assert [row["dport"] for row in mine(one, *ports)] == [ports[0], ports[2]]
    assert [row["dport"] for row in six.rows] == [ports[2]]


def test_counts():
    server = tcp.listener()
    port = server.getsockname()[1]
    with Tool("tcpconnect", "-c", "-P", port) as tool:
        for _ in range(3):
            tcp.pair(4, server)
    assert tool.rows == [{"laddr": "127.0.0.1", "raddr": "127.0.0.1", "rport": port,
                          "connects": 3}]


def test_the_name_that_was_looked_up():
    port = tcp.closed_port()
    script = f"import socket; socket.socket().connect_ex(('localhost', {port}))"
    with Tool("tcpconnect", "-d", "-P", port) as tool:
        subprocess.run([sys.executable, "-c", script], check=True)
    assert [row["query"] for row in tool.rows] == ["localhost"]


def test_text():
    with Tool("tcpconnect", "-U", "-p", os.getpid(), json=False) as tool:
        port = tcp.pair()[2]
    lines = tool.text.splitlines()
    assert lines[0].split() == ["UID", "PID", "COMM", "IP", "SADDR", "DADDR", "DPORT"]
    assert [line.split()[-1] for line in lines[1:]] == [str(port)]
