"""sslsniff: what two programs say to each other through TLS, in clear."""

import shutil
import subprocess

import pytest

import tls
from toolbox import Tool, needs

SAID, HEARD = "hello bees", "hello keeper"


def said(tool, pid, func):
    return [row for row in tool.rows if row["pid"] == pid and row["func"] == func]


def test_both_sides(tmp_path):
    needs("uprobe:libssl:SSL_read")
    with tls.server(tmp_path) as (server, port):
        with Tool("sslsniff", "-n", "openssl", "-x", "-l", "--handshake") as tool:
            client, answer = tls.ask(server, port, SAID, HEARD)
    assert answer == HEARD
    row, = (row for row in said(tool, client, "WRITE/SEND") if row["data"] == SAID + "\n")
    assert row["len"] == len(SAID) + 1
    assert (row["uid"], row["tid"]) == (0, client)
    assert HEARD + "\n" in {row["data"] for row in said(tool, client, "READ/RECV")}
    assert SAID + "\n" in {row["data"] for row in said(tool, server.pid, "READ/RECV")}
    shake, = said(tool, server.pid, "HANDSHAKE")
    assert 0 < shake["lat_ms"] < 10000


def test_hexadecimal_and_only_one_process(tmp_path):
    needs("uprobe:libssl:SSL_read")
    with tls.server(tmp_path) as (server, port):
        with Tool("sslsniff", "-p", server.pid, "--hexdump", "-m", 5) as tool:
            tls.ask(server, port, SAID, HEARD)
    assert {row["pid"] for row in tool.rows} == {server.pid}
    assert said(tool, server.pid, "READ/RECV")[0]["data"] == SAID[:5].encode().hex(" ")
    assert said(tool, server.pid, "READ/RECV")[0]["len"] == len(SAID) + 1


def test_not_of_openssl(tmp_path):
    needs("uprobe:libssl:SSL_read", "uprobe:libgnutls:gnutls_record_recv")
    with tls.server(tmp_path) as (server, port):
        with Tool("sslsniff", "-o", "-p", server.pid) as tool:
            tls.ask(server, port, SAID, HEARD)
    assert tool.rows == []


def test_gnutls(tmp_path):
    needs("uprobe:libssl:SSL_read", "uprobe:libgnutls:gnutls_record_recv")
    if not shutil.which("gnutls-cli"):
        pytest.skip("needs gnutls-cli")
    with tls.server(tmp_path) as (server, port):
        with Tool("sslsniff", "-o", "-n", "gnutls-cli") as tool:
            client = subprocess.Popen(
                ["gnutls-cli", "--insecure", "-p", str(port), "127.0.0.1"], text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            tls.talk(server, client, SAID, HEARD)
    assert SAID + "\n" in {row["data"] for row in said(tool, client.pid, "WRITE/SEND")}
    assert HEARD + "\n" in {row["data"] for row in said(tool, client.pid, "READ/RECV")}


def test_text(tmp_path):
    needs("uprobe:libssl:SSL_read")
    with tls.server(tmp_path) as (server, port):
        with Tool("sslsniff", "-p", server.pid, json=False) as tool:
            tls.ask(server, port, SAID, HEARD)
    lines = tool.text.splitlines()
    assert lines[0].split() == ["FUNC", "TIME(s)", "COMM", "PID", "LEN"]
    assert f"        {SAID}" in lines
