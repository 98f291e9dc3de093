#!/usr/bin/python3
"""What others make of the files that skep writes, and skep of theirs.

    tests/profile/peers.py CONVERT [NAME...]

CONVERT is the program made of convert.c. Each check says why it is skipped where its peer is
missing. Peers: protoc, go tool pprof, jsonschema and npm's speedscope (SKEP_SUITES=1: it is
downloaded), FlameGraph (SKEP_FLAMEGRAPH names its folder), chromium.
"""

import collections
import html
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import xml.dom.minidom
from pathlib import Path

HERE = Path(__file__).resolve().parent
SKIPPED = 77  # what meson takes for a skipped test
CONVERT = ""

PERF = """\
nginx 10/11 [000] 1.5:     100 cycles:
\tffffffff81000010 schedule ([kernel.kallsyms])
\t    7f0000000010 read+0x10 (/lib/libc.so.6)
\t    7f0000000020 [unknown] (/usr/sbin/nginx)

nginx 10/12 [000] 1.5:     250 cycles:
\t    7f0000000030 inner (inlined)
\t    7f0000000030 outer (/usr/sbin/nginx)
\t    7f0000000020 main (/usr/sbin/nginx)

node 20/20 [000] 1.5:     50 cycles:
\t    7f0000000040 LazyCompile:~run app.js:3 (/tmp/perf-20.map)
\t    7f0000000020 main (/usr/bin/node)

"""
STACKS = {
    "nginx;[nginx];read;schedule": 100,
    "nginx;main;outer;inner": 250,
    "node;main;LazyCompile:~run app.js:3": 50,
}


class Skip(Exception):
    """A check's peer is not there."""


def need(program, *places):
    found = shutil.which(program) or next((p for p in places if os.access(p, os.X_OK)), None)
    if not found:
        raise Skip(f"there is no {program}")
    return found


def run(*command, data=b"", **kwargs):
    done = subprocess.run([str(word) for word in command], input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, timeout=120, **kwargs)
    assert done.returncode == 0, f"{command}: {done.stderr.decode()[:2000]}"
    return done.stdout


def convert(form, *words):
    return run(CONVERT, form, *words)


def write(folder, name, data):
    path = Path(folder) / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def folded(path, *options):
    """stack → value"""
    lines = convert("folded", *options, path).decode().splitlines()
    return {stack: int(value) for stack, value in (line.rsplit(" ", 1) for line in lines)}


ROW = re.compile(r'^FORMAT\(\w+, +"(\w+)", +"([^"]*)", +\w+, +(\w+)(?:\(\w+\))?, +(\w+)', re.M)


def check_document(folder):
    """docs/profile-formats.md lists what formats.def has."""
    top = HERE.parent.parent
    want = {name: (suffixes.split() if how == "CAN" else [], read == "CAN")
            for name, suffixes, how, read in ROW.findall((top / "src/profile/formats.def").read_text())}
    rows = re.findall(r"^\| `(\w+)` \| (.*?)\| (yes)? *\|", (top / "docs/profile-formats.md").read_text(), re.M)
    assert {name: (re.findall("`(.*?)`", suffixes), bool(read)) for name, suffixes, read in rows} == want


# --- Protocol Buffers ------------------------------------------------------------------------

TOKEN = re.compile(r'\s*(?:(\w+) \{|(\})|(\w+): (?:"((?:[^"\\]|\\.)*)"|(\S+)))')


def parse_text(text):
    """protoc's text as {field: [value or message, …]}; a field that it does not know is a number."""
    root = collections.defaultdict(list)
    stack = [root]
    for opened, closed, field, quoted, plain in TOKEN.findall(text):
        if opened:
            stack.append(collections.defaultdict(list))
            stack[-2][opened].append(stack[-1])
        elif closed:
            stack.pop()
        else:
            unquoted = quoted.encode().decode("unicode_escape").encode("latin-1").decode()
            stack[-1][field].append(unquoted if plain == "" else
                                    {"true": 1, "false": 0}.get(plain) or int(plain))
    assert len(stack) == 1
    assert not re.search(r"^\s*\d+( \{|:)", text, re.M), "a field that the format does not have"
    return root


