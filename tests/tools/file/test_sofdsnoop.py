"""sofdsnoop: descriptors that go through a socket, at both ends."""

import os
import socket

from toolbox import Tool


def hand_over(path, message=b"x"):
    """Returns the descriptors: of the sockets, those that were sent, those that came."""
    path.write_text("x")
    here, there = socket.socketpair()
    with path.open(encoding="utf-8") as file, here, there:
        read, write = os.pipe()
        sent = [file.fileno(), read]
        socket.send_fds(here, [message], sent)
        _, received, _, _ = socket.recv_fds(there, 10, 5)
        found = (here.fileno(), there.fileno(), sent, received)
        for fd in (read, write, *received):
            os.close(fd)
    return found


def test_sent_and_received(tmp_path):
    with Tool("sofdsnoop", "-T", "-p", os.getpid()) as tool:
        here, there, sent, received = hand_over(tmp_path / "handed")
    rows = [(row["action"], row["socket"], row["fd"], row["type"]) for row in tool.rows]
    kind = tool.rows[0]["type"]
    assert rows == [("SEND", here, sent[0], kind), ("SEND", here, sent[1], "pipefs"),
                    ("RECV", there, received[0], kind), ("RECV", there, received[1], "pipefs")]
    assert [row["name"] for row in tool.rows] == ["handed", "", "handed", ""]


def test_messages_without_descriptors():
    here, there = socket.socketpair()
    with Tool("sofdsnoop", "-p", os.getpid()) as tool:
        with here, there:
            here.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS,
                                   b"".join(n.to_bytes(4, "little")
                                            for n in (os.getpid(), os.getuid(), os.getgid())))])
            there.recvmsg(10, 100)
    assert not tool.rows


def test_text(tmp_path):
    with Tool("sofdsnoop", "-d", 2, "-p", os.getpid(), json=False, ends=True) as tool:
        hand_over(tmp_path / "handed")
    assert tool.text.splitlines()[0].split() == [
        "ACTION", "TID", "COMM", "SOCKET", "FD", "TYPE", "NAME"]
    assert tool.text.count("handed") == 2
