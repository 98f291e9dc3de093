"""shmsnoop: System V shared memory from its making to its end."""

import ctypes
import os

from toolbox import Tool

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.shmat.restype = ctypes.c_void_p
LIBC.shmat.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
LIBC.shmdt.argtypes = [ctypes.c_void_p]
IPC_CREAT, IPC_RMID = 0o1000, 0


def work():
    shmid = LIBC.shmget(0, 12345, IPC_CREAT | 0o600)
    address = LIBC.shmat(shmid, None, 0)
    LIBC.shmdt(address)
    LIBC.shmctl(shmid, IPC_RMID, None)
    LIBC.shmat(shmid, None, 0)
    return shmid, address


def test_life_of_a_segment():
    with Tool("shmsnoop", "-T", "-p", os.getpid()) as tool:
        shmid, address = work()
    rows = tool.rows
    assert [row["sys"] for row in rows] == ["SHMGET", "SHMAT", "SHMDT", "SHMCTL", "SHMAT"]
    made, attached, detached, removed, failed = rows
    assert (made["ret"], made["shmid"], made["size"]) == (shmid, shmid, 12345)
    assert int(made["flags"], 8) == IPC_CREAT | 0o600
    assert (attached["ret"], attached["shmid"]) == (address, shmid)
    assert int(detached["shmaddr"], 16) == address
    assert (removed["cmd"], removed["shmid"], removed["ret"]) == (IPC_RMID, shmid, 0)
    assert (failed["ret"], failed["shmid"]) == (-22, shmid)


def test_text():
    with Tool("shmsnoop", "-n", "no-such-name", json=False) as tool:
        work()
    assert tool.text.strip() == ""
    with Tool("shmsnoop", "-p", os.getpid(), json=False) as tool:
        work()
    assert tool.text.split("\n")[0].split() == [
        "PID", "COMM", "SYS", "RET", "KEY", "SHMID", "SIZE", "SHMADDR", "FLAGS", "CMD"]
