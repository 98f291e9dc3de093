/*
 * The flame graph in the browser. What is drawn follows from four things, which are in the
 * address behind "#", so that a view can be linked to and the browser's "back" goes back:
 *
 *	z=NODE   zoomed into    q=REGEXP   searched    c=COLOURS    y=up|down   direction
 *
 * Nodes are arrays by number, from callers to callees, depth first: those that a node calls,
 * however deep, are the numbers from it to its end[]. Drawn is what is half a pixel wide.
 *
 * Each step into a node is an entry of the browser's history, and says there which step it is:
 * so "Back" knows, also when the browser's was pressed or the page came again, whether there is
 * one to go back to that is not another page.
 */
"use strict";
(function () {
const SVG = "http://www.w3.org/2000/svg", XHTML = "http://www.w3.org/1999/xhtml";
const LEAST_PIXELS = 0.5, TEXT_PIXELS = 24, HEAD = 130;
const svg = document.getElementById("flame");
const profile = JSON.parse(document.getElementById("profile").textContent);
const { strings, frames, kinds } = profile;
const isCoarse = matchMedia("(pointer: coarse)").matches;
const ROW = isCoarse ? 26 : 18;

/* --- The profile ---------------------------------------------------------------------- */

const width = profile.is_diff ? 4 : 3;
const count = profile.nodes.length / width;
const frameOf = new Uint32Array(count), depth = new Uint32Array(count);
const caller = new Int32Array(count), end = new Uint32Array(count);
const before = new Float64Array(count), now = new Float64Array(count);
const left = new Float64Array(count);

function readNodes() {
	const path = [];
	for (let i = 0; i < count; i++) {
		const at = i * width;
		frameOf[i] = profile.nodes[at];
		depth[i] = profile.nodes[at + 1];
		before[i] = profile.is_diff ? Number(profile.nodes[at + 2]) : 0;
		now[i] = Number(profile.nodes[at + width - 1]);
		path.length = depth[i];
		caller[i] = depth[i] ? path[depth[i] - 1] : -1;
		path.push(i);
		end[i] = i + 1;
	}
}

/* From what nodes weigh themselves to what they weigh with all that they call. */
function sumUp() {
	const next = new Float64Array(count);
	for (let i = count - 1; i > 0; i--) {
		before[caller[i]] += before[i];
		now[caller[i]] += now[i];
		end[caller[i]] = Math.max(end[caller[i]], end[i]);
	}
	for (let i = 1; i < count; i++) {
		left[i] = left[caller[i]] + next[caller[i]];
		next[caller[i]] += weight(i);
	}
}

function weight(i) {
	return before[i] + now[i];
}

function nameOf(i) {
	return i ? strings[frames[3 * frameOf[i]]] : "all";
}

function moduleOf(i) {
	return strings[frames[3 * frameOf[i] + 1]];
}

function kindOf(i) {
	return i ? frames[3 * frameOf[i] + 2] : 5;
}

/* --- Words ---------------------------------------------------------------------------- */

function percent(share) {
	return (100 * share).toFixed(share < 0.001 && share > 0 ? 3 : 1) + "%";
}

function steps(value, units, step) {
	let unit = 0;
	while (value >= step && unit < units.length - 1) {
		value /= step;
		unit++;
	}
	return (unit ? value.toPrecision(3) : value) + " " + units[unit];
}

function quantity(value) {
	if (profile.unit === "nanoseconds")
		return steps(value, ["ns", "us", "ms", "s"], 1000);
	if (profile.unit === "bytes")
		return steps(value, ["B", "KiB", "MiB", "GiB", "TiB"], 1024);
	return value.toLocaleString("en") + (profile.unit === "count" ? "" : " " + profile.unit);
}

/* Shares of a difference are told as they were and are; all others of what is all. */
function sharesOf(i) {
	if (profile.is_diff) {
		const was = before[i] / before[0] || 0, is = now[i] / now[0] || 0;
		const change = (100 * (is - was)).toFixed(1);
		return `${percent(was)} before, ${percent(is)} now (${change < 0 ? "" : "+"}${change})`;
	}
	return `${percent(now[i] / now[0])}, ${quantity(now[i])}`;
}

function describe(i) {
	const module = moduleOf(i) ? ` (${moduleOf(i)})` : "";
	return `${nameOf(i)}${module}: ${sharesOf(i)}`;
}

/* --- Colours -------------------------------------------------------------------------- */

function hash(text) {
	let value = 2166136261;
	for (const byte of new TextEncoder().encode(text))
		value = Math.imul(value ^ byte, 16777619) >>> 0;
	return value;
}

function byKind(i) {
	const [, hue, hues, saturation, light] = kinds[kindOf(i)];
	const value = hash(nameOf(i));
	return `hsl(${hue + value % hues},${saturation}%,${light + (value >>> 6) % 10}%)`;
}

function byModule(i) {
	return moduleOf(i) ? `hsl(${hash(moduleOf(i)) % 360},62%,68%)` : byKind(i);
}

function byName(i) {
	const value = hash(nameOf(i));
	return `hsl(${value % 360},60%,${62 + (value >>> 9) % 14}%)`;
}

function byChange(i) {
	const change = Math.max(-1, Math.min(1, 3 * (now[i] / now[0] - before[i] / before[0]) || 0));
	return `hsl(${change > 0 ? 8 : 212},85%,${Math.round(92 - 34 * Math.abs(change))}%)`;
}

const colours = { kind: byKind, module: byModule, name: byName };
if (profile.is_diff)
	colours.change = byChange;
const cache = new Map();

function colourOf(i) {
	if (view.colour === "change")
		return byChange(i);
	const key = view.colour + frameOf[i];
	if (!cache.has(key))
		cache.set(key, colours[view.colour](i));
	return cache.get(key);
}

/* --- What is looked at ---------------------------------------------------------------- */

const usual = { zoom: 0, query: "", colour: profile.is_diff ? "change" : "kind", isDown: false };
const view = { ...usual };
let focus = 0, matches = null, step = 0, remembering = 0;

function readAddress() {
	const given = new URLSearchParams(location.hash.slice(1));
	const zoom = Number(given.get("z"));
	view.zoom = Number.isInteger(zoom) && zoom > 0 && zoom < count && weight(zoom) > 0 ? zoom : 0;
	view.query = given.get("q") || "";
	view.colour = Object.hasOwn(colours, given.get("c")) ? given.get("c") : usual.colour;
	view.isDown = given.has("y") ? given.get("y") === "down" : usual.isDown;
}

function address() {
	const said = new URLSearchParams();
	if (view.zoom)
		said.set("z", view.zoom);
	if (view.query)
		said.set("q", view.query);
	if (view.colour !== usual.colour)
		said.set("c", view.colour);
	if (view.isDown !== usual.isDown)
		said.set("y", view.isDown ? "down" : "up");
	return "#" + said;
}

/* Some places that pages are shown in do not let them have a history. */
function remember(isStep) {
	clearTimeout(remembering);
	remembering = 0;
	try {
		history[isStep ? "pushState" : "replaceState"]({ step: step + isStep }, "", address());
		step += isStep;
	} catch (error) {
		step = 0;
	}
}

/* What is left behind is as it was last. */
function change(what, isStep) {
	if (isStep && remembering)
		remember(0);
	Object.assign(view, what);
	remember(isStep ? 1 : 0);
	show();
}

/* At each key: nothing is drawn anew, and browsers do not like the address to change that often. */
function look(query) {
	view.query = query;
	clearTimeout(remembering);
	remembering = setTimeout(remember, 400, 0);
	showFound();
}

function zoom(i) {
	focus = i;
	if (i !== view.zoom)
		change({ zoom: i }, true);
}

function back() {
	if (step > 0)
		history.back();
	else
		change({ zoom: Math.max(0, caller[view.zoom]) }, false);
}

function reset() {
	focus = 0;
	change({ zoom: 0, query: "" }, view.zoom !== 0);
}

/* --- Searching ------------------------------------------------------------------------ */

/* As a regular expression, or if it is none as it is; capitals count where there are any. */
function pattern(query) {
	const flags = /[A-Z]/.test(query) ? "" : "i";
	try {
		return new RegExp(query, flags);
	} catch (error) {
		return new RegExp(query.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), flags);
	}
}

/* Which frames match, by number. */
function search() {
	const found = new Uint8Array(frames.length / 3);
	if (!view.query)
		return null;
	const wanted = pattern(view.query);
	for (let f = 1; f < found.length; f++)
		found[f] = wanted.test(strings[frames[3 * f]]) || wanted.test(strings[frames[3 * f + 1]]);
	return found;
}

/* Of those that match, the ones that are in what is zoomed into. */
function countMatching() {
	const seen = new Set();
	for (let i = Math.max(view.zoom, 1); i < end[view.zoom]; i++)
		if (matches[frameOf[i]])
			seen.add(frameOf[i]);
	return seen.size;
}

/* What matches calls is part of it: so from a match to its end nothing is counted again. */
function matched() {
	const functions = countMatching();
	let was = 0, is = 0;
	for (let i = view.zoom; i < end[view.zoom];) {
		if (i && matches[frameOf[i]]) {
			was += before[i];
			is += now[i];
			i = end[i];
		} else {
			i++;
		}
	}
	const share = profile.is_diff ?
		`${percent(was / before[view.zoom] || 0)} before, ${percent(is / now[view.zoom] || 0)} now` :
		percent(is / now[view.zoom] || 0);
	return `${share} in ${functions} matching function${functions === 1 ? "" : "s"}`;
}

/* --- Elements ------------------------------------------------------------------------- */

function make(space, tag, attributes, parent, text) {
	const element = document.createElementNS(space, tag);
	for (const [key, value] of Object.entries(attributes))
		element.setAttribute(key, value);
	if (text !== undefined)
		element.textContent = text;
	if (parent)
		parent.append(element);
	return element;
}

function html(tag, attributes, parent, text) {
	return make(XHTML, tag, attributes, parent, text);
}

function button(parent, word, title, action) {
	const element = html("button", { type: "button", title }, parent, word);
	element.addEventListener("click", action);
	return element;
}

function chooser(parent) {
	const element = html("select", { "aria-label": "colours", title: "colours (c)" }, parent);
	for (const name of Object.keys(colours))
		html("option", { value: name }, element, "by " + name);
	element.addEventListener("change", () => change({ colour: element.value }, false));
	return element;
}

function searchField(parent) {
	const element = html("input", { type: "search", placeholder: "search: regular expression",
		"aria-label": "search functions by a regular expression", title: "search (/)" }, parent);
	element.addEventListener("input", () => look(element.value));
	return element;
}

function bar() {
	const holder = make(SVG, "foreignObject", { x: 0, y: 0 }, svg);
	const all = html("div", { class: "bar" }, holder);
	html("h1", {}, all, profile.head);
	const tools = html("div", { class: "tools", role: "toolbar", "aria-label": "flame graph" }, all);
	const parts = { holder, all };
	parts.back = button(tools, "Back", "to what was seen before (Backspace)", back);
	parts.reset = button(tools, "Reset", "all again (Escape)", reset);
	parts.flip = button(tools, "Flip", "callers at the bottom or at the top (f)",
		() => change({ isDown: !view.isDown }, false));
	parts.colour = chooser(tools);
	parts.query = searchField(tools);
	parts.matched = html("span", { class: "matched", role: "status" }, tools);
	parts.said = html("p", { class: "said", role: "status" }, all);
	parts.lost = html("p", { class: "lost" }, all,
		profile.losses.length ? "lost: " + profile.losses.join("; ") : "");
	parts.key = html("div", { class: "key" }, all);
	return parts;
}

/* --- Drawing -------------------------------------------------------------------------- */

readNodes();
sumUp();
const picture = document.getElementById("picture");
const parts = bar();
const graph = make(SVG, "g", { role: "tree", "aria-label": "flame graph: " + profile.head }, svg);
const tip = make(SVG, "foreignObject", { width: 1, height: 1, style: "overflow: visible",
	"pointer-events": "none" }, svg);
let drawn = new Map(), letter = 7.2, total_width = 1200, rows = 1;

function measure() {
	const probe = make(SVG, "text", {}, svg, "0123456789");
	letter = probe.getComputedTextLength() / 10 || letter;
	probe.remove();
}

function rowOf(i) {
	return (view.isDown ? depth[i] : rows - 1 - depth[i]) * ROW;
}

function label(i, pixels) {
	const room = Math.floor((pixels - 6) / letter), name = nameOf(i);
	if (name.length <= room)
		return name;
	return room > 2 ? name.slice(0, room - 1) + "…" : "";
}

function drawFrame(i, x, pixels, into) {
	const isWide = pixels >= TEXT_PIXELS;
	const y = rowOf(i);
	const box = document.createElementNS(SVG, "rect");
	box.setAttribute("x", x);
	box.setAttribute("y", y);
	box.setAttribute("width", Math.max(pixels - (pixels > 3 ? 0.6 : 0), 0.5));
	box.setAttribute("height", ROW - 1);
	box.setAttribute("rx", isWide ? 2 : 0);
	box.setAttribute("fill", colourOf(i));
	box.setAttribute("class", "frame" + (depth[i] < depth[view.zoom] ? " faded" : "") +
		(isFound(i) ? " found" : ""));
	box.node = i;
	if (isWide || i === focus)
		nameBox(box);
	drawn.set(i, box);
	into.append(box);
	if (isWide)
		make(SVG, "text", { x: x + 3, y: y + ROW / 2 + 4 }, into, label(i, pixels));
}

/* For those who do not see it. Not for what is too narrow to be told from others. */
function nameBox(box) {
	box.setAttribute("role", "treeitem");
	box.setAttribute("aria-level", depth[box.node] + 1);
	box.setAttribute("aria-label", describe(box.node));
	box.setAttribute("tabindex", box.node === focus ? 0 : -1);
}

/* Those that called it, over the whole width, then it and what it calls, as far as it is wide. */
function drawFrames(into) {
	const scale = (total_width - 2) / weight(view.zoom);
	for (let i = caller[view.zoom]; i >= 0; i = caller[i])
		drawFrame(i, 1, total_width - 2, into);
	for (let i = view.zoom; i < end[view.zoom];) {
		const pixels = weight(i) * scale;
		if (pixels < LEAST_PIXELS) {
			i = end[i];
			continue;
		}
		drawFrame(i, 1 + (left[i] - left[view.zoom]) * scale, pixels, into);
		i++;
	}
}

/* How many rows there are to see. */
function countRows() {
	const least = weight(view.zoom) / (total_width - 2) * LEAST_PIXELS;
	let most = depth[view.zoom];
	for (let i = view.zoom; i < end[view.zoom];) {
		if (weight(i) < least) {
			i = end[i];
			continue;
		}
		most = Math.max(most, depth[i]);
		i++;
	}
	return most + 1;
}

function showKey() {
	const used = new Set();
	parts.key.textContent = "";
	if (view.colour === "change") {
		for (const [word, fill] of [["more than before", "hsl(8,85%,62%)"],
			["less", "hsl(212,85%,62%)"], ["as before", "hsl(212,85%,92%)"]])
			keyItem(word, fill);
		return;
	}
	if (view.colour !== "kind")
		return;
	for (let f = 1; f < frames.length / 3; f++)
		used.add(frames[3 * f + 2]);
	for (const kind of [...used].sort((a, b) => a - b)) {
		const [word, hue, , saturation, light] = kinds[kind];
		keyItem(word, `hsl(${hue},${saturation}%,${light + 3}%)`);
	}
}

function keyItem(word, fill) {
	const item = html("span", {}, parts.key);
	html("i", { style: "background: " + fill }, item);
	item.append(word);
}

function showBar() {
	parts.back.disabled = !view.zoom && !step;
	parts.colour.value = view.colour;
	if (parts.query.value !== view.query)
		parts.query.value = view.query;
	showFound();
	showKey();
}

/* A phone's own word for it is that of a page as wide as the picture was, at first. */
function windowHeight() {
	const root = document.documentElement;
	return root === svg ? window.innerHeight : root.clientHeight || window.innerHeight;
}

/* The graph begins where the bar ends, however many lines what it says takes. */
function fit() {
	parts.holder.setAttribute("width", total_width);
	parts.holder.setAttribute("height", 1000);
	const top = Math.ceil(parts.all.getBoundingClientRect().height) + 2;
	parts.holder.setAttribute("height", top);
	graph.setAttribute("transform", `translate(0, ${top})`);
	svg.setAttribute("height", Math.max(top + rows * ROW + 10, windowHeight()));
}

function isFound(i) {
	return matches !== null && i > 0 && matches[frameOf[i]] === 1;
}

function showFound() {
	matches = search();
	for (const [i, box] of drawn)
		box.classList.toggle("found", isFound(i));
	parts.reset.disabled = !view.zoom && !view.query;
	parts.matched.textContent = matches ? matched() : "";
	fit();
}

function say(words) {
	parts.said.textContent = words;
	fit();
}

/* One of the frames is in the order of the Tab key: one that there is. */
function findFocus() {
	if (!(focus >= view.zoom && focus < end[view.zoom] && isDrawn(focus)))
		focus = view.zoom;
}

function isDrawn(i) {
	return weight(i) * (total_width - 2) >= LEAST_PIXELS * weight(view.zoom);
}

function show() {
	const hadFocus = graph.contains(document.activeElement);
	total_width = Math.max(280, document.documentElement.clientWidth || window.innerWidth);
	drawn = new Map();
	svg.removeAttribute("viewBox");
	svg.setAttribute("width", total_width);
	rows = countRows();
	findFocus();
	const into = document.createDocumentFragment();
	if (weight(0) > 0)
		drawFrames(into);
	graph.replaceChildren(into);
	hideTip();
	parts.said.textContent = view.zoom ? describe(view.zoom) : "";
	showBar();
	if (hadFocus)
		setFocus(focus);
}

/* --- Pointer -------------------------------------------------------------------------- */

function nodeAt(event) {
	const node = event.target.node;
	return node === undefined ? -1 : node;
}

function hideTip() {
	tip.replaceChildren();
}

function showTip(i, x, y) {
	tip.replaceChildren();
	const box = html("div", { class: "tip" }, tip);
	html("b", {}, box, nameOf(i));
	if (moduleOf(i))
		html("div", {}, box, moduleOf(i));
	html("div", {}, box, sharesOf(i));
	html("div", {}, box, kinds[kindOf(i)][0]);
	const size = box.getBoundingClientRect();
	const isLow = y - window.scrollY + size.height + 24 > window.innerHeight;
	tip.setAttribute("x", Math.max(2, Math.min(x + 12, total_width - size.width - 4)));
	tip.setAttribute("y", isLow ? Math.max(0, y - size.height - 10) : y + 16);
}

graph.addEventListener("click", (event) => {
	const i = nodeAt(event);
	if (i < 0)
		return;
	zoom(i);
	setFocus(i);
});
graph.addEventListener("pointermove", (event) => {
	const i = nodeAt(event);
	if (i < 0 || event.pointerType === "touch")
		return hideTip();
	showTip(i, event.pageX, event.pageY);
});
graph.addEventListener("pointerleave", hideTip);

/* --- Keyboard ------------------------------------------------------------------------- */

/* It is put behind all others, so that none is drawn over its border. */
function setFocus(i) {
	const box = drawn.get(i);
	if (!box)
		return;
	const text = box.nextSibling;
	if (box !== document.activeElement)
		graph.append(box, ...(text && text.tagName === "text" ? [text] : []));
	box.focus();
}

/* However it came there. */
graph.addEventListener("focusin", (event) => {
	const box = event.target, old = drawn.get(focus);
	if (box.node === undefined)
		return;
	if (old)
		old.setAttribute("tabindex", -1);
	focus = box.node;
	nameBox(box);
	say(describe(focus));
});

/* The widest that it calls. */
function widestCallee(i) {
	let best = -1;
	for (let k = i + 1; k < end[i]; k = end[k])
		if (drawn.has(k) && (best < 0 || weight(k) > weight(best)))
			best = k;
	return best;
}

/* The next one drawn in its row, to the right or to the left. */
function beside(i, step) {
	for (let k = i + step; k >= 0 && k < count; k += step)
		if (depth[k] === depth[i] && drawn.has(k))
			return k;
	return -1;
}

function move(key) {
	const inwards = view.isDown ? "ArrowDown" : "ArrowUp";
	let to = -1;
	if (key === "ArrowLeft" || key === "ArrowRight")
		to = beside(focus, key === "ArrowRight" ? 1 : -1);
	else if (key === inwards)
		to = widestCallee(focus);
	else
		to = caller[focus];
	if (to >= 0)
		setFocus(to);
}

function nextColour() {
	const names = Object.keys(colours);
	change({ colour: names[(names.indexOf(view.colour) + 1) % names.length] }, false);
}

const keys = {
	"/": () => parts.query.focus(), f: () => change({ isDown: !view.isDown }, false),
	c: nextColour, Escape: reset, Backspace: back,
	Home: () => setFocus(view.zoom),
};

function inField(event) {
	return event.target.closest && event.target.closest(".bar input, .bar select");
}

function isBusy(event) {
	const isButton = event.target.closest && event.target.closest(".bar button");
	return event.ctrlKey || event.metaKey || event.altKey ||
		(isButton && (event.key === "Enter" || event.key === " "));
}

document.addEventListener("keydown", (event) => {
	if (inField(event)) {
		if (event.key === "Escape" || (event.key === "Enter" && event.target === parts.query)) {
			event.preventDefault();
			event.target.blur();
			setFocus(focus);
		}
		return;
	}
	if (isBusy(event))
		return;
	if (event.key.startsWith("Arrow")) {
		move(event.key);
	} else if (event.key === "Enter" || event.key === " ") {
		zoom(focus);
		setFocus(focus);
	} else if (Object.hasOwn(keys, event.key)) {
		keys[event.key]();
	} else {
		return;
	}
	event.preventDefault();
});

/* --- Begin ---------------------------------------------------------------------------- */

function again() {
	step = history.state && history.state.step || 0;
	readAddress();
	show();
}

/* What is higher than the window begins at its top: so its beginning is in view. */
function findDirection() {
	total_width = Math.max(280, document.documentElement.clientWidth || window.innerWidth);
	usual.isDown = countRows() * ROW + HEAD > windowHeight();
}

if (picture)
	picture.remove();
measure();
findDirection();
again();
window.addEventListener("resize", show);
window.addEventListener("popstate", again);
}());
