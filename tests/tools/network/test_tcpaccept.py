"""tcpaccept: each accepted connection once, with both ends."""

import os

import tcp
from toolbox import Tool


def test_both_versions():
    with Tool("tcpaccept", "-p", os.getpid()) as tool:
        pairs = [tcp.pair(version) for version in (4, 6)]
    assert [(row["ip"], row["raddr"], row["rport"], row["laddr"], row["lport"])
            for row in tool.rows] == [
        (version, tcp.LOCAL[version], client, tcp.LOCAL[version], server)
        for version, (_, _, server, client) in zip((4, 6), pairs)]
    assert {row["pid"] for row in tool.rows} == {os.getpid()}


def test_only_one_port():
    servers = [tcp.listener() for _ in range(2)]
    port = servers[1].getsockname()[1]
    with Tool("tcpaccept", "-T", "-P", port) as tool:
        for server in servers:
            tcp.pair(4, server)
    assert [row["lport"] for row in tool.rows] == [port]
    assert len(tool.rows[0]["time"]) == 8


def test_text():
    with Tool("tcpaccept", "-p", os.getpid(), json=False) as tool:
        tcp.pair()
    heading, line = tool.text.splitlines()
    assert heading.split() == ["PID", "COMM", "IP", "RADDR", "RPORT", "LADDR", "LPORT"]
    assert line.split()[0] == str(os.getpid())
