"""Until when to wait for something that takes a short time, if it does not hang.

On a busy machine whoever wants a CPU waits for it, for any time. So what is counted is the time in which
nobody on this machine had to wait for one, as the kernel tells it (PSI); all of it where that is unknown.
On a machine with nothing else to do it is the time of a clock. There is an end to it: MOST times as long
by the clock.
"""

import re
import subprocess
import time
from pathlib import Path

MOST = 20
PRESSURE = Path("/proc/pressure/cpu")


def clock():
    """Seconds in which nobody waited for a CPU."""
    now = time.monotonic()
    try:
        found = re.search(r"^some .*total=(\d+)", PRESSURE.read_text(), re.M)
    except OSError:
        found = None
    return now - int(found[1]) / 1e6 if found else now


class Patience:
    """It is over after so many seconds of such time."""

    def __init__(self, seconds):
        self.end = clock() + seconds
        self.very_end = time.monotonic() + MOST * seconds

    def left(self):
        return max(0, min(self.end - clock(), self.very_end - time.monotonic()))

    def waits(self, wait):
        """Whether @wait, which is given seconds and says whether it is done, comes to be done."""
        while not wait(max(0.1, self.left())):
            if not self.left():
                return False
        return True

    def waits_for(self, process, *others):
        """Whether @process, or one of the @others, comes to its end; subprocess.Popen's."""
        def has_ended(seconds):
            try:
                process.wait(0.05 if others else seconds)
                return True
            except subprocess.TimeoutExpired:
                return any(other.poll() is not None for other in others)

        return self.waits(has_ended)

    def waits_for_thread(self, thread):
        def has_ended(seconds):
            thread.join(seconds)
            return not thread.is_alive()

        return self.waits(has_ended)
