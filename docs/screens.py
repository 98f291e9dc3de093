#!/usr/bin/python3
"""A picture of skep watch's screen, as this machine is: docs/screens.py [COLUMNS LINES [SECONDS]] >x.svg

With --text, the screen as text. The terminal is pyte's (Debian's python3-pyte); what is drawn is
what stands in its cells, with their colours.
"""

import html
import os
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests" / "scripts"))

from screen import Terminal  # noqa: E402

SKEP = os.environ.get("SKEP", str(TOP / "build" / "skep"))
WIDTH, HEIGHT = 8.4, 17
COLOURS = {"default": "#d8d8d8", "blue": "#6ea8fe", "red": "#ff6b6b", "green": "#7bd88f",
           "black": "#1b1d23", "brown": "#e5c07b", "cyan": "#56c2c2", "magenta": "#c792ea",
           "white": "#ffffff"}


def runs(line, columns):
    """(first column, text, cell) of stretches that look alike."""
    start = 0
    for x in range(1, columns + 1):
        if x == columns or line[x][1:] != line[start][1:]:
            yield start, "".join(line[i].data for i in range(start, x)), line[start]
            start = x


def svg_run(x, y, text, cell):
    front, back = COLOURS.get(cell.fg, COLOURS["default"]), None
    if cell.reverse:
        front, back = COLOURS["black"], front
    if back:
        yield (f'<rect x="{x * WIDTH:.1f}" y="{y * HEIGHT}" width="{len(text) * WIDTH:.1f}"'
               f' height="{HEIGHT}" fill="{back}"/>')
    if not text.strip() and not cell.underscore:
        return
    style = ' font-weight="bold"' if cell.bold else ""
    style += ' text-decoration="underline"' if cell.underscore else ""
    yield (f'<text x="{x * WIDTH:.1f}" y="{y * HEIGHT + 13}" textLength="{len(text) * WIDTH:.1f}"'
           f' fill="{front}"{style}>{html.escape(text)}</text>')


def svg(screen):
    width, height = screen.columns * WIDTH, screen.lines * HEIGHT
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-8 -8 {width + 16:.0f} {height + 16}"'
           f' font-family="monospace" font-size="14" xml:space="preserve">')
    yield (f'<rect x="-8" y="-8" width="{width + 16:.0f}" height="{height + 16}" rx="6"'
           f' fill="{COLOURS["black"]}"/>')
    for y in range(screen.lines):
        for x, text, cell in runs(screen.buffer[y], screen.columns):
            yield from svg_run(x, y, text, cell)
    yield "</svg>"


def main():
    numbers = [int(word) for word in sys.argv[1:] if not word.startswith("-")]
    columns, lines, seconds = numbers + [100, 30, 4][len(numbers):]
    with Terminal([SKEP, "watch"], columns=columns, lines=lines) as terminal:
        for _ in range(seconds * 2):
            terminal.read(0.5)
        print(terminal.text if "--text" in sys.argv else "\n".join(svg(terminal.screen)))


if __name__ == "__main__":
    main()
