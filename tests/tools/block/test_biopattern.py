"""biopattern: what is sequential and what is random."""

from toolbox import Tool

KIB = 1024


def test_sequential_and_random(disk):
    with Tool("biopattern", "-d", disk.name) as tool:
        for i in range(16):  # the first has none before it
            disk.read(i * 64 * KIB, 64 * KIB)
        for i in range(5):
            disk.read((i * 2 + 32) * 64 * KIB, 64 * KIB)
    row, = tool.rows
    assert row["disk"] == disk.name
    assert (row["count"], row["kbytes"]) == (20, 20 * 64)
    assert (row["seq"], row["rnd"]) == (75, 25)


def test_text(disk):
    with Tool("biopattern", "-T", "-d", disk.name, json=False) as tool:
        disk.read(0, 4 * KIB)
        disk.read(64 * KIB, 4 * KIB)
    assert tool.text.splitlines()[0].split() == ["TIME", "DISK", "%RND", "%SEQ", "COUNT", "KBYTES"]
    assert tool.table[0]["%RND"] == "100"
