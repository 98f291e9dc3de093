"""tcptracer: a connection is made, accepted and closed by both sides."""

import os

import tcp
from toolbox import Tool


def life(version=4):
    client, accepted, port, own = tcp.pair(version)
    client.close()
    accepted.close()
    return port, own


def test_four_events():
    with Tool("tcptracer", "-p", os.getpid()) as tool:
        port, own = life()
    assert [(row["t"], row["sport"], row["dport"]) for row in tool.rows] == [
        ("C", own, port), ("A", port, own), ("X", own, port), ("X", port, own)]
    assert {row["pid"] for row in tool.rows} == {os.getpid()}


def test_namespaces():
    with tcp.namespace() as name:
        number = os.stat(f"/run/netns/{name}").st_ino
        with Tool("tcptracer", "-v", "-N", number) as tool:
            life()
            tcp.python_in(name, "client, accepted, _, _ = tcp.pair(6); client.close()")
    assert {(row["netns"], row["ip"]) for row in tool.rows} == {(number, 6)}
    assert [row["t"] for row in tool.rows][:3] == ["C", "A", "X"]


def test_text():
    with Tool("tcptracer", "-p", os.getpid(), json=False) as tool:
        life()
    assert tool.text.split("\n")[0].split() == [
        "T", "PID", "COMM", "IP", "SADDR", "DADDR", "SPORT", "DPORT"]
