"""mptcpify: the protocol that sockets have in the end, by the kernel."""

import json
import subprocess
import sys

import pytest

from toolbox import Tool, needs

TCP, UDP, MPTCP = 6, 17, 262
# What a program of that name gets for each of four calls of socket().
PROGRAM = """
import json, socket, sys
open("/proc/self/comm", "w").write(sys.argv[1])
def protocol(*args):
    with socket.socket(*args) as sock:
        return sock.getsockopt(socket.SOL_SOCKET, 38)
print(json.dumps([protocol(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK),
                  protocol(socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP),
                  protocol(socket.AF_INET, socket.SOCK_DGRAM),
                  protocol(socket.AF_UNIX, socket.SOCK_STREAM)]))
"""
AS_ASKED = [TCP, TCP, UDP, 0]
CHANGED = [MPTCP, MPTCP, UDP, 0]


@pytest.fixture(autouse=True)
def needed():
    needs("fmod_ret:update_socket_protocol")


def protocols(name):
    done = subprocess.run([sys.executable, "-c", PROGRAM, name], check=True, capture_output=True,
                          timeout=300)
    return json.loads(done.stdout)


def test_only_those_programs():
    with Tool("mptcpify", "--unsafe", "-t", "bees,wasps") as tool:
        found = [protocols(name) for name in ("bees", "wasps", "bee")]
    assert found == [CHANGED, CHANGED, AS_ASKED]
    assert [(row["comm"], row["family"]) for row in tool.rows] == [
        ("bees", "inet"), ("bees", "inet6"), ("wasps", "inet"), ("wasps", "inet6")]
    assert tool.maps["@sockets"] == {"bees": 2, "wasps": 2}
    assert protocols("bees") == AS_ASKED  # when it is over


def test_by_process_and_quiet():
    with Tool("mptcpify", "--unsafe", "-q", "-n", "bees", json=False) as tool:
        found = [protocols(name) for name in ("bees", "wasps")]
    assert found == [CHANGED, AS_ASKED]
    assert tool.text.split() == ["@sockets[bees]:", "2"]


def test_without_leave_nothing_is_done():
    with Tool("mptcpify", "-n", "bees", ends=True, status=2) as tool:
        pass
    assert "mptcpify is unsafe: " in tool.errors and "--unsafe" in tool.errors
    assert protocols("bees") == AS_ASKED