def protoc(kind, message, data):
    return run(need("protoc"), f"-I{HERE}", kind, f"{message}", HERE / f"{message.split('.')[0]}.proto",
               data=data)


def one(message, field):
    return message[field][-1] if message[field] else 0


def check_pprof_fields(folder):
    """Every field is one of the format; ids lead to what is meant."""
    import gzip
    source = write(folder, "p.perf", PERF)
    plain = gzip.decompress(convert("pprof", "title=on-CPU", source))
    file = parse_text(protoc("--decode", "pprof.File", plain).decode())
    text = file["text"]
    locations = {one(loc, "id"): loc for loc in file["location"]}
    functions = {one(fun, "id"): fun for fun in file["function"]}
    mappings = {one(mapping, "id"): mapping for mapping in file["mapping"]}
    assert text[0] == "" and text[one(file, "shown_type")] == "cycles"
    assert "title: on-CPU" in [text[i] for i in file["comment"]]
    stacks = {}
    for sample in file["sample"]:
        labels = {text[one(label, "key")]: label for label in sample["label"]}
        names = [text[one(labels["comm"], "text")]]
        for place in reversed(sample["location"]):
            for line in reversed(locations[place]["line"]):
                names.append(text[one(functions[one(line, "function")], "name")])
        stacks[";".join(names)] = sample["value"][0]
        assert one(labels["tid"], "number") in (11, 12, 20)
    assert stacks == STACKS
    inlined = [loc for loc in file["location"] if len(loc["line"]) == 2]
    assert len(inlined) == 1
    assert text[one(mappings[one(inlined[0], "mapping")], "path")] == "/usr/sbin/nginx"
    assert text[one(mappings[1], "path")][0] == "/"


def check_pprof_foreign(folder):
    """Ids that are any numbers, parts in any order, strings last."""
    text = ["", "cpu", "nanoseconds", "main", "work", "/bin/x", "a.c", "bytes", "abcd", "tag"]
    source = "".join((
        'sample { location: 900 location: 7 value: 5 value: 50 label { key: 9 number: 3 } }',
        'sample { location: 7 value: 1 value: 10 } sample { location: 8 value: 2 value: 20 }',
        'location { id: 900 mapping: 33 address: 4198416 line { function: 12 line: 8 }'
        ' line { function: 11 line: 3 } }',
        'location { id: 7 mapping: 33 address: 4198500 line { function: 11 line: 4 } }',
        'location { id: 8 mapping: 33 address: 5000000 }',
        'function { id: 11 name: 3 file: 6 } function { id: 12 name: 4 file: 6 }',
        'mapping { id: 33 start: 4194304 limit: 8388608 offset: 4096 path: 5 build: 8 }',
        'value_type { name: 7 unit: 7 } value_type { name: 1 unit: 2 }',
        *(f"text: {json.dumps(t)}" for t in text)))
    path = write(folder, "foreign.pb", protoc("--encode", "pprof.File", source.encode()))
    # The last type is the one that is shown where none is named.
    assert folded(path) == {"main;main;work": 50, "main": 10, "0x4c4b40": 20}
    assert folded(path, "value=bytes")["main;main;work"] == 5
    lines = [json.loads(line) for line in convert("json", path).splitlines()]
    assert {"type": "lost", "what": "labels that are no process or thread", "count": 1} in lines
    frames = next(line for line in lines if line["type"] == "stack")["frames"]
    assert frames[0] == {"name": "work", "module": "/bin/x", "build_id": "abcd", "file": "a.c",
                         "line": 8, "addr": 4198416 - 4194304 + 4096, "kind": "inline"}


