"""tcpstates: the life of a connection, state by state."""

import time

import tcp
from toolbox import Tool


def life(server):
    client, accepted, port, own = tcp.pair(4, server)
    time.sleep(0.1)
    client.close()
    time.sleep(0.05)
    accepted.close()
    return port, own


def test_a_life():
    server = tcp.listener()
    with Tool("tcpstates", "-D", server.getsockname()[1]) as tool:
        _, own = life(server)
        time.sleep(0.1)
    assert [(row["oldstate"], row["newstate"]) for row in tool.rows] == [
        ("CLOSE", "SYN_SENT"), ("SYN_SENT", "ESTABLISHED"), ("ESTABLISHED", "FIN_WAIT1"),
        ("FIN_WAIT1", "FIN_WAIT2"), ("FIN_WAIT2", "CLOSE")]
    assert tool.rows[1]["lport"] == own
    assert 100 <= tool.rows[2]["ms"] < 2000
    assert len({row["skaddr"] for row in tool.rows}) == 1


def test_the_other_side():
    server = tcp.listener()
    port = server.getsockname()[1]
    with Tool("tcpstates", "-T", "-L", port, "-4") as tool:
        life(server)
        server.close()
    states = [row["newstate"] for row in tool.rows]
    assert states == ["SYN_RECV", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSE", "CLOSE"]


def test_text():
    server = tcp.listener()
    with Tool("tcpstates", "-L", server.getsockname()[1], json=False) as tool:
        life(server)
    assert tool.text.split("\n")[0].split() == [
        "SKADDR", "C-PID", "C-COMM", "LADDR", "LPORT", "RADDR", "RPORT", "OLDSTATE", "NEWSTATE",
        "MS"]
