"""tcplife: whose a session was, how long it lived, how many bytes it carried, to the byte."""

import os
import time

import tcp
from toolbox import Tool


def session(version=4):
    client, accepted, port, own = tcp.pair(version)
    client.sendall(b"x" * 2048)
    tcp.receive(accepted, 2048)
    accepted.sendall(b"y" * 102400)
    tcp.receive(client, 102400)
    time.sleep(0.2)
    client.close()
    accepted.close()
    return port, own


def test_bytes_and_time():
    with Tool("tcplife", "-p", os.getpid()) as tool:
        port, own = session()
    ends = {row["lport"]: row for row in tool.rows}
    assert sorted(ends) == sorted((port, own))
    assert (ends[own]["tx_kb"], ends[own]["rx_kb"]) == (2.0, 100.0)
    assert (ends[port]["tx_kb"], ends[port]["rx_kb"]) == (100.0, 2.0)
    assert (ends[own]["rport"], ends[port]["rport"]) == (port, own)
    for row in ends.values():
        assert 200 <= row["ms"] < 5000 and row["pid"] == os.getpid()


def test_filters_of_version_and_side():
    with Tool("tcplife", "-6", "-p", os.getpid()) as six:
        session(4)
        port, own = session(6)
    assert {row["lport"] for row in six.rows} == {port, own}
    server = tcp.listener()
    port = server.getsockname()[1]
    with Tool("tcplife", "-D", port) as side:
        client, accepted, _, own = tcp.pair(4, server)
        client.close()
        accepted.close()
    assert [row["lport"] for row in side.rows] == [own]


def test_older_sessions_are_counted():
    client, accepted, port, own = tcp.pair()
    with Tool("tcplife", json=False) as tool:
        client.close()
        accepted.close()
    assert f" {port} " not in tool.text and f" {own} " not in tool.text
    assert "sessions had begun before, and are not shown" in tool.text


def test_text():
    with Tool("tcplife", "-p", os.getpid(), json=False) as tool:
        session()
    assert tool.text.split("\n")[0].split() == [
        "PID", "COMM", "LADDR", "LPORT", "RADDR", "RPORT", "TX_KB", "RX_KB", "MS"]
