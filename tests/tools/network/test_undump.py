"""undump: what is received from a UNIX socket, byte for byte."""

import os
import socket

import tcp
from toolbox import Tool


def talk():
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        left, right = socket.socketpair(socket.AF_UNIX, kind)
        left.send(b"hello\x00\n\xff")
        assert right.recv(100) == b"hello\x00\n\xff"


def test_messages():
    with Tool("undump", "-p", os.getpid()) as tool:
        talk()
        client, accepted, _, _ = tcp.pair()  # not of UNIX
        client.send(b"other")
        tcp.receive(accepted, 5)
    assert [(row["size"], row["data"]) for row in tool.rows] == [(8, "hello\\x00\\x0a\\xff")] * 2
    assert {row["pid"] for row in tool.rows} == {os.getpid()}


def test_length_and_hexadecimal():
    with Tool("undump", "-x", "-l", 3, "-p", os.getpid()) as tool:
        talk()
    assert [row["data"] for row in tool.rows] == ["\\x68\\x65\\x6c"] * 2


def test_text():
    with Tool("undump", "-p", os.getpid(), json=False) as tool:
        talk()
    heading, *lines = tool.text.splitlines()
    assert heading.split() == ["COMM", "PID", "SIZE", "DATA"]
    assert [line.split()[-1] for line in lines] == ["hello\\x00\\x0a\\xff"] * 2
