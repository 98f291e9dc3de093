"""gethostlatency: names that are looked up, and a name server that takes its time."""

import subprocess

import tcp
from toolbox import Tool


def test_a_name_of_this_machine():
    with Tool("gethostlatency", "-n", "getent") as tool:
        subprocess.run(["getent", "ahosts", "localhost"], check=True, stdout=subprocess.DEVNULL)
    assert "localhost" in {row["host"] for row in tool.rows}
    assert all(0 <= row["lat_ms"] < 1000 and row["comm"] == "getent" for row in tool.rows)


def test_nobody_answers(tmp_path):
    """In a namespace without a name server: the resolver's own time-out of a second."""
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 10.9.0.9\noptions timeout:1 attempts:1\n")
    script = """
        link = tcp.Link(0, lambda packet: True)
        try: socket.getaddrinfo("skep.invalid", 80)
        except OSError: pass
    """
    with tcp.namespace() as name, Tool("gethostlatency", "-m", 500) as tool:
        tcp.run("unshare", "-m", "sh", "-c", f"mount --bind {conf} /etc/resolv.conf; "
                f"exec ip netns exec {name} {tcp.sys.executable} -c '{tcp.code(script)}'")
    rows = [row for row in tool.rows if row["host"] == "skep.invalid"]
    assert rows and all(1000 <= row["lat_ms"] < 20000 for row in rows)


def test_text():
    with Tool("gethostlatency", "-n", "getent", json=False) as tool:
        subprocess.run(["getent", "hosts", "localhost"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["getent", "ahosts", "localhost"], check=True, stdout=subprocess.DEVNULL)
    assert tool.text.split("\n")[0].split() == ["TIME", "PID", "COMM", "LAT(ms)", "HOST"]
