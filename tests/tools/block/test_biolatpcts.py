"""biolatpcts: its percentiles are those of the requests that biosnoop shows."""

import math

from toolbox import SLOW, Tool

KIB = 1024


def near(percentile, of_true, percent):
    """The kinds of clock reads lie some microseconds apart; the steps are 3% wide."""
    true = sorted(of_true)[math.ceil(len(of_true) * percent / 100) - 1]
    return true * 0.95 - 25 * SLOW <= percentile <= true * 1.05 + 25 * SLOW


def measure(disk):
    """The rows of reads and writes, and how long biosnoop saw each read take."""
    with Tool("biolatpcts", "-i", 1000, disk.name) as tool:
        with Tool("biosnoop", "-d", disk.name) as snoop:
            for i in range(100):
                disk.read(i * 64 * KIB, (1 + i % 16) * 4 * KIB)
            disk.write(0, 64 * KIB)
    read, write = sorted(tool.rows, key=lambda row: row["kind"])
    assert (read["kind"], read["count"]) == ("read", 100)
    assert (write["kind"], write["count"]) == ("write", 1)
    true = [row["lat_ms"] * 1000 for row in snoop.rows if row["t"] == "R"]
    assert len(true) == 100
    return read, true


def test_percentiles(disk):
    """Both see the same requests, one after the other: where something came between the two, which
    makes one request longer for one of them, there is nothing to compare, and it is done again."""
    for _ in range(3):
        read, true = measure(disk)
        far = [percent for percent in (1, 10, 50, 90, 100)
               if not near(read[f"p{percent}"], true, percent)]
        if not far:
            break
    assert not far, (far, read, sorted(true))
    values = [read[f"p{percent}"] for percent in (1, 5, 10, 16, 25, 50, 75, 84, 90, 95, 99, 100)]
    assert values == sorted(values)


def test_from_before_the_device(disk):
    with Tool("biolatpcts", "-i", 1000, "-w", "from-rq-alloc", disk.name) as whole:
        with Tool("biolatpcts", "-i", 1000, disk.name, json=False) as device:
            for i in range(50):
                disk.read(i * 64 * KIB, 4 * KIB)
    row, = whole.rows
    assert row["count"] == 50
    assert device.text.split()[:3] == ["KIND", "P1", "P5"]
    assert row["p50"] >= int(device.table[0]["P50"])
