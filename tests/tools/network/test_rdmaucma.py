"""rdmaucma: addresses and routes that are looked up over an RDMA device in software, by the system
calls themselves (<rdma/rdma_user_cm.h>); where the kernel has such devices."""

import ctypes
import os
import socket
import struct
import subprocess

import pytest

from toolbox import Tool, needs

ADDRESS, PORT = "10.9.0.1", 7471
NETDEV, RDMADEV = "skeprdma", "skeprxe"
CREATE_ID, RESOLVE_IP, RESOLVE_ROUTE, GET_EVENT = 0, 3, 4, 12
PS_TCP, QP_RC = 0x0106, 2


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, check=False).returncode == 0


@pytest.fixture(name="device")
def software_device():
    for module in ("rdma_ucm", "rdma_rxe"):
        if not run("modprobe", "-q", module):
            pytest.skip(f"needs the module {module}")
    needs("tracepoint:rdma_cma:cm_event_handler")
    try:
        assert run("ip", "link", "add", NETDEV, "type", "veth", "peer", "name", NETDEV + "p")
        assert run("ip", "addr", "add", f"{ADDRESS}/24", "dev", NETDEV)
        assert run("ip", "link", "set", NETDEV, "up")
        assert run("ip", "link", "set", NETDEV + "p", "up")
        assert run("rdma", "link", "add", RDMADEV, "type", "rxe", "netdev", NETDEV)
        yield os.open("/dev/infiniband/rdma_cm", os.O_RDWR)
    finally:
        run("rdma", "link", "delete", RDMADEV)
        run("ip", "link", "delete", NETDEV)


def command(fd, number, body, out_bytes=0):
    os.write(fd, struct.pack("IHH", number, len(body), out_bytes) + body)


def create(fd):
    response = ctypes.create_string_buffer(8)
    command(fd, CREATE_ID, struct.pack("QQHB5x", 1, ctypes.addressof(response), PS_TCP, QP_RC), 4)
    return struct.unpack_from("I", response)[0]


def take_event(fd):
    """Its number, and its status."""
    response = ctypes.create_string_buffer(512)
    command(fd, GET_EVENT, struct.pack("Q", ctypes.addressof(response)), len(response))
    return struct.unpack_from("QIIi", response)[2:]


def sockaddr(address, port):
    """In the room of a sockaddr_in6; the family is this machine's, the rest the network's."""
    return (struct.pack("H", socket.AF_INET) + struct.pack("!H", port) +
            socket.inet_aton(address)).ljust(28, b"\0")


def test_address_and_route(device):
    with Tool("rdmaucma", "-D") as tool:
        cm_id = create(device)
        command(device, RESOLVE_IP,
                bytes(28) + sockaddr(ADDRESS, PORT) + struct.pack("II", cm_id, 2000))
        assert take_event(device) == (0, 0)
        command(device, RESOLVE_ROUTE, struct.pack("II", cm_id, 2000))
        assert take_event(device) == (2, 0)
    os.close(device)
    told = [(row["what"], row["event"], row["status"]) for row in tool.rows
            if row["raddr"] == ADDRESS and row["rport"] == PORT]
    assert told == [("event", "ADDR_RESOLVED", 0), ("answer", "ADDR_RESOLVED", 0),
                    ("event", "ROUTE_RESOLVED", 0), ("answer", "ROUTE_RESOLVED", 0)]
    assert {row["laddr"] for row in tool.rows} == {ADDRESS}
