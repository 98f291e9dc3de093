"""A TLS server and clients that say a line each, on loopback: OpenSSL's own programs."""

import contextlib
import re
import subprocess


def make_certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", folder / "key",
                    "-out", folder / "cert", "-subj", "/CN=hive", "-days", "2"],
                   check=True, stderr=subprocess.DEVNULL)


def read_until(process, pattern):
    while True:
        line = process.stdout.readline()
        assert line, "it ended"
        found = re.search(pattern, line.rstrip())
        if found:
            return found


@contextlib.contextmanager
def server(folder):
    """Yields the process and its port. It serves one client after the other."""
    make_certificate(folder)
    process = subprocess.Popen(
        ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", folder / "cert", "-key",
         folder / "key"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True)
    try:
        yield process, int(read_until(process, r"ACCEPT .*:(\d+)$").group(1))
    finally:
        process.kill()
        process.communicate()


def tell(process, text):
    process.stdin.write(text + "\n")
    process.stdin.flush()


def talk(process, client, text, answer):
    """The client says @text and the server @answer; then the server ends the connection. Returns
    what the client heard."""
    tell(client, text)
    read_until(process, f"^{text}$")
    tell(process, answer)
    heard = read_until(client, f"^{answer}$").group()
    tell(process, "q")
    client.communicate(timeout=30)
    return heard


def ask(process, port, text, answer):
    """Returns the client's process id, and what it heard."""
    client = subprocess.Popen(
        ["openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{port}"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return client.pid, talk(process, client, text, answer)
