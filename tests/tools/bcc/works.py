"""What happens while a tool of smoke.toml runs: a function a work, each of known size.

A work gets a Scene: its folder, a list of what to undo, and the words that the expectations may
use. It is called once the tool is attached, and what it does must be over when it returns; the
works whose names end in all_the_time, and busy, naps and stream, go on beside the tool, from
before it starts.
"""

import ctypes
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "security"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "language"))

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.getpgid.argtypes = [ctypes.c_int]
LIBC.malloc.restype = ctypes.c_void_p
LIBC.free.argtypes = [ctypes.c_void_p]
PYTHON = "/usr/bin/python3"

# A process of its own: it does its work whenever it gets a line, and says so.
WORKER = """
import ctypes, sys, threading, time
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
def calls():
    for _ in range(30000): libc.getpgid(0)
def mallocs():
    for _ in range(500): libc.free(libc.malloc(77777))
def threads():
    for _ in range(3):
        thread = threading.Thread(target=time.sleep, args=(0.01,))
        thread.start()
        thread.join()
def python():
    calls()
while True:
    what = sys.stdin.readline().strip()
    if not what: break
    globals()[what]()
    print("done", flush=True)
"""
# Another that does it all the time, under a name of its own.
FOREVER = """
import ctypes, os, socket, sys, time
open("/proc/self/comm", "w").write("smoke" + sys.argv[1])
libc = ctypes.CDLL(None)
def busy():
    for _ in range(100000): pass
def naps():
    time.sleep(0.01)
def calls():
    for _ in range(1000): libc.getpgid(0)
    time.sleep(0.01)
def files():
    path = sys.argv[2] + "/comb"
    for _ in range(20):
        with open(path, "wb") as file: file.write(b"x" * 5000)
        with open(path, "rb") as file: file.read()
        os.stat(path)
        os.unlink(path)
    time.sleep(0.01)
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
there = server.accept()[0]
def stream():
    client.sendall(b"x" * 100000)
    left = 100000
    while left: left -= len(there.recv(left))
    time.sleep(0.01)
print("begun", flush=True)
while True: globals()[sys.argv[1]]()
"""


class Scene:
    def __init__(self, folder):
        self.folder = folder
        self.words = {"folder": folder, "pid": os.getpid()}
        self.file_system = subprocess.run(["stat", "-f", "-c", "%T", folder], check=True,
                                          capture_output=True, text=True).stdout.strip()
        self.undo = []

    def close(self):
        for function in reversed(self.undo):
            function()

    def start(self, *command, **how):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   text=True, **how)
        self.undo.append(lambda: (process.kill(), process.communicate()))
        return process


def worker(scene):
    """{worker}, before the tool is started; tell() has it do something."""
    scene.worker = scene.start(PYTHON, "-c", WORKER)
    scene.words["worker"] = scene.worker.pid


def tell(scene, what):
    scene.worker.stdin.write(what + "\n")
    scene.worker.stdin.flush()
    assert scene.worker.stdout.readline() == "done\n"


def forever(what):
    def begin(scene):
        process = scene.start(PYTHON, "-c", FOREVER, what, str(scene.folder))
        assert process.stdout.readline() == "begun\n"
        scene.words["worker"] = process.pid
    return begin


def disk_forever(scene):
    process = scene.start(
        "sh", "-c", f"while dd if=/dev/zero of={scene.folder}/data bs=64k count=10 oflag=direct "
                    "status=none; do sleep 0.05; done", start_new_session=True)
    scene.undo.append(lambda: os.killpg(process.pid, signal.SIGKILL))


BESIDE = {"busy": forever("busy"), "naps": forever("naps"), "stream": forever("stream"),
          "calls_all_the_time": forever("calls"), "files_all_the_time": forever("files"),
          "disk_all_the_time": disk_forever}


# --- Once ---------------------------------------------------------------------------------------

def second(_):
    time.sleep(1.1)


def programs(_):
    for _ in range(5):
        subprocess.run(["env", "true", "smoke-of-the-hive"], check=True)


def signals(scene):
    target = scene.start("sleep", "60")
    scene.words["target"] = target.pid
    # Popen.send_signal() would not send the second, once the first has ended the target.
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        os.kill(target.pid, number)


def shared_memory(scene):
    shmid = LIBC.shmget(0, 12345, 0o1600)
    LIBC.shmctl(shmid, 0, None)
    scene.words["shmid"] = shmid


