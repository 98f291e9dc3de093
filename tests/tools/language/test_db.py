"""dbslower, dbstat, mysqld_qslower: seven queries of which one sleeps 200 ms."""

import os
import subprocess

import pytest
import servers
from toolbox import Tool, hist_between, hist_count

FAST = [f"select {i}" for i in range(6)]
SLEEP = {"postgres": "select pg_sleep(0.2)", "mysql": "select sleep(0.2)"}


@pytest.fixture(scope="module", name="postgres")
def postgres_server():
    with servers.postgres() as server:
        yield server


@pytest.fixture(scope="module", name="mariadb")
def mariadb_server():
    with servers.mariadb() as server:
        yield server


@pytest.fixture(name="engine", params=["postgres", "mysql"])
def each_engine(request):
    """(what the tools call it, a server)"""
    return request.param, request.getfixturevalue(
        "postgres" if request.param == "postgres" else "mariadb")


def run_seven(name, server):
    server.query(*FAST[:3], SLEEP[name], *FAST[3:])


def test_only_the_slow_one(engine):
    name, server = engine
    with Tool("dbslower", "-m", 150, name) as tool:
        run_seven(name, server)
    row, = tool.rows
    assert row["query"] == SLEEP[name]
    assert 200 <= row["ms"] < 5000


def test_all_seven_without_an_engine(engine):
    name, server = engine
    with Tool("dbslower", "-m", 0) as tool:
        run_seven(name, server)
    ours = [row["query"] for row in tool.rows if row["query"] in [*FAST, SLEEP[name]]]
    assert ours == [*FAST[:3], SLEEP[name], *FAST[3:]]


def test_prepared_statements_of_postgres(postgres, tmp_path):
    pgbench = servers.newest("*/bin/pgbench")
    (tmp_path / "script").write_text("select pg_sleep(0.12);\n")
    with Tool("dbslower", "-m", 100, "postgres") as tool:
        subprocess.run([pgbench, "-n", "-h", postgres.client[2], "-U", "postgres", "-M", "prepared",
                        "-f", tmp_path / "script", "-t", "3", "postgres"], check=True,
                       capture_output=True)
    assert [row["query"] for row in tool.rows] == ["select pg_sleep(0.12);"] * 3
    assert all(120 <= row["ms"] < 5000 for row in tool.rows)


def test_histogram(engine):
    name, server = engine
    with Tool("dbstat", name) as tool:
        run_seven(name, server)
    buckets = tool.maps["@msecs"]
    assert hist_between(buckets, 128, 1 << 13) >= 1
    assert hist_count(buckets) >= 7
    assert hist_between(buckets, 0, 127) >= 6


def test_histogram_of_slow_ones_in_microseconds(engine):
    name, server = engine
    with Tool("dbstat", "-u", "-m", 150, name) as tool:
        run_seven(name, server)
    assert "@msecs" not in tool.maps
    assert hist_count(tool.maps["@usecs"]) == 1
    assert hist_between(tool.maps["@usecs"], 131072, 1 << 23) == 1


def test_mysqld_qslower(mariadb):
    with Tool("mysqld_qslower", mariadb.pid, 150) as slow, \
            Tool("mysqld_qslower", mariadb.pid, 0, json=False) as every:
        run_seven("mysql", mariadb)
    row, = slow.rows
    assert (row["pid"], row["query"]) == (mariadb.pid, SLEEP["mysql"])
    assert 200 <= row["ms"] < 5000
    assert every.text.splitlines()[0].split() == ["TIME(s)", "PID", "MS", "QUERY"]
    assert [row["QUERY"] for row in every.table] == [*FAST[:3], SLEEP["mysql"], *FAST[3:]]


def test_no_server_of_that_engine():
    with Tool("dbslower", "-p", os.getpid(), "mysql", ends=True, status=1) as tool:
        pass
    assert "L0126" in tool.errors
    assert "postgresql" not in tool.errors
