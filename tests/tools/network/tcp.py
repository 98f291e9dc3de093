"""Workloads of the network tools: connections with known ends, and namespaces whose network is as
bad as a test wants it."""

import contextlib
import fcntl
import os
import socket
import struct
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

LOCAL = {4: "127.0.0.1", 6: "::1"}
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}


def listener(version=4, backlog=5, address=None):
    server = socket.socket(FAMILY[version])
    server.settimeout(10)
    server.bind((address or LOCAL[version], 0))
    server.listen(backlog)
    return server


def pair(version=4, server=None):
    """A connection: (client, accepted, port of the server, port of the client)."""
    own = server or listener(version)
    client = socket.socket(FAMILY[version])
    client.settimeout(10)
    client.connect(own.getsockname()[:2])
    accepted, _ = own.accept()
    accepted.settimeout(10)
    port = own.getsockname()[1]
    if not server:
        own.close()
    return client, accepted, port, client.getsockname()[1]


def receive(sock, n):
    got = 0
    while got < n:
        data = sock.recv(65536)
        assert data, "the other side has closed"
        got += len(data)


def closed_port(version=4):
    """A port at which nobody listens."""
    with socket.socket(FAMILY[version]) as sock:
        sock.bind((LOCAL[version], 0))
        return sock.getsockname()[1]


def run(*command, **options):
    return subprocess.run(command, check=True, timeout=60, **options)


@contextlib.contextmanager
def namespace():
    """A network namespace with nothing but its loopback; the name."""
    name = f"skep-test-{os.getpid()}"
    run("ip", "netns", "add", name)
    try:
        run("ip", "-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)


def code(script):
    """A script for a Python of its own, which may use this file."""
    return "import os, socket, sys, time\n" \
        f"sys.path.insert(0, \"{Path(__file__).parent}\")\n" \
        "import tcp\n" + textwrap.dedent(script)


def python_in(name, script, *args):
    """Run a script in a namespace; what it printed."""
    done = run("ip", "netns", "exec", name, sys.executable, "-c", code(script), *map(str, args),
               capture_output=True, text=True)
    return done.stdout


class Link:
    """An interface of this namespace behind which everything comes back from the peer's address:
    what 10.9.0.1 sends to PEER comes, after a delay, as sent by PEER to 10.9.0.1. So both ends of
    a connection are here, and checksums stay right. @is_lost: says which packets never come."""

    HERE, PEER = "10.9.0.1", "10.9.0.2"

    def __init__(self, delay=0.0, is_lost=lambda packet: False):
        self.delay, self.is_lost = delay, is_lost
        self.fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(self.fd, 0x400454CA, struct.pack("16sH22x", b"skep0", 0x1001))  # TUN, NO_PI
        run("ip", "addr", "add", f"{self.HERE}/24", "dev", "skep0")
        run("ip", "link", "set", "skep0", "up")
        threading.Thread(target=self.reflect, daemon=True).start()

    def reflect(self):
        while True:
            packet = os.read(self.fd, 65536)
            if packet[0] >> 4 != 4 or self.is_lost(packet):
                continue
            swapped = packet[:12] + packet[16:20] + packet[12:16] + packet[20:]
            threading.Timer(self.delay, os.write, (self.fd, swapped)).start()

    def listener(self, backlog=5):
        return listener(address=self.HERE, backlog=backlog)

    def connect(self, server):
        client = socket.create_connection((self.PEER, server.getsockname()[1]), timeout=20)
        accepted, _ = server.accept()
        return client, accepted


def payload(packet):
    """How many bytes of data a TCP packet has, and its sequence number."""
    header = (packet[0] & 15) * 4
    tcp = packet[header:]
    return len(tcp) - (tcp[12] >> 4) * 4, tuple(tcp[:8])


class LoseFirst:
    """Loses each packet with data once."""

    def __init__(self):
        self.seen = set()

    def __call__(self, packet):
        n, which = payload(packet)
        is_new = n > 0 and which not in self.seen
        if is_new:
            self.seen.add(which)
        return is_new
