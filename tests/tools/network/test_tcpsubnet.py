"""tcpsubnet: what was sent, by the first network that the address is in."""

import os

import tcp
from toolbox import Tool


def send(version, n):
    client, accepted, _, _ = tcp.pair(version)
    client.sendall(b"x" * n)
    tcp.receive(accepted, n)


def total(tool, column):
    sums = {}
    for row in tool.rows:
        sums[row["network"]] = sums.get(row["network"], 0) + row[column]
    return sums


def test_networks_of_both_versions():
    networks = "127.1.0.0/16,127.0.0.0/8,0.0.0.0/0,::/0"
    with Tool("tcpsubnet", "-p", os.getpid(), "--for", "3s", networks, ends=True) as tool:
        send(4, 1000)
        send(6, 500)
    assert total(tool, "bytes") == {"127.0.0.0/8": 1000, "::/0": 500}


def test_what_is_in_none_does_not_count():
    with Tool("tcpsubnet", "-f", "k", "-p", os.getpid(), "--for", "3s", ends=True) as tool:
        send(4, 1000)
        send(6, 500)
    assert total(tool, "kbits") == {"127.0.0.1/32": 8.0}


def test_text():
    with Tool("tcpsubnet", "-f", "K", "-p", os.getpid(), "--for", "3s", json=False,
              ends=True) as tool:
        send(4, 1024)
    assert "NETWORK" in tool.text and "127.0.0.1/32                      1.000" in tool.text
