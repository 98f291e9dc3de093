"""tcptop: bytes by process and connection, to the byte."""

import os
import re

import tcp
from toolbox import Tool


def traffic():
    client, accepted, port, own = tcp.pair()
    client.sendall(b"x" * 65536)
    tcp.receive(accepted, 65536)
    accepted.sendall(b"x" * 2048)
    client.recv(4096, tcp.socket.MSG_PEEK)  # looked at, not taken
    tcp.receive(client, 2048)
    return port, own


def test_bytes():
    with Tool("tcptop", "-C", "-p", os.getpid(), 1, 3, ends=True) as tool:
        port, own = traffic()
    sums = {}
    for row in tool.rows:
        key = row["lport"], row["rport"]
        sent, got = sums.get(key, (0, 0))
        sums[key] = sent + row["tx_kb"], got + row["rx_kb"]
    assert sums == {(own, port): (64.0, 2.0), (port, own): (2.0, 64.0)}
    assert {row["pid"] for row in tool.rows} == {os.getpid()}


def test_text_sorted_by_what_is_sent():
    with Tool("tcptop", "-s", "tx_kb", "-p", os.getpid(), 2, 1, json=False, ends=True) as tool:
        _, own = traffic()
    lines = [line for line in tool.text.splitlines() if line]
    assert re.fullmatch(r"\d\d:\d\d:\d\d received 66 KiB, sent 66 KiB", lines[0])
    assert lines[1].split() == ["PID", "COMM", "LADDR", "LPORT", "RADDR", "RPORT", "RX_KB", "TX_KB"]
    assert [line.split()[-1] for line in lines[2:]] == ["64.0", "2.0"]
    assert lines[2].split()[-5] == str(own)