def check_otlp_fields(folder):
    source = write(folder, "p.perf", PERF)
    request = parse_text(protoc("--decode", "otlp.Request", convert("otlp", source)).decode())
    scope = request["resource"][0]["scope"][0]
    tables = request["tables"][0]
    text = tables["text"]
    for table in ("mapping", "location", "function", "link", "attribute", "stack"):
        assert not tables[table][0], f"entry 0 of {table} is not empty"
    assert text[0] == "" and one(scope["maker"][0], "name") == "skep"
    assert len(scope["profile"]) == 1
    profile, stacks, threads = scope["profile"][0], {}, set()
    assert text[one(profile["value_type"][0], "name")] == "cycles"
    for sample in profile["sample"]:
        said = {text[one(a, "key")]: a["value"][0]
                for a in (tables["attribute"][i] for i in sample["attribute"])}
        names = [one(said["thread.name"], "text")]
        threads.add((one(said["process.pid"], "number"), one(said["thread.id"], "number")))
        for place in reversed(tables["stack"][one(sample, "stack")]["location"]):
            for line in reversed(tables["location"][place]["line"]):
                names.append(text[one(tables["function"][one(line, "function")], "name")])
        stacks[";".join(names)] = sample["value"][0]
    assert stacks == STACKS
    assert threads == {(10, 11), (10, 12), (20, 20)}
    assert len(set(map(str, tables["attribute"]))) == len(tables["attribute"]), "twice in a table"


# --- go tool pprof ---------------------------------------------------------------------------

def go_pprof(*words):
    go = need("go", "/usr/lib/go-1.19/bin/go")
    return run(go, "tool", "pprof", *words, env={**os.environ, "HOME": "/nonexistent"}).decode()


def check_go_raw(folder):
    path = write(folder, "p.pb.gz", convert("pprof", write(folder, "p.perf", PERF)))
    raw = go_pprof("-raw", path)
    assert "cycles/count[dflt]" in raw
    assert re.search(r"^ +250: .*\n +comm:\[nginx\]\n +pid:\[10\] tid:\[12\]", raw, re.M)
    assert "M=1 inner" in raw and "/usr/sbin/nginx" in raw


def check_go_top(folder):
    path = write(folder, "p.pb.gz", convert("pprof", write(folder, "p.perf", PERF)))
    top = go_pprof("-top", path)
    assert "Showing nodes accounting for 400, 100% of 400 total" in top
    rows = {line.split(None, 5)[5]: line.split()[:1] + line.split()[3:4]
            for line in top.splitlines() if re.match(r" +\d+ ", line)}
    assert rows["inner (inline)"] == ["250", "250"]
    assert rows["main"] == ["0", "300"]


def check_go_diff(folder):
    before = write(folder, "a.pb.gz", convert("pprof", write(folder, "a", "w;a 10\nw;b 10\n")))
    now = write(folder, "b.pb.gz", convert("pprof", write(folder, "b", "w;a 30\nw;b 5\n")))
    top = go_pprof("-top", f"-diff_base={before}", now)
    assert re.search(r"^ +20 .* a$", top, re.M) and re.search(r"^ +-5 .* b$", top, re.M)
    ours = convert("top", now, before).decode()
    assert re.search(r"^ 50\.0%  85\.7% \+35\.7  a$", ours, re.M), ours


def check_go_back(folder):
    """Written by skep, written again by Go, read by skep: the same stacks."""
    source = write(folder, "p.perf", PERF)
    path = write(folder, "p.pb.gz", convert("pprof", source))
    again = Path(folder) / "again.pb.gz"
    go_pprof("-proto", f"-output={again}", path)
    assert folded(again) == folded(source) == STACKS
    assert b'"tid": 12' in convert("json", again)


# --- JSON ------------------------------------------------------------------------------------

def speedscope_stacks(file):
    frames = file["shared"]["frames"]
    profile = file["profiles"][0]
    return {";".join(frames[i]["name"] for i in stack): weight
            for stack, weight in zip(profile["samples"], profile["weights"], strict=True)}


def check_speedscope(folder):
    file = json.loads(convert("speedscope", write(folder, "p.perf", PERF)))
    assert speedscope_stacks(file) == STACKS
    assert file["profiles"][0]["endValue"] == 400


