"""tcpcong: a connection that loses packets is in loss until they have come."""

import tcp
from toolbox import Tool

TALK = """
    link = tcp.Link(0.001, tcp.LoseFirst())
    server = link.listener()
    client, accepted = link.connect(server)
    begun = time.monotonic()
    for _ in range(3):
        client.send(b"x" * 100)
        tcp.receive(accepted, 100)
    time.sleep(0.1)
    print(client.getsockname()[1], server.getsockname()[1], time.monotonic() - begun)
"""


def talk():
    with tcp.namespace() as name:
        tcp.run("ip", "netns", "exec", name, "sysctl", "-q", "net.ipv4.tcp_early_retrans=0")
        own, port, seconds = tcp.python_in(name, TALK).split()
    return int(own), int(port), float(seconds)


def test_three_losses():
    with Tool("tcpcong") as tool:
        own, port, seconds = talk()
    (row,) = [row for row in tool.rows if row["lport"] == own and row["rport"] == port]
    assert (row["laddr"], row["raddr"]) == ("10.9.0.1", "10.9.0.2")
    assert row["changes"] == 6  # open to loss and back, three times
    assert 0 < row["loss_ms"] < row["open_ms"] <= seconds * 1000 + 100
    assert row["open_ms"] >= 3 * 200  # a timer ran out in each
    assert row["recovery_ms"] == row["cwr_ms"] == 0


def test_as_histograms():
    with Tool("tcpcong", "-d", "-u") as tool:
        talk()
    loss = tool.maps["@usecs"]["LOSS"]
    assert sum(bucket["count"] for bucket in loss) >= 3


def test_text_and_ports():
    with Tool("tcpcong", "-L", "1", "-T", json=False) as tool:
        talk()
    heading, *rest = tool.text.splitlines()[1:]
    assert heading.split() == [
        "LADDR", "LPORT", "RADDR", "RPORT", "CHANGES", "OPEN(ms)", "DISORDER(ms)", "RECOVERY(ms)",
        "CWR(ms)", "LOSS(ms)"]
    assert not rest
