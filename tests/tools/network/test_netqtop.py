"""netqtop: packets of an interface, by their lengths."""

import tcp
from toolbox import Tool

# UDP to the link's peer, which comes back from there: 28 bytes of headers and the data
TALK = """
    link = tcp.Link()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((link.HERE, 0))
    for n in [1] * 5 + [100] * 4 + [1000] * 3:
        sock.sendto(b"x" * n, (link.PEER, sock.getsockname()[1]))
        assert len(sock.recv(4000)) == n
"""


def test_counts_and_bytes():
    with tcp.namespace() as name, \
            Tool("netqtop", "-n", "skep0", "-i", 5, "-t", "--for", "6s", ends=True) as tool:
        tcp.python_in(name, "tcp.run('sysctl', '-q', 'net.ipv6.conf.default.disable_ipv6=1')" +
                      TALK.replace("\n    ", "\n"))
    total = 5 * 29 + 4 * 128 + 3 * 1028
    assert len(tool.rows) == 2  # sent, received
    for row in tool.rows:
        assert row == {"queue": 0, "packets": 12, "avg_size": row["avg_size"], "64": 5, "512": 4,
                       "2k": 3, "16k": 0, "more": 0, "bytes": total}
        assert abs(row["avg_size"] - total / 12) <= 1


def test_text():
    with Tool("netqtop", "-n", "lo", "-i", 1, "--for", "1500ms", json=False, ends=True) as tool:
        client, accepted, _, _ = tcp.pair()
        client.send(b"x")
        tcp.receive(accepted, 1)
    assert " sent\n" in tool.text and " received\n" in tool.text
    assert "QUEUE     PACKETS  AVG_SIZE" in tool.text