def check_speedscope_schema(folder):
    try:
        import jsonschema
    except ImportError:
        raise Skip("there is no jsonschema (python3-jsonschema)") from None
    if not os.environ.get("SKEP_SUITES"):
        raise Skip("SKEP_SUITES is not set: speedscope would be downloaded")
    try:
        run(need("npm"), "pack", "--silent", "speedscope@1", cwd=folder)
    except (AssertionError, subprocess.TimeoutExpired):
        raise Skip("npm cannot download speedscope") from None
    with tarfile.open(next(Path(folder).glob("speedscope-*.tgz"))) as tar:
        name = next(n for n in tar.getnames() if n.endswith("file-format-schema.json"))
        schema = json.load(tar.extractfile(name))
    source = write(folder, "p.perf", PERF)
    diff = write(folder, "d", "a;b 1 2\na;c 3 0\n")
    for form in ((source,), ("title=x", diff), (write(folder, "ns.pb.gz", convert("pprof", diff)),)):
        jsonschema.validate(json.loads(convert("speedscope", *form)), schema)


def columns(table):
    return {key: value for key, value in table.items() if isinstance(value, list)}


def check_firefox(folder):
    """Columns are of one length; stacks lead to names; everything is there."""
    file = json.loads(convert("firefox", write(folder, "p.perf", PERF)))
    stacks = {}
    assert [t["tid"] for t in file["threads"]] == [11, 12, 20]
    for thread in file["threads"]:
        stack, frame, func = (thread[t] for t in ("stackTable", "frameTable", "funcTable"))
        for table in ("samples", "stackTable", "frameTable", "funcTable", "resourceTable",
                      "nativeSymbols", "markers"):
            lengths = {len(column) for column in columns(thread[table]).values()}
            assert lengths == {thread[table]["length"]}, table
        assert all(p is None or p < i for i, p in enumerate(stack["prefix"]))
        for at, weight in zip(thread["samples"]["stack"], thread["samples"]["weight"]):
            names = []
            while at is not None:
                name = func["name"][frame["func"][stack["frame"][at]]]
                names.append(thread["stringArray"][name])
                at = stack["prefix"][at]
            stacks[";".join([thread["name"], *reversed(names)])] = weight
    assert stacks == STACKS


def check_firefox_diff(folder):
    """Both sides as they were, and what changed: of totals alike, below zero where it is less."""
    now = write(folder, "now", "w;a 30\nw;b 50\n")
    before = write(folder, "before", "w;a 30\nw;c 10\n")
    file = json.loads(convert("firefox", now, before))
    weights = {t["name"]: dict(zip((t["stringArray"][t["funcTable"]["name"][t["stackTable"]["frame"][s]]]
                                    for s in t["samples"]["stack"]), t["samples"]["weight"]))
               for t in file["threads"]}
    assert weights == {"before": {"a": 30, "c": 10, "b": 0}, "now": {"a": 30, "c": 0, "b": 50},
                       "change": {"a": -30, "c": -20, "b": 50}}, weights
    assert all(t["samples"]["time"] == sorted(t["samples"]["time"]) for t in file["threads"])


def check_firefox_units(folder):
    """Of a clock's samples: ms, with all their digits; and the period is one."""
    times = "a 1/1 [000] 1.5: {} cpu-clock:\n\tab f (/x)\n\n"
    file = json.loads(convert("firefox", write(folder, "p", times.format(12345678901234567))))
    samples = file["threads"][0]["samples"]
    assert samples["weightType"] == "tracing-ms" and samples["weight"] == [12345678901.2346]
    assert file["meta"]["interval"] == 1


def check_lines(folder):
    lines = [json.loads(line) for line in convert("json", write(folder, "p.perf", PERF)).splitlines()]
    assert lines[0] == {"type": "profile", "values": [{"name": "cycles", "unit": "count"}]}
    stacks = {";".join([line["comm"], *(f["name"] for f in reversed(line["frames"]))]):
              line["cycles"] for line in lines[1:]}
    assert stacks == STACKS


# --- FlameGraph ------------------------------------------------------------------------------

