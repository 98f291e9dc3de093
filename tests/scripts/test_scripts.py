"""Every block of tests/scripts/*.test is one test, named FILE/NAME."""

import pytest

from blocks import read_file
from runner import FOLDER, SKEP, check


def cases():
    for path in sorted(FOLDER.glob("*.test")):
        for block in read_file(path):
            yield pytest.param(block, id=f"{path.stem}/{block.NAME.replace(' ', '_')}")


@pytest.mark.parametrize("block", cases())
def test_script(block):
    assert SKEP.exists(), f"{SKEP} is not built"
    check(block)
