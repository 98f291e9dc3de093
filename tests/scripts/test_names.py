"""Hosts that are given by their names: looked up as /etc/hosts and /etc/resolv.conf say.

All of it in a network and a mount namespace of its own, where a name server of the test's answers.
"""

import os
import subprocess
import sys
from pathlib import Path

from profiling import SKEP, TIME

# In the namespaces: a name server, who is asked for debug files, and a program whose files are stripped.
INSIDE = r"""
import http.server, os, socket, struct, subprocess, sys, threading

skep, folder, url = sys.argv[1:]
names = {b"\x09collector\x07example\x00": bytes([127, 0, 0, 7])}
asked = []

def answer(question):
    end = question.index(b"\0", 12) + 1
    name, kind = question[12:end], struct.unpack("!H", question[end:end + 2])[0]
    place = names.get(name.lower()) if kind == 1 else None
    asked.append((name, kind))
    code = 0x8180 if name.lower() in names else 0x8183
    head = question[:2] + struct.pack("!5H", code, 1, 1 if place else 0, 0, 0) + question[12:end + 4]
    return head + (b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + place if place else b"")

def serve_names(server):
    while True:
        question, who = server.recvfrom(512)
        server.sendto(answer(question), who)

class Nothing(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print("asked", self.headers["Host"], self.connection.getsockname()[0], flush=True)
        self.send_error(404)

    def log_message(self, *_):
        pass

subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
for name, text in (("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"),
                   ("hosts", "127.0.0.8 elsewhere\n")):
    with open(f"{folder}/{name}", "w") as file:
        file.write(text)
    subprocess.run(["mount", "--bind", f"{folder}/{name}", os.path.realpath(f"/etc/{name}")], check=True)
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
threading.Thread(target=serve_names, args=(server,), daemon=True).start()
web = http.server.ThreadingHTTPServer(("0.0.0.0", 8002), Nothing)
threading.Thread(target=web.serve_forever, daemon=True).start()
asked.clear()  # what the test's own server wanted to know
busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"
done = subprocess.run([skep, "profile", "-U", "-o", f"{folder}/out.json", "--", "sh", "-c", busy],
                      env=os.environ | {"DEBUGINFOD_URLS": url, "DEBUGINFOD_CACHE_PATH": folder,
                                        "DEBUGINFOD_TIMEOUT": "20"},
                      capture_output=True, text=True)
print(done.stderr)
print("questions", len(asked))
sys.exit(done.returncode)
"""


def ask(tmp_path, url):
    """What is said where debug files are fetched from @url."""
    command = ["unshare", "-m", "-n", sys.executable, "-c", INSIDE, str(Path(SKEP).resolve()), str(tmp_path), url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIME, check=False, env=os.environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_name_server_is_asked(tmp_path):
    said = ask(tmp_path, "http://collector.example:8002/a")
    assert "asked collector.example:8002 127.0.0.7" in said, said
    assert "did not give" not in said, said


def test_the_file_of_hosts_comes_first(tmp_path):
    said = ask(tmp_path, "http://elsewhere:8002/a")
    assert "asked elsewhere:8002 127.0.0.8" in said and "questions 0" in said, said


def test_a_name_that_nobody_knows(tmp_path):
    said = ask(tmp_path, "http://nowhere.example:8002/a")
    assert "nowhere.example:8002/a did not give: nobody answered" in said, said
