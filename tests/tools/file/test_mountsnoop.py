"""mountsnoop: mounts and unmounts, in a namespace of their own."""

import errno
import subprocess

from toolbox import Tool


def in_namespace(*words):
    subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c", " ".join(words)],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def test_mount_and_unmount(tmp_path):
    with Tool("mountsnoop", "-t", "-P") as tool:
        in_namespace(f"mount -i -t tmpfs name-of-it {tmp_path}; umount -i {tmp_path};",
                     f"mount -i -t tmpfs name-of-it {tmp_path}/nosuch")
    failed, = (row for row in tool.rows if row["target"] == f"{tmp_path}/nosuch")
    assert (failed["call"], failed["ret"]) == ("mount", -errno.ENOENT)
    rows = [row for row in tool.rows if row["target"] == str(tmp_path)]
    kinds = [(row["call"], row["ret"], row["type"], row["source"]) for row in rows
             if row["call"] == "mount"]
    assert ("mount", 0, "tmpfs", "name-of-it") in kinds
    assert [row["ret"] for row in rows if row["call"] == "umount2"] == [0]
    assert {row["pcomm"] for row in rows} == {"sh"}
    assert len({row["mnt_ns"] for row in rows}) == 1


def test_another_name_and_text(tmp_path):
    with Tool("mountsnoop", "-n", "nosuch") as tool:
        in_namespace(f"mount -i -t tmpfs none {tmp_path}")
    assert not tool.rows
    with Tool("mountsnoop", "-n", "mount", json=False) as tool:
        in_namespace(f"mount -i -t tmpfs none {tmp_path}")
    assert tool.text.splitlines()[0].split() == [
        "COMM", "PID", "TID", "MNT_NS", "CALL", "RET", "TYPE", "FLAGS", "SOURCE", "TARGET"]
    assert any(line.split()[-1] == str(tmp_path) for line in tool.text.splitlines())
