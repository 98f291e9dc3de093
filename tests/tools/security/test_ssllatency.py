"""ssllatency: how many calls of OpenSSL there were, and how long they took."""

import tls
from toolbox import Tool, hist_count, needs

SAID, HEARD = "hello bees", "hello keeper"


def test_histograms_and_table(tmp_path):
    needs("uprobe:libssl:SSL_read")
    with tls.server(tmp_path) as (server, port):
        with Tool("ssllatency", "-p", server.pid) as tool:
            for _ in range(4):
                tls.ask(server, port, SAID, HEARD)
    assert hist_count(tool.maps["@usecs"]["SSL_do_handshake"]) == 4
    assert hist_count(tool.maps["@usecs"]["SSL_write"]) >= 4
    row, = (row for row in tool.rows if row["func"] == "SSL_write")
    assert row["calls"] >= 4
    assert 0 < row["avg_us"] <= row["max_us"]


def test_an_interval(tmp_path):
    needs("uprobe:libssl:SSL_read")
    with tls.server(tmp_path) as (server, port):
        with Tool("ssllatency", "-p", server.pid, 2, 1, ends=True, json=False) as tool:
            tls.ask(server, port, SAID, HEARD)
            tool.wait()
    assert ["FUNC", "CALLS", "AVG(us)", "MAX(us)"] in [
        line.split() for line in tool.text.splitlines()]