# Options of stackcollapse-perf.pl, and ours that are the same; it marks inlined code always.
COLLAPSE = {
    "pid": ("root=pid", "marks=4"), "tid": ("root=thread", "marks=4"), "kernel": ("marks=6",),
    "jit": ("marks=12",), "all": ("marks=14",), "addrs": ("addresses=1", "marks=4"),
}
# It makes an empty name of a frame whose name is empty; here that is its file's.
NAMELESS = re.compile(r";\s+(?= \d+$)|;\[libc-2\.15\.so( <\w+>)?\](?= \d+$)", re.M)


def without_nameless(text):
    stacks = collections.Counter()
    for line in NAMELESS.sub(";?", text).splitlines():
        stack, value = line.rsplit(" ", 1)
        stacks[stack] += int(value)
    return stacks


def check_flamegraph(folder):
    """Each of its example files, with each of its options: byte for byte what its script prints."""
    top = os.environ.get("SKEP_FLAMEGRAPH")
    if not top:
        raise Skip("SKEP_FLAMEGRAPH names no folder")
    need("perl")
    n = 0
    for path in sorted(Path(top, "test").glob("*.txt")):
        for option, ours in COLLAPSE.items():
            want = run("perl", Path(top, "stackcollapse-perf.pl"), f"--{option}", path).decode()
            got = convert("folded", *ours, path).decode()
            if path.name == "perf-vertx-stacks-01.txt":
                want, got = without_nameless(want), without_nameless(got)
            assert got == want, f"{path.name} --{option}"
            n += 1
    assert n >= 78
    svg = run("perl", Path(top, "flamegraph.pl"), data=convert("folded", path))
    assert b"</svg>" in svg


# --- The flame graph -------------------------------------------------------------------------

def profile_of(document):
    return json.loads(next(e for e in document.getElementsByTagName("script")
                           if e.getAttribute("type") == "application/json").firstChild.data)


def check_svg(folder):
    """It is XML, whatever names are in it, and holds the whole profile."""
    names = "a<b;\x7f\ufffe\U0001f600;]]>&amp;</script><!-- 7\nb;c 3\n"
    for source, total in ((PERF, 400), (names, 10)):
        text = convert("svg", "title=<&>", write(folder, "p", source))
        profile = profile_of(xml.dom.minidom.parseString(text))
        assert sum(int(n) for n in profile["nodes"][2::3]) == total
        page = convert("html", write(folder, "p", source)).decode()
        assert "http" not in re.sub(r'http://www\.w3\.org/[\w/]+|http-equiv', "", page)


def in_browser(folder, page, script):
    """What @script (JavaScript that fills `said`) says of the page."""
    browser = need("chromium")
    probe = ("<script>addEventListener('load', async () => { const said = {};"
             "try {" + script + "} catch (error) { said.error = String(error); }"
             "document.title = 'SAID' + JSON.stringify(said); });</script></body>")
    path = write(folder, "page.html", page.decode().replace("</body>", probe))
    dom = run(browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,800",
              f"--user-data-dir={folder}/browser", "--virtual-time-budget=20000", "--dump-dom", f"file://{path}")
    said = re.search(r"<title>SAID(.*?)</title>", dom.decode())
    assert said, dom.decode()[:500]
    said = json.loads(html.unescape(said[1]))
    assert "error" not in said, said["error"]
    return said


HELPERS = """
const frames = () => [...document.querySelectorAll(".frame")];
const named = (name) => frames().find((f) => (f.getAttribute("aria-label") || "").startsWith(name));
const width = (name) => Math.round(Number(named(name).getAttribute("width")));
const press = (key) => (document.activeElement || document.body).dispatchEvent(
	new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
const status = () => document.querySelector(".matched").textContent;
const told = () => document.querySelector(".said").textContent;
const click = (name) => named(name).dispatchEvent(new MouseEvent("click", { bubbles: true }));
const button = (name) => [...document.querySelectorAll("button")].find((b) => b.textContent === name);
const comes = (event) => new Promise((done) => addEventListener(event, done, { once: true }));
const look = (text) => { const q = document.querySelector("input"); q.value = text;
	q.dispatchEvent(new Event("input")); };
const focused = () => document.activeElement.getAttribute("aria-label").split(" ")[0];
"""


