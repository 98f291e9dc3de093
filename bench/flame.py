#!/usr/bin/python3
"""The flame graph in Chromium: how long until it is drawn, a search, a zoom; by number of functions.

    bench/flame.py [CONVERT]

CONVERT is build/tests/profile/profile-convert. Where SKEP_FLAMEGRAPH names FlameGraph's folder,
the same stacks go through its flamegraph.pl, in turns. Times are the least of the rounds, in ms;
what is worth something on a machine that does other things, too, are ratios.
"""

import html
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 3
SIZES = (1000, 10000, 50000)
WORDS = ("write", "KiB", "drawn", "search", "zoom", "elements")
# Both have a search: ours by its field, theirs by a function of that name.
PROBE = """<script><![CDATA[
addEventListener("load", () => {
	const said = {}, svg = document.querySelector("svg"), field = document.querySelector("input");
	const since = (start) => performance.now() - start;
	const look = (text) => {
		const start = performance.now();
		if (field) {
			field.value = text;
			field.dispatchEvent(new Event("input"));
		} else {
			search(text);
		}
		svg.getBBox();
		return since(start);
	};
	svg.getBBox();
	said.drawn = performance.now();
	said.elements = document.getElementsByTagName("*").length;
	said.search = Math.max(look("f1"), look("f0.*9_"), look("function"));
	const start = performance.now();
	const wide = document.querySelectorAll(field ? ".frame" : "#frames > g > *");
	wide[Math.floor(wide.length / 3)].dispatchEvent(new MouseEvent("click", { bubbles: true }));
	svg.getBBox();
	said.zoom = since(start);
	svg.setAttribute("data-said", JSON.stringify(said));
});
]]></script></svg>"""


def stacks(n):
    """@n different functions, in stacks of up to 60."""
    chance, known, lines = random.Random(n), [[]], []
    for i in range(n):
        base = known[chance.randrange(max(0, len(known) - n // 12), len(known))]
        stack = base[:chance.randrange(60)] if len(base) >= 60 else base
        known.append([*stack, f"f{i:05}_some_function_name"])
        lines.append(f"{';'.join(known[-1])} {int(chance.paretovariate(1))}\n")
    return "".join(lines)


def measure(folder, svg):
    path = Path(folder, "page.svg")
    path.write_text(svg.replace("</svg>", PROBE))
    dom = subprocess.run(["chromium", "--headless=new", "--no-sandbox", "--disable-gpu",
                          "--window-size=1400,900", f"--user-data-dir={folder}/browser",
                          "--timeout=60000", "--dump-dom", f"file://{path}"],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120,
                         check=True).stdout.decode()
    return json.loads(html.unescape(re.search(r'data-said="(.*?)"', dom)[1]))


def run(command, text):
    start = time.monotonic()
    done = subprocess.run(command, input=text, stdout=subprocess.PIPE, text=True, timeout=120,
                          stderr=subprocess.DEVNULL, check=True)
    return done.stdout, 1000 * (time.monotonic() - start)


def best(rounds):
    return {key: min(said[key] for said in rounds) for key in rounds[0]}


def main():
    convert = sys.argv[1] if len(sys.argv) > 1 else "build/tests/profile/profile-convert"
    flamegraph = os.environ.get("SKEP_FLAMEGRAPH")
    print(f"{'functions':>9} {'':13}" + "".join(f"{word:>9}" for word in WORDS))
    for n in SIZES:
        text = stacks(n)
        makers = {"skep": [convert, "svg", "/dev/stdin"]}
        if flamegraph:
            makers["flamegraph.pl"] = ["perl", f"{flamegraph}/flamegraph.pl"]
        rounds = {name: [] for name in makers}
        for _ in range(ROUNDS):
            for name, command in makers.items():
                with tempfile.TemporaryDirectory() as folder:
                    svg, write_ms = run(command, text)
                    rounds[name].append({**measure(folder, svg), "write": write_ms,
                                         "KiB": len(svg) / 1024})
        for name, said in rounds.items():
            told = best(said)
            print(f"{n:9} {name:13}" + "".join(f"{told[word]:9.0f}" for word in WORDS))


if __name__ == "__main__":
    main()
