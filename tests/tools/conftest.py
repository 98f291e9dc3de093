"""Here so that pytest finds toolbox.py for the tests in the folders below, and what several of them
need."""

import sys
from pathlib import Path

from disks import disk_of_ones_own  # noqa: F401, a fixture

sys.path.append(str(Path(__file__).resolve().parent.parent))
