"""kvmexit: a machine that runs its firmware leaves its CPU for devices."""

import contextlib
import os
import shutil
import subprocess
import time

import pytest
from toolbox import Tool, needs

needs_machine = pytest.mark.skipif(
    not shutil.which("qemu-system-x86_64") or not os.access("/dev/kvm", os.W_OK) or
    not (os.path.exists("/sys/module/kvm_intel") or os.path.exists("/sys/module/kvm_amd")),
    reason="no virtual machine can be run here by kvm_intel or kvm_amd")


@contextlib.contextmanager
def machine():
    """Two virtual CPUs and nothing to boot from."""
    with subprocess.Popen(["qemu-system-x86_64", "-accel", "kvm", "-nodefaults", "-display", "none",
                           "-m", "64", "-smp", "2"], stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


@needs_machine
def test_reasons():
    with Tool("kvmexit") as tool:
        with machine() as running:
            time.sleep(2)
    rows = {row["reason"]: row for row in tool.rows if row["pid"] == running.pid}
    devices = rows.get("IO_INSTRUCTION") or rows.get("SVM_IOIO")
    assert devices["exits"] > 10
    for row in rows.values():
        assert row["mean_us"] * row["exits"] == pytest.approx(row["time_us"], rel=0.2, abs=10)


@needs_machine
def test_one_cpu_and_threads():
    with Tool("kvmexit", "-a") as threads, Tool("kvmexit", "-a", "-v", 0) as first:
        with machine():
            time.sleep(2)
    assert len({row["pid"] for row in threads.rows if row["comm"].startswith("CPU")}) >= 2
    assert {row["pid"] for row in first.rows} < {row["pid"] for row in threads.rows}


def test_text():
    needs("tracepoint:kvm:kvm_exit")
    with Tool("kvmexit", 1, json=False, ends=True) as tool:
        pass
    assert not tool.errors
