"""tcppktlat: data waits for a process that sleeps."""

import os
import time

import tcp
from toolbox import Tool


def late(client, accepted):
    client.send(b"x")
    time.sleep(0.05)
    tcp.receive(accepted, 1)


def test_fifty_milliseconds():
    client, accepted, port, own = tcp.pair()
    with Tool("tcppktlat", "-p", os.getpid(), 40000) as tool:
        late(client, accepted)
        accepted.send(b"x")
        tcp.receive(client, 1)  # in time
    assert [(row["lport"], row["rport"], row["pid"]) for row in tool.rows] == [
        (port, own, os.getpid())]
    assert 50 <= tool.rows[0]["ms"] < 1000


def test_ports():
    pairs = [tcp.pair() for _ in range(2)]
    with Tool("tcppktlat", "-l", pairs[1][2], json=False) as tool:
        for client, accepted, _, _ in pairs:
            late(client, accepted)
    heading, *lines = tool.text.splitlines()
    assert heading.split() == [
        "PID", "TID", "COMM", "LADDR", "LPORT", "RADDR", "RPORT", "MS"]
    assert [line.split()[4] for line in lines] == [str(pairs[1][2])]