def check_browser(folder):
    """Search, zoom, back, keys."""
    source = write(folder, "p", "w;main;heavy 60\nw;main;light;leaf_[k] 30\nother;leaf_[k] 10\n")
    said = in_browser(folder, convert("html", source), HELPERS + """
		said.picture = document.getElementById("picture") !== null;
		said.heavy = width("heavy");
		look("^LEAF$"); said.case = status();
		look("^leaf$"); said.leaf = status();
		look("le(af|"); said.broken = status();
		look("main|leaf"); said.nested = status();
		said.found = document.querySelectorAll(".found").length;
		look("");
		click("light"); said.zoomed = width("light"); said.main = width("main"); said.hash = location.hash;
		said.gone = named("heavy") === undefined;
		look("leaf"); said.within = status();
		press("Escape"); said.again = width("heavy"); said.reset = location.hash;
		press("/"); said.field = document.activeElement.tagName;
		press("Escape"); said.on = focused();
		press("ArrowUp"); said.up = focused(); press("ArrowUp"); press("ArrowUp");
		said.widest = focused(); press("ArrowRight"); said.right = focused();
		press("ArrowDown"); said.down = focused();
		press("Enter"); said.entered = width("main");
		const y = (name) => Number(named(name).getAttribute("y"));
		said.flame = y("main") < y("all"); press("f"); said.icicle = y("main") > y("all");
		""")
    assert said == {
        "picture": False, "heavy": 718, "case": "0.0% in 0 matching functions",
        "leaf": "40.0% in 1 matching function", "broken": "0.0% in 0 matching functions",
        "nested": "100.0% in 2 matching functions", "found": 3, "zoomed": 1197, "main": 1197,
        "hash": "#z=6", "gone": True, "within": "100.0% in 1 matching function", "again": 718,
        "reset": "", "field": "INPUT", "on": "all:", "up": "w:", "widest": "heavy:",
        "right": "light:", "down": "main:", "entered": 1197, "flame": True, "icicle": True}, said


def check_browser_back(folder):
    """The page's Back goes where the browser's does, and never out of the page; a link to a view is
    that view; what is searched is told together with what is zoomed into."""
    source = write(folder, "p", "w;main;heavy 60\nw;main;light;leaf_[k] 30\nother;leaf_[k] 10\n")
    said = in_browser(folder, convert("html", source), HELPERS + """
		click("main"); click("light"); look("^leaf$"); click("leaf");
		said.leaf = location.hash; said.told = told(); said.matched = status();
		history.back(); await comes("popstate"); said.light = location.hash;
		button("Back").click(); await comes("popstate"); said.main = location.hash;
		history.forward(); await comes("popstate"); said.again = location.hash;
		history.go(-2); await comes("popstate"); said.all = location.hash;
		said.first = button("Back").disabled;
		document.activeElement.blur(); location.hash = "#z=6"; await comes("hashchange"); said.linked = told().split(":")[0];
		said.up = button("Back").disabled; button("Back").click(); said.caller = told().split(":")[0];
		location.hash = "#z=999"; await comes("hashchange"); said.nowhere = width("all");
		""")
    assert said == {
        "leaf": "#z=7&q=%5Eleaf%24", "told": "leaf: 30.0%, 30", "matched": "100.0% in 1 matching function",
        "light": "#z=6&q=%5Eleaf%24", "main": "#z=4", "again": "#z=6&q=%5Eleaf%24", "all": "",
        "first": True, "linked": "light", "up": False, "caller": "main", "nowhere": 1197}, said


