"""tcpdrop: a packet to a port where nobody listens, and why it was dropped."""

import socket

import tcp
from toolbox import Tool


def refuse(version):
    port = tcp.closed_port(version)
    socket.socket(tcp.FAMILY[version]).connect_ex((tcp.LOCAL[version], port))
    return port


def test_nobody_listens():
    with Tool("tcpdrop") as tool:
        ports = [refuse(version) for version in (4, 6)]
    for version, port in zip((4, 6), ports):
        rows = [row for row in tool.rows if row["dport"] == port]
        assert [(row["ip"], row["daddr"], row["flags"], row["reason"]) for row in rows] == [
            (version, tcp.LOCAL[version], "SYN", "SKB_DROP_REASON_NO_SOCKET")]


def test_one_version_with_stacks():
    with Tool("tcpdrop", "-6", "-s", json=False) as tool:
        four, six = [refuse(version) for version in (4, 6)]
    assert tool.text.split("\n")[0].split() == [
        "TIME", "PID", "IP", "SADDR", "SPORT", "DADDR", "DPORT", "STATE", "FLAGS", "REASON"]
    assert f" {six} " in tool.text and f" {four} " not in tool.text
    assert "tcp_v6_rcv" in tool.text


def test_data_for_a_closed_socket():
    """What comes behind a reset has no socket; its flags are those of data."""
    with Tool("tcpdrop", "-4") as tool:
        client, accepted, port, own = tcp.pair()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        accepted.close()
        client.close()
    assert not [row for row in tool.rows if row["dport"] == own and row["flags"] == "SYN"]
