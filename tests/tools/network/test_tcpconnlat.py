"""tcpconnlat: the time to the answer, over a link of known delay; failures only if asked for."""

import os
import socket

import tcp
from toolbox import Tool


def test_a_slow_link():
    with tcp.namespace() as name, Tool("tcpconnlat", "-P", 1024, "40") as tool:
        tcp.python_in(name, """
            link = tcp.Link(0.025)
            server = tcp.listener(address=link.HERE)
            server = socket.socket(); server.bind((link.HERE, 1024)); server.listen(5)
            link.connect(server)
            socket.create_connection((link.HERE, 1024))  # by loopback: at once
        """)
    assert [(row["saddr"], row["daddr"]) for row in tool.rows] == [("10.9.0.1", "10.9.0.2")]
    assert 50 <= tool.rows[0]["lat_ms"] < 1000


def test_what_failed():
    port = tcp.closed_port()
    with Tool("tcpconnlat", "-x", "-L", "-p", os.getpid()) as tool, \
            Tool("tcpconnlat", "-p", os.getpid()) as good:
        socket.socket().connect_ex(("127.0.0.1", port))
        _, _, server, client = tcp.pair(6)
    assert [(row["dport"], row["result"]) for row in tool.rows] == [
        (port, "Connection refused"), (server, "Success")]
    assert tool.rows[1]["lport"] == client
    assert [row["dport"] for row in good.rows] == [server]


def test_text():
    with Tool("tcpconnlat", "-p", os.getpid(), json=False) as tool:
        tcp.pair()
    heading = tool.text.splitlines()[0]
    assert heading.split() == ["PID", "COMM", "IP", "SADDR", "DADDR", "DPORT", "LAT(ms)"]
