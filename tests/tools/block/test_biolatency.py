"""biolatency: as many requests as were made, by disk and kind, none of other disks."""

import os
import time

from toolbox import Tool, hist_count

KIB = 1024


def test_counts_requests_by_kind(disk):
    with Tool("biolatency", "-d", disk.name, "-D", "-F", "-e") as tool:
        for i in range(7):
            disk.read(i * 64 * KIB, 64 * KIB)
        for i in range(3):
            disk.write(i * 64 * KIB, 64 * KIB)
        os.fsync(disk.fd)
    usecs = tool.maps["@usecs"]
    assert hist_count(usecs[f"{disk.name},read"]) == 7
    assert hist_count(usecs[f"{disk.name},write, sync"]) == 3
    assert tool.maps["@total_usecs"][f"{disk.name},read"]["count"] == 7


def test_queued_takes_no_less_than_the_device(disk):
    with Tool("biolatency", "-d", disk.name, "-e") as device:
        with Tool("biolatency", "-Q", "-d", disk.name, "-e") as queued:
            for i in range(20):
                disk.read(i * 64 * KIB, 64 * KIB)
    key = "all disks,all requests"
    short, long = device.maps["@total_usecs"][key], queued.maps["@total_usecs"][key]
    assert short["count"] == long["count"] == 20
    assert long["total"] >= short["total"] > 0


def test_milliseconds_and_intervals(disk):
    with Tool("biolatency", "-m", "-T", "-d", disk.name, 1, 2, json=False, ends=True) as tool:
        disk.read(0, 64 * KIB)
        time.sleep(0.1)
    assert tool.text.count("@msecs[all disks, all requests]:") == 1
    assert sum(line.count(":") == 2 for line in tool.text.splitlines()) >= 2  # times of day
