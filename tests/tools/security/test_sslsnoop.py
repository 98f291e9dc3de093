"""sslsnoop: OpenSSL's calls with their results and times."""

import tls
from toolbox import Tool, needs

SAID, HEARD = "hello bees", "hello keeper"


def test_calls_of_a_server(tmp_path):
    needs("uprobe:libssl:SSL_read", "uprobe:libcrypto:EVP_DigestSign")
    with tls.server(tmp_path) as (server, port):
        with Tool("sslsnoop", "-p", server.pid) as tool:
            tls.ask(server, port, SAID, HEARD)
    by_function = {}
    for row in tool.rows:
        assert row["tid"] == server.pid
        by_function.setdefault(row["func"], []).append(row)
    shakes = [row for row in by_function["SSL_do_handshake"] if row["ret"] == 1]
    assert len(shakes) == 1
    assert len(SAID) + 1 in {row["ret"] for row in by_function["SSL_read"]}
    assert len(HEARD) + 1 in {row["ret"] for row in by_function["SSL_write"]}
    sign = by_function["EVP_DigestSign"][0]
    assert 0 < sign["lat_us"] < 1e6


def test_only_what_took_long(tmp_path):
    needs("uprobe:libssl:SSL_read")
    with tls.server(tmp_path) as (server, port):
        with Tool("sslsnoop", "-p", server.pid, "-m", 60000000) as tool:
            tls.ask(server, port, SAID, HEARD)
    assert tool.rows == []


def test_text(tmp_path):
    needs("uprobe:libssl:SSL_read")
    with tls.server(tmp_path) as (server, port):
        with Tool("sslsnoop", "-p", server.pid, json=False) as tool:
            tls.ask(server, port, SAID, HEARD)
    assert tool.text.split("\n")[0].split() == [
        "TIME(us)", "TID", "COMM", "LAT(us)", "RET", "FUNC"]
    assert "SSL_write" in {row["FUNC"] for row in tool.table}