def check_browser_keys(folder):
    """Where the focus is stays in view and in the order of Tab; buttons are pressed by the space
    bar; Enter in the search field leaves what was found."""
    source = write(folder, "p", "w;main;heavy 60000\nw;main;light;leaf_[k] 39999\nw;thin 1\n")
    said = in_browser(folder, convert("html", source), HELPERS + """
		const inTabOrder = () => frames().filter((f) => f.getAttribute("tabindex") === "0")
			.map((f) => f.getAttribute("aria-label").split(":")[0]).join();
		said.tab = inTabOrder();
		named("light").focus(); said.told = told().split(":")[0]; said.moved = inTabOrder();
		said.seen = getComputedStyle(named("light")).strokeWidth;
		press("f"); said.flipped = focused(); press("c"); said.coloured = focused();
		press("Enter"); said.entered = location.hash; said.stays = focused();
		press("Backspace"); await comes("popstate"); said.back = focused();
		button("Flip").focus(); const y = Number(named("main").getAttribute("y"));
		const space = new KeyboardEvent("keydown", { key: " ", bubbles: true, cancelable: true });
		said.space = button("Flip").dispatchEvent(space); said.hash = location.hash;
		press("/"); look("leaf"); press("Enter"); said.matched = status();
		const long = document.querySelector(".said"), graph = document.querySelector("[role=tree]");
		const below = () => graph.getBoundingClientRect().top >=
			document.querySelector(".bar").getBoundingClientRect().bottom;
		said.below = below();
		""")
    assert said == {
        "tab": "all", "told": "light", "moved": "light", "seen": "2px", "flipped": "light:",
        "coloured": "light:", "entered": "#z=4&c=module&y=down", "stays": "light:", "back": "light:",
        "space": True, "hash": "#c=module&y=down", "matched": "40.0% in 1 matching function",
        "below": True}, said


def check_browser_deep(folder):
    """What is higher than the window begins at its top."""
    for deep, down in ((20, False), (60, True)):
        source = write(folder, "p", ";".join(f"f{i}" for i in range(deep)) + " 1\n")
        said = in_browser(folder, convert("html", source), HELPERS + """
		const y = (name) => Number(named(name).getAttribute("y"));
		said.down = y("f1") > y("all");""")
        assert said == {"down": down}, (deep, said)


def check_browser_large(folder):
    """Of 50,000 functions it draws what there are pixels for, and finds what it does not draw."""
    lines = "".join(f"w;f{i // 100:03};g{i:05} 1\n" for i in range(50000))
    said = in_browser(folder, convert("html", write(folder, "p", lines)), HELPERS + """
		said.elements = document.getElementsByTagName("*").length;
		look("^g1234"); said.ten = status();""")
    assert said["elements"] < 3000
    assert said["ten"] == "0.020% in 10 matching functions", said


def check_browser_diff(folder):
    source = write(folder, "p", "w;more 10 30\nw;less 30 10\nw;gone 20 0\nw;same 40 40\n")
    said = in_browser(folder, convert("html", source), HELPERS + """
		for (const name of ["more", "less", "gone", "same"])
			said[name] = named(name).getAttribute("fill").match(/[0-9]+/)[0] +
				named(name).getAttribute("aria-label").slice(4);
		look("gone"); said.search = status();""")
    assert said["more"] == "8: 10.0% before, 37.5% now (+27.5)", said
    assert said["less"] == "212: 30.0% before, 12.5% now (-17.5)"
    assert said["gone"] == "212: 20.0% before, 0.0% now (-20.0)"
    assert said["search"] == "20.0% before, 0.0% now in 1 matching function"


def main():
    global CONVERT
    CONVERT, *names = sys.argv[1:]
    checks = [(name[6:], check) for name, check in globals().items() if name.startswith("check_")]
    results = collections.Counter()
    for name, check in checks:
        if names and not any(word in name for word in names):
            continue
        try:
            with tempfile.TemporaryDirectory() as folder:
                check(folder)
            result = "ok"
        except Skip as why:
            result = f"skipped: {why}"
        except AssertionError as why:
            result = f"FAILED: {why} (line {why.__traceback__.tb_next.tb_lineno})"
        results[result.split(":")[0]] += 1
        print(f"{name}: {result}")
    print(f"{results['ok']} passed, {results['FAILED']} failed, {results['skipped']} skipped")
    if results["FAILED"]:
        return 1
    return 0 if results["ok"] else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
