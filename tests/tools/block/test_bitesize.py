"""bitesize: sizes of requests, by process."""

from pathlib import Path

from toolbox import Tool, hist_between, hist_count

KIB = 1024
COMM = Path("/proc/self/comm").read_text().strip()


def test_sizes(disk):
    with Tool("bitesize", "-d", disk.name, "-c", COMM) as tool:
        for _ in range(6):
            disk.read(0, 4 * KIB)
        disk.write(0, 128 * KIB)
    sizes = tool.maps["@kbytes"][COMM]
    assert hist_count(sizes) == 7
    assert hist_between(sizes, 4, 8) == 6
    assert hist_between(sizes, 128, 256) == 1


def test_another_name(disk):
    with Tool("bitesize", "-d", disk.name, "-c", "nosuch", "-T", json=False) as tool:
        disk.read(0, 4 * KIB)
    assert "@kbytes" not in tool.text
    assert tool.text.count(":") == 2  # the time of day
