"""tcpretrans: as many packets as were lost, told apart by what sent them again."""

import tcp
from toolbox import Tool
from unseen import Unseen

TALK = """
    link = tcp.Link(0.001, tcp.LoseFirst())
    server = link.listener()
    client, accepted = link.connect(server)
    for _ in range(10):
        client.send(b"x" * 100)
        tcp.receive(accepted, 100)
    snmp = [line.split() for line in open("/proc/net/snmp") if line.startswith("Tcp:")]
    sent = dict(zip(*snmp))["RetransSegs"]
    print(client.getsockname()[1], server.getsockname()[1], sent)
"""


def talk(name, early):
    """Both ports, and how many packets the kernel has sent again in this namespace."""
    tcp.run("ip", "netns", "exec", name, "sysctl", "-q", f"net.ipv4.tcp_early_retrans={early}")
    own, port, sent = tcp.python_in(name, TALK).split()
    return int(own), int(port), int(sent)


def of(tool, port):
    return [row for row in tool.rows if row["rport"] == port and row["raddr"] == "10.9.0.2"]


def hidden(unseen, own, port):
    """How many of a connection's packets no program can have seen."""
    return sum(f"sport={own} dport={port} " in line for line in unseen.lines)


def test_ten_of_ten():
    with Unseen("tcp/tcp_retransmit_skb") as unseen, tcp.namespace() as name, \
            Tool("tcpretrans", "-s", "-4") as tool:
        own, port, sent = talk(name, 0)
    rows = of(tool, port)
    assert sent == 10
    unseen = hidden(unseen, own, port)
    assert [row["t"] for row in rows] == ["R"] * (sent - unseen), f"{tool.text}{tool.errors}"
    assert {(row["laddr"], row["lport"], row["state"]) for row in rows} == {
        ("10.9.0.1", own, "ESTABLISHED")}
    apart = [(row["seq"] - rows[0]["seq"]) % 2**32 for row in rows]
    assert apart == list(range(0, 1000, 100)) or unseen
    assert apart == sorted(set(apart)) and set(apart) <= set(range(0, 1000, 100))


def test_loss_probes_and_counts():
    with Unseen("tcp/tcp_retransmit_skb") as unseen, tcp.namespace() as name, \
            Tool("tcpretrans", "-l") as all_, Tool("tcpretrans", "-c") as count, \
            Tool("tcpretrans", json=False) as text:
        own, port, _ = talk(name, 3)
    kinds = [row["t"] for row in of(all_, port)]
    assert len(kinds) == 10 - hidden(unseen, own, port) and kinds.count("L") > 0
    counted = sum(row["retransmits"] for row in of(count, port))
    assert counted == kinds.count("R")
    assert "tail loss probes are not shown" in text.text
    assert text.text.count(f" {own} ") == counted


def test_synack():
    with tcp.namespace() as name, Tool("tcpretrans", "-4") as tool:
        port = int(tcp.python_in(name, """
            # the last packet of a handshake: an acknowledgement, neither of data nor of a FIN
            link = tcp.Link(0, lambda packet: packet[20 + 13] == 16)
            server = link.listener()
            client = socket.create_connection((link.PEER, server.getsockname()[1]))
            time.sleep(2)
            print(server.getsockname()[1])
        """))
    rows = [row for row in tool.rows if row["lport"] == port and row["t"] == "S"]
    assert rows and {row["state"] for row in rows} == {"NEW_SYN_RECV"}
    assert {row["raddr"] for row in rows} == {"10.9.0.2"}
