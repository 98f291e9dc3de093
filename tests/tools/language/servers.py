"""Database servers of the tests' own: nobody else's data, no network, gone at the end."""

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest


def newest(pattern):
    found = sorted(Path("/usr/lib/postgresql").glob(pattern), key=lambda path: int(path.parts[4]))
    return found[-1] if found else None


@contextmanager
def folder(user=None):
    """One that @user can reach, which pytest's are not."""
    path = Path(tempfile.mkdtemp(prefix="skep-server-"))
    try:
        if user:
            shutil.chown(path, user, user)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


class Server:
    """@client: the words of a command that takes SQL as its last one; each query is a process."""

    def __init__(self, client, pid):
        self.client, self.pid = client, pid

    def query(self, *queries):
        for query in queries:
            subprocess.run([*self.client, query], check=True, stdout=subprocess.DEVNULL)


@contextmanager
def postgres():
    """The server does not run as root."""
    initdb, psql = newest("*/bin/initdb"), shutil.which("psql")
    if not initdb or not psql:
        pytest.skip("needs postgresql")
    if os.getuid():
        pytest.skip("needs root, to become another user")
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    with folder("postgres") as path:
        data, control = path / "data", [*user, initdb.parent / "pg_ctl", "-D", path / "data"]
        subprocess.run([*user, initdb, "-D", data, "-A", "trust", "--no-sync"], check=True,
                       cwd=path, stdout=subprocess.DEVNULL)
        subprocess.run([*control, "-o", f"-F -k {path} -c listen_addresses=''", "-l", path / "log",
                        "-w", "start"], check=True, cwd=path, stdout=subprocess.DEVNULL)
        try:
            pid = int((data / "postmaster.pid").read_text().splitlines()[0])
            yield Server([psql, "-h", path, "-U", "postgres", "-Atqc"], pid)
        finally:
            subprocess.run([*control, "-m", "immediate", "-w", "stop"], check=True, cwd=path,
                           stdout=subprocess.DEVNULL)


@contextmanager
def mariadb():
    server, install = shutil.which("mariadbd"), shutil.which("mariadb-install-db")
    if not server or not install or not shutil.which("mariadb"):
        pytest.skip("needs mariadb-server-core and mariadb-client-core")
    with folder() as path:
        user = ["--user=root"] if not os.getuid() else []
        subprocess.run([install, "--no-defaults", *user, f"--datadir={path}/data",
                        "--auth-root-authentication-method=normal", "--skip-test-db"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        client = ["--no-defaults", "-u", "root", "-S", path / "socket"]
        with subprocess.Popen([server, "--no-defaults", *user, f"--datadir={path}/data",
                               f"--socket={path}/socket", "--skip-networking"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                while subprocess.run(["mariadb", *client, "-e", "select 1"], capture_output=True,
                                     check=False).returncode:
                    assert process.poll() is None
                    time.sleep(0.1)
                yield Server(["mariadb", *client, "-e"], process.pid)
            finally:
                process.terminate()
                process.wait(30)
