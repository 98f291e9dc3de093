"""Programs in several languages whose calls, objects and collections are known."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest

PYTHON = "/usr/bin/python3"  # not one that a user built for himself: the probes are Debian's


def program(name):
    """The path of an interpreter; skips where it is not installed."""
    path = shutil.which(name)
    if not path:
        pytest.skip(f"needs {name}")
    return path


def python():
    notes = subprocess.run(["readelf", "-n", PYTHON], capture_output=True, text=True, check=False)
    if "function__entry" not in notes.stdout:
        pytest.skip(f"{PYTHON} was built without probes")
    return PYTHON


def node():
    """Node's collector is a function that its file names."""
    path = program("node")
    if "Heap8ScavengeEv" not in symbols(path) + symbols_of_library(path, "libnode"):
        pytest.skip("node has no symbol of its collector")
    return path


def symbols(path):
    return subprocess.run(["nm", "-D", path], capture_output=True, text=True, check=False).stdout


def symbols_of_library(path, name):
    libraries = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
    return "".join(symbols(line.split()[2]) for line in libraries.splitlines() if name in line)


def java(folder, source):
    """Command line of a Java program, compiled, with its probes on."""
    program("javac")
    (folder / "Work.java").write_text(source)
    subprocess.run(["javac", "-d", folder, folder / "Work.java"], check=True)
    if "method__entry" not in jvm_notes():
        pytest.skip("the Java virtual machine was built without probes")
    return f"{program('java')} -XX:+ExtendedDTraceProbes -XX:+UseSerialGC -cp {folder} Work"


def jvm_notes():
    home = Path(program("java")).resolve().parent.parent
    found = list(home.rglob("libjvm.so"))
    return subprocess.run(["readelf", "-n", *found[:1]], capture_output=True, text=True,
                          check=False).stdout


def script(folder, name, text):
    path = folder / name
    path.write_text(text)
    return path


def calls(tool):
    """How often each function was called, by name; a name may be in several places."""
    found = {}
    for row in tool.rows:
        found[row["method"]] = found.get(row["method"], 0) + row["calls"]
    return found


def wait_for_library(process, name):
    """Until a process has mapped it: before, there is nothing in it to attach to."""
    while name not in Path(f"/proc/{process.pid}/maps").read_text(encoding="ascii"):
        assert process.poll() is None
        time.sleep(0.01)
