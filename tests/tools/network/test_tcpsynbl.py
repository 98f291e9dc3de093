"""tcpsynbl: how many waited when each connection came."""

import tcp
from toolbox import Tool

BACKLOG = 37  # nobody else has this one


def test_three_wait():
    server = tcp.listener(backlog=BACKLOG)
    with Tool("tcpsynbl") as tool:
        clients = [tcp.socket.create_connection(server.getsockname()) for _ in range(3)]
    for client in clients:
        client.close()
    found = tool.maps["@backlog"][str(BACKLOG)]
    assert [(bucket["min"], bucket["count"]) for bucket in found if bucket["count"]] == [
        (0, 1), (1, 1), (2, 1)]


def test_only_one_version():
    server = tcp.listener(backlog=BACKLOG)
    with Tool("tcpsynbl", "-6") as tool:
        tcp.pair(4, server)
    assert str(BACKLOG) not in tool.maps.get("@backlog", {})


def test_text():
    server = tcp.listener(backlog=BACKLOG)
    with Tool("tcpsynbl", "-T", 1, 2, json=False, ends=True) as tool:
        tcp.pair(4, server)
    assert f"@backlog[{BACKLOG}]:" in tool.text