def calls(scene):
    if hasattr(scene, "worker"):
        return tell(scene, "calls")
    for _ in range(30000):
        LIBC.getpgid(0)
    return None


def one_call(_):
    LIBC.getpgid(0)


def mallocs(scene):
    tell(scene, "mallocs")


def threads(scene):
    tell(scene, "threads")


def python(scene):
    tell(scene, "python")


def terminal(scene):
    os.write(scene.slave, b"smoke on the terminal\n")


def shell(scene):
    master, slave = pty.openpty()
    process = subprocess.Popen(["/bin/bash", "--norc", "--noprofile", "-i"], stdin=slave,
                               stdout=slave, stderr=slave, start_new_session=True,
                               env=os.environ | {"PS1": "prompt> ", "HISTFILE": "/dev/null"})
    os.close(slave)
    for line in (b"echo of the hive\n", b"exit\n"):
        seen = b""
        while b"prompt> " not in seen:
            seen += os.read(master, 1000)
        os.write(master, line)
    process.wait(20)
    os.close(master)
    scene.words["bash"] = process.pid


def files(scene):
    path = scene.folder / "comb"
    path.write_bytes(b"x" * 5000)
    path.read_bytes()
    os.stat(path)
    for function in (os.stat, open):
        try:
            function(scene.folder / "none")
        except FileNotFoundError:
            pass
    path.unlink()


def mounts(scene):
    (scene.folder / "at").mkdir()
    subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "smoke-source", scene.folder / "at"],
                   check=True)


def two_orders(scene):
    """Two mutexes of {pid}'s, taken in both orders."""
    mutexes = [ctypes.create_string_buffer(64) for _ in range(2)]
    for order in (mutexes, mutexes[::-1]):
        thread = threading.Thread(target=lock_and_unlock, args=(order,))
        thread.start()
        thread.join()


def lock_and_unlock(mutexes):
    for mutex in mutexes:
        LIBC.pthread_mutex_lock(mutex)
    for mutex in mutexes[::-1]:
        LIBC.pthread_mutex_unlock(mutex)


def syncs(scene):
    with open(scene.folder / "synced", "wb") as file:
        file.write(b"x")
        file.flush()
        os.fsync(file.fileno())


def kmallocs(_):
    """100 control messages too large for what the kernel has on its stack."""
    here, there = socket.socketpair()
    with here, there:
        for _ in range(100):
            socket.send_fds(here, [b"x"], [0] * 20)
            for fd in socket.recv_fds(there, 10, 20)[1]:
                os.close(fd)


def descriptors(scene):
    path = scene.folder / "handed"
    path.write_text("x")
    here, there = socket.socketpair()
    with path.open(encoding="utf-8") as file, here, there:
        socket.send_fds(here, [b"x"], [file.fileno()])
        for fd in socket.recv_fds(there, 10, 5)[1]:
            os.close(fd)


def disk(scene):
    for _ in range(2):
        subprocess.run(["dd", "if=/dev/zero", f"of={scene.folder}/data", "bs=64k", "count=10",
                        "oflag=direct", "conv=notrunc", "status=none"], check=True)


def compaction(scene):
    asking = subprocess.Popen(["sh", "-c", "echo 1 >/proc/sys/vm/compact_memory"])
    asking.wait()
    scene.words["compacting"] = asking.pid


def connection(scene):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(7)
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            scene.words |= {"port": port, "clients_port": client.getsockname()[1]}
            accepted, _ = server.accept()
            client.sendall(b"x" * 102400)
            left = 102400
            while left:
                left -= len(accepted.recv(left))
        accepted.recv(1)
        accepted.close()


def refused(scene):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        scene.words["closed_port"] = sock.getsockname()[1]
    socket.socket().connect_ex(("127.0.0.1", scene.words["closed_port"]))


def names(_):
    socket.getaddrinfo("localhost", 80)


def tls(scene):
    import tls as talkers

    with talkers.server(scene.folder) as (process, port):
        talkers.ask(process, port, "honey for the hive", "thanks")


def capabilities(scene):
    process = subprocess.Popen(["chroot", "/", "true"])
    process.wait()
    scene.words["chrooting"] = process.pid


def other_skep(scene):
    """{skep}: one that has a probe attached."""
    from toolbox import SKEP

    scene.words["skep"] = scene.start(SKEP, "trace", "-e", "interval:s:1 { @ = count(); }").pid
    time.sleep(0.5)
