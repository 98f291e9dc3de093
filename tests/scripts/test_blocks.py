"""The reader of test blocks itself."""

import pytest

from blocks import BlockError, expectation_met, read_file


def read(tmp_path, text):
    path = tmp_path / "x.test"
    path.write_text(text)
    return read_file(path)


def test_blocks_and_continued_lines(tmp_path):
    blocks = read(tmp_path, """\
# a comment
NAME one
PROG BEGIN { printf("a\\n");
       exit(); }
EXPECT a
EXPECT_EXIT 3

NAME two
RUN true
BEFORE x
BEFORE y
EXPECT_NONE b
TIMEOUT 2
""")
    assert [block.NAME for block in blocks] == ["one", "two"]
    assert blocks[0].PROG == 'BEGIN { printf("a\\n");\n  exit(); }'
    assert blocks[0].expects == [("EXPECT", "a")]
    assert blocks[0].EXPECT_EXIT == 3
    assert blocks[1].BEFORE == ["x", "y"] and blocks[1].TIMEOUT == 2


@pytest.mark.parametrize("text,why", [
    ("NAME a\nPROG x\n", "nothing is expected"),
    ("PROG x\nEXPECT a\n", "NAME is missing"),
    ("NAME a\nEXPECT a\n", "one of PROG"),
    ("NAME a\nPROG x\nRUN y\nEXPECT a\n", "one of PROG"),
    ("NAME a\nPROG x\nEXPEKT a\n", "no directive EXPEKT"),
    ("NAME a\nNAME b\nPROG x\nEXPECT a\n", "NAME is there twice"),
    ("NAME a\nPROG x\nEXPECT a\n\nNAME a\nPROG x\nEXPECT a\n", "twice"),
])
def test_blocks_refused(tmp_path, text, why):
    with pytest.raises(BlockError, match=why):
        read(tmp_path, text)


def test_expect_compares_whole_lines(tmp_path):
    output = "one\n  two  \nthree four\n"
    assert expectation_met("EXPECT", "two", output, tmp_path)
    assert expectation_met("EXPECT", "one\ntwo", output, tmp_path)
    assert not expectation_met("EXPECT", "three", output, tmp_path)
    assert not expectation_met("EXPECT", "one\nthree four", output, tmp_path)
    assert expectation_met("EXPECT_NONE", "three", output, tmp_path)
    assert not expectation_met("EXPECT_NONE", "two", output, tmp_path)


def test_expect_regex(tmp_path):
    assert expectation_met("EXPECT_REGEX", r"^a\d+$", "x\na12\n", tmp_path)
    assert not expectation_met("EXPECT_REGEX_NONE", r"^a\d+$", "x\na12\n", tmp_path)


def test_expect_files(tmp_path):
    (tmp_path / "t").write_text("\na\nb\n")
    assert expectation_met("EXPECT_FILE", "t", "a\nb\n", tmp_path)
    assert not expectation_met("EXPECT_FILE", "t", "a\n b\n", tmp_path)
    (tmp_path / "j").write_text('{"a": 1, "b": 2}\n')
    assert expectation_met("EXPECT_JSON", "j", '{"b": 2, "a": 1}', tmp_path)
    assert not expectation_met("EXPECT_JSON", "j", '{"a": 1}', tmp_path)
