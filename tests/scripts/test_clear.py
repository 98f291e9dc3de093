"""print(@x); clear(@x) beside a process that adds to the maps as fast as it can: what is added while
the one is done and the other is not yet is in the next print()."""

import json
import os
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
SKEP = os.environ.get("SKEP", str(TOP / "build" / "skep"))
SCRIPT = """
config = { print_maps_on_exit = false }
macro show(@map) { print(@map); 0 }
tracepoint:syscalls:sys_enter_write
/pid == cpid/
{
	@all = count();
	@sum = sum(2);
	@known[1, "write"] = count();
	@by[pid] = count();
	@used = count();
}

interval:ms:5
{
	@times++;
	print(@sum);
	if (getopt("other")) { print(@all); } else { show(@by); }
	clear(@sum);
	print(@used);
	print(@known);
	clear(@by);
	clear(@known);
	if (@used > 0) { @some++; }
	clear(@used);
}

end
{
	print(@all); print(@sum); print(@known); print(@by); print(@used); print(@times);
}
"""


def run():
    """By name, the sum of all that was printed."""
    command = ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=400000"]
    done = subprocess.run([SKEP, "trace", "-q", "-f", "json", "-c", " ".join(command), "-e", SCRIPT],
                          capture_output=True, text=True, check=True, timeout=600)
    sums = {}
    for line in done.stdout.splitlines():
        for name, value in json.loads(line)["data"].items():
            total = sum(value.values()) if isinstance(value, dict) else value or 0
            sums[name] = sums.get(name, 0) + total
    return sums


def test_what_is_added_meanwhile_is_kept():
    sums = run()
    assert sums["@all"] >= 400000 and sums["@times"] > 1
    assert sums["@sum"] == 2 * sums["@all"]
    assert sums["@known"] == sums["@all"]
    # Of an entry of a hash, one addition may be under way while it is removed.
    assert sums["@all"] - sums["@times"] <= sums["@by"] <= sums["@all"]
