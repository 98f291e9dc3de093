"""numamove: pages that are moved, by reason. Machines with one node move some by compaction."""

import subprocess
import sys
from pathlib import Path

from toolbox import Tool, needs

# Every second page is given back, so that there is something to move together.
HOLES = """
import mmap
memory = mmap.mmap(-1, 64 << 20)
for at in range(0, len(memory), 4096):
    memory[at] = 1
for at in range(0, len(memory), 8192):
    memory.madvise(mmap.MADV_DONTNEED, at, 4096)
open('/proc/sys/vm/compact_memory', 'w').write('1')
"""


def test_by_reason():
    needs("tracepoint:migrate:mm_migrate_pages_start")
    if not Path("/proc/sys/vm/compact_memory").exists():
        needs("rawtracepoint:mm_compaction_begin")
    with Tool("numamove", "-a", 1, 3, ends=True) as tool:
        subprocess.run([sys.executable, "-c", HOLES], check=True)
        tool.wait()
    rows = [row for row in tool.rows if row["reason"] == "MR_COMPACTION"]
    assert sum(row["pages"] + row["failed"] for row in rows) > 0
    assert all(row["time_ms"] > 0 for row in rows)


def test_text():
    needs("tracepoint:migrate:mm_migrate_pages_start")
    with Tool("numamove", 1, 2, json=False, ends=True) as tool:
        tool.wait()
    assert tool.text.split("\n")[0].split() == [
        "TIME", "NUMA_migrations", "FAILED", "NUMA_migrations_ms"]
    assert len(tool.table) == 2
