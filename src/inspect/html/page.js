// Draws one pass of a model from the two data blocks above. Nothing is fetched; no library is used.
"use strict";

const pass = JSON.parse(document.getElementById("pass").textContent);
const { about, nodes, rules, terms } = pass;
const numbers = decode(document.getElementById("numbers").textContent);
const byId = (id) => document.getElementById(id);

// The passes at the checkpoints of the run in order of their steps; the one that the page has in full is `whole`.
const whole = { step: about.step, loss: about.loss, kl_weight: about.kl_weight };
const passes = [...(pass.history?.passes ?? []), whole].sort((a, b) => a.step - b.step);

// What is shown: a sequence and a step (from 0), a node, an element of it, the open groups in order of opening, a pass.
const shown = { sequence: 0, step: 0, node: null, element: null, open: [], pass: whole };

function decode(text) {
  const letters = atob(text.trim()), bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
  return new Float32Array(bytes.buffer);
}

function make(tag, properties = {}, ...children) {
  const e = Object.assign(document.createElement(tag), properties);
  e.append(...children.filter((c) => c !== null && c !== undefined));
  return e;
}

function svg(tag, attributes = {}, ...children) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  e.append(...children);
  return e;
}

// A formula with its indices set low and high: z_t^{l+1}.
function formula(text) {
  return text.split(/([_^](?:\{[^}]*\}|\([^)]*\)|[^\s(),{}]))/).map((part) => {
    const tag = { _: "sub", "^": "sup" }[part[0]];
    return tag && part.length > 1 ? make(tag, { textContent: part.slice(1).replace(/[{}]/g, "") }) : part;
  });
}

// Four digits; very large and very small numbers by their powers of ten.
const digits = (x) => {
  const power = x.toExponential(3).replace("e+", "e"), exponent = Number(power.split("e")[1]);
  if (x === 0 || !Number.isFinite(x)) return String(x);
  if (exponent < -3 || exponent > 4) return power;
  const plain = x.toFixed(Math.max(3 - exponent, 0));
  return plain.includes(".") ? plain.replace(/\.?0+$/, "") : plain;
};
const percent = (x) => x !== 0 && Math.abs(x) < 5e-4 ? "< 0.1 %" : `${(100 * x).toFixed(Math.abs(x) < 0.0995 ? 1 : 0)} %`;

// --- tensors -----------------------------------------------------------------------------------------------------

// A tensor of the page: its numbers, or the means of blocks of rows and columns where `block` is set.
function tensor(index) {
  if (index === null || index === undefined) return null;
  if (pass.tensors[index] === null) return null;
  const { offset, shape, block } = pass.tensors[index];
  const columns = shape.length ? shape[shape.length - 1] : 1;
  const count = shape.reduce((n, axis) => n * axis, 1);
  const stored = block ? Math.ceil(count / columns / block[0]) * Math.ceil(columns / block[1]) : count;
  return { shape, block, columns, data: numbers.subarray(offset, offset + stored) };
}

// The gradient of a node. A value that was joined from its steps to be looked at has it at the steps.
function gradientOf(id) {
  const n = nodes[id];
  if (!n.joined) return tensor(n.grad);
  const [rows, steps, columns] = n.shape, data = new Float32Array(rows * steps * columns);
  for (const [step, part] of n.inputs.map((x) => tensor(nodes[x].grad)).entries()) {
    if (part?.block) return null;
    for (let row = 0; part && row < rows; row++) data.set(part.data.subarray(row * columns, (row + 1) * columns), (row * steps + step) * columns);
  }
  return { shape: n.shape, block: null, columns, data };
}

// Whether a node has one row for every step, or one more for the zero row before the first.
const timed = (node) => node.shape.length >= 2 && node.shape[0] === about.lengths.length * about.draws &&
  (node.shape[1] === about.steps || node.shape[1] === about.steps + 1);

// The rows and columns that a picture shows: of a timed value those of one sequence, of any other all.
function picture(node, t) {
  if (!t) return null;
  if (t.block) {
    const columns = Math.ceil(t.columns / t.block[1]);
    return { rows: t.data.length / columns, columns, data: t.data, first: 0, extra: 0, aggregated: t.block };
  }
  const whole = { rows: t.data.length / t.columns, columns: t.columns, data: t.data, first: 0, extra: 0 };
  if (t.shape.length === 2 && timed(node)) {
    const first = shown.sequence * t.shape[1];
    return { rows: t.shape[1], columns: 1, data: t.data.subarray(first, first + t.shape[1]), first, extra: t.shape[1] - about.steps };
  }
  if (t.shape.length === 3 && node.shape[0] === about.lengths.length * about.draws) {
    const size = t.shape[1] * t.shape[2], first = shown.sequence * size;
    return { rows: t.shape[1], columns: t.shape[2], data: t.data.subarray(first, first + size), first,
      extra: timed(node) ? t.shape[1] - about.steps : 0 };
  }
  return whole;
}

// --- colours -----------------------------------------------------------------------------------------------------

// Values of both signs: blue, neutral, orange (ColorBrewer's RdBu and PuOr, safe for colour-blind readers).
// Sizes: cividis, which looks the same with and without colour blindness.
const stops = {
  signed: [[33, 102, 172], [146, 197, 222], [247, 247, 247], [253, 184, 99], [179, 88, 6]],
  size: [[0, 34, 78], [53, 69, 108], [102, 105, 112], [148, 142, 119], [200, 182, 103], [254, 232, 56]],
};

function colour(scale, x) {
  const s = stops[scale], at = Math.min(Math.max(x, 0), 1) * (s.length - 1), i = Math.min(Math.floor(at), s.length - 2);
  return s[i].map((a, k) => Math.round(a + (s[i + 1][k] - a) * (at - i)));
}

// One pixel a number, `rows` high; `scale` signed or size.
function heat(canvas, rows, columns, at, scale, most) {
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const x = at(r, c);
      const rgb = Number.isFinite(x) ? colour(scale, scale === "signed" ? 0.5 + x / (2 * most || 1) : x / (most || 1)) : [255, 0, 255];
      image.data.set([...rgb, 255], 4 * (r * columns + c));
    }
  }
  context.putImageData(image, 0, 0);
}

const largest = (data) => data.reduce((m, x) => (Number.isFinite(x) ? Math.max(m, Math.abs(x)) : m), 0);

// --- the sequence ------------------------------------------------------------------------------------------------

const named = (label) => nodes.findIndex((n) => n.label === label);

function steps() {
  return about.lengths[Math.floor(shown.sequence / about.draws)];
}

// x in raw units: (T, D)
function raw() {
  const x = tensor(nodes[named("x")].value), d = x.columns, first = shown.sequence * about.steps * d;
  return Array.from({ length: steps() }, (_, t) =>
    Array.from({ length: d }, (_, c) => {
      const moved = x.data[first + t * d + c] * (about.std[c] ?? 1), mean = about.mean[c] ?? 0;
      // What is left of a zero by f32's rounding is zero.
      return Math.abs(moved + mean) < 4 * 2 ** -23 * Math.abs(mean) ? 0 : moved + mean;
    }));
}

let marker = null; // puts the mark of the drawing on a step

function drawData() {
  marker = null;
  const place = byId("drawing");
  place.replaceChildren();
  if (named("x") < 0 || tensor(nodes[named("x")].value).block) return;
  const x = raw();
  if (about.task === "ink") {
    let at = [0, 0], path = "", up = true;
    const points = x.map(([dx, dy, pen]) => {
      at = [at[0] + dx, at[1] - dy];
      path += `${up ? "M" : "L"}${at[0]} ${at[1]}`;
      up = pen > 0.5;
      return at;
    });
    const [xs, ys] = [0, 1].map((k) => points.map((p) => p[k]));
    const box = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
    const size = Math.max(box[2] - box[0], 4 * (box[3] - box[1]), 1e-6), pad = 0.03 * size;
    const view = `${box[0] - pad} ${box[1] - pad} ${box[2] - box[0] + 2 * pad} ${box[3] - box[1] + 2 * pad}`;
    const mark = svg("circle", { r: size / 120, fill: "var(--mark)" });
    marker = (step) => ["cx", "cy"].forEach((name, k) => mark.setAttribute(name, points[step][k]));
    place.append(svg("svg", { viewBox: view, role: "img", "aria-label": "The pen line; the chosen step is marked" },
      svg("path", { d: path, fill: "none", stroke: "currentColor", "stroke-width": size / 400, "stroke-linecap": "round", "stroke-linejoin": "round" }),
      mark));
  } else if (about.task === "speech") {
    const flat = x.flat(), top = largest(flat) || 1, width = 1000, path = [];
    for (let i = 0; i < width; i++) {
      const part = flat.slice(Math.floor(i * flat.length / width), Math.max(Math.floor((i + 1) * flat.length / width), Math.floor(i * flat.length / width) + 1));
      path.push(`M${i} ${50 - 48 * Math.max(...part) / top}V${50 - 48 * Math.min(...part) / top + 0.5}`);
    }
    const strip = make("div", { className: "strip" });
    strip.append(svg("svg", { viewBox: `0 0 ${width} 100`, preserveAspectRatio: "none", role: "img", "aria-label": "The wave" },
      svg("path", { d: path.join(""), stroke: "currentColor", "stroke-width": 1 })));
    place.append(make("div", { className: "row" }, make("span", { textContent: "wave" }), strip));
    cursorOn(strip);
  }
}

// The power of a frame at the frequencies 0 … n/2, in decibels.
function spectrum(frame) {
  const n = frame.length, out = [];
  for (let k = 0; k <= n / 2; k++) {
    let re = 0, im = 0;
    for (let i = 0; i < n; i++) {
      const w = 0.5 - 0.5 * Math.cos(2 * Math.PI * (i + 0.5) / n), a = 2 * Math.PI * k * i / n;
      re += w * frame[i] * Math.cos(a);
      im -= w * frame[i] * Math.sin(a);
    }
    out.push(10 * Math.log10(re * re + im * im + 1e-12));
  }
  return out;
}

// The strips over time: { name, rows: [[T numbers] …], scale, unit }.
function strips() {
  const T = steps(), list = [];
  const xNode = named("x");
  const px = xNode < 0 ? null : tensor(nodes[xNode].value);
  if (px && !px.block) {
    const x = raw();
    if (about.task === "speech") {
      const s = x.map(spectrum), floor = Math.max(...s.flat()) - 60;
      list.push({ name: "spectrogram", scale: "size", rows: s[0].map((_, k) => s.map((f) => Math.max(f[k] - floor, 0))).reverse(), unit: "dB above a floor 60 dB below the loudest" });
    } else if (about.task === "music") {
      list.push({ name: "notes", scale: "size", rows: x[0].map((_, k) => x.map((f) => f[k])).reverse(), unit: "" });
    } else {
      x[0].forEach((_, c) => list.push({ name: (about.channels[c] ?? `x ${c + 1}`), scale: "signed", rows: [x.map((f) => f[c])], unit: "" }));
    }
  }
  const one = (id, which) => {
    if (shown.pass !== whole) {
      const at = shown.pass.profiles[`${which} ${nodes[id].label}`], first = at + shown.sequence * about.steps;
      return at === undefined ? null : [...numbers.subarray(first, first + T)];
    }
    const t = which === "grad" ? gradientOf(id) : tensor(nodes[id].value);
    if (!t || t.block || !timed(nodes[id])) return null;
    const p = picture(nodes[id], t);
    return Array.from({ length: T }, (_, s) => {
      const row = p.data.subarray((s + p.extra) * p.columns, (s + p.extra + 1) * p.columns);
      return p.columns === 1 ? row[0] : Math.sqrt(row.reduce((sum, v) => sum + v * v, 0) / p.columns);
    });
  };
  const lp = named("log_px");
  if (lp >= 0 && one(lp, "value")) list.push({ name: "ln p(x)", scale: "signed", rows: [one(lp, "value")], unit: "nats" });
  const group = (pattern, which, name, unit) => {
    const ids = nodes.map((n, i) => i).filter((i) => pattern.test(nodes[i].label) && one(i, which));
    ids.reverse();
    const order = ids.length > 1 ? `, ${nodes[ids[0]].label} above` : "";
    if (ids.length) list.push({ name: name + order, scale: "size", rows: ids.map((i) => one(i, which)), unit });
  };
  group(/^kl\.\d+$/, "value", "KL of each latent", "nats");
  group(/^z\.\d+$/, "grad", "gradient at z", "rms");
  group(/^(d|d\.\d+|h|b)$/, "grad", "gradient at each level", "rms");
  return list;
}

let strip = [];

// The root mean square of the value or the gradient of a node in a pass, as the table writes it; null if there is none.
function rmsOf(id, which, of = shown.pass) {
  if (of === whole) return nodes[id][`${which}_rms`];
  const x = numbers[of.rms + 2 * id + (which === "grad" ? 1 : 0)];
  return Number.isNaN(x) ? null : x.toExponential(3).replace("e+", "e");
}

function drawRows() {
  const place = byId("rows"), T = steps();
  place.replaceChildren();
  strip = strips();
  for (const s of strip) {
    const canvas = make("canvas");
    const most = largest(s.rows.flat());
    heat(canvas, s.rows.length, T, (r, c) => s.rows[r][c], s.scale, most);
    const height = Math.min(Math.max(s.rows.length * (s.rows.length > 40 ? 1.5 : 14), 16), 140);
    canvas.style.height = `${height}px`;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${s.name} over ${T} steps, largest ${digits(most)} ${s.unit}`);
    const box = make("div", { className: "strip", title: `largest: ${digits(most)} ${s.unit}` }, canvas);
    cursorOn(box);
    place.append(make("div", { className: "row" }, make("span", { textContent: s.name }), box));
  }
}

function cursorOn(box) {
  box.append(make("div", { className: "cursor" }));
  const choose = (event) => {
    const r = box.getBoundingClientRect();
    setStep(Math.floor((event.clientX - r.left) / r.width * steps()));
  };
  box.addEventListener("pointermove", (event) => { if (event.pointerType === "mouse" || event.buttons) choose(event); });
  box.addEventListener("pointerdown", choose);
}

function setStep(t) {
  shown.step = Math.min(Math.max(t, 0), steps() - 1);
  byId("step").value = shown.step + 1;
  byId("step-out").textContent = `${shown.step + 1} of ${steps()}`;
  for (const c of document.querySelectorAll(".strip .cursor")) c.style.left = `${100 * (shown.step + 0.5) / steps()}%`;
  const says = strip.filter((s) => s.rows.length <= 12).map((s) => `${s.name}: ${s.rows.map((r) => digits(r[shown.step])).join(" · ")}`);
  byId("reading").textContent = `Step ${shown.step + 1}. ${says.join(" | ")}`;
  if (marker) marker(shown.step);
  retime();
}

// Boxes folded over time show the chosen step; so does the panel.
function retime() {
  for (const box of document.querySelectorAll(".box[data-series]")) {
    const ids = series.get(box.dataset.series), id = atStep(ids);
    box.dataset.node = id;
    box.querySelector("small").textContent = smallText(id, ids.length);
  }
  const node = shown.node === null ? null : nodes[shown.node];
  if (node && node.step !== undefined) {
    const ids = series.get(seriesOf(shown.node)), id = atStep(ids);
    if (id !== shown.node) {
      trail = [];
      showNode(id, shown.element, false);
    }
  }
}

// --- the graph ---------------------------------------------------------------------------------------------------

const MOST_BOXES = 100;

// Nodes of one place that are the same op at different steps.
const seriesOf = (id) => (nodes[id].step === undefined ? null : `${nodes[id].place}|${nodes[id].series}`);
const series = new Map();
nodes.forEach((n, id) => {
  const key = seriesOf(id);
  if (key !== null) series.has(key) ? series.get(key).push(id) : series.set(key, [id]);
});

// That of the chosen step, or the first where there is none.
const atStep = (ids) => ids.find((id) => nodes[id].step === shown.step) ?? ids[0];

const isOpen = (group) => shown.open.includes(group);
const prefixes = (place) => place.split(".").map((_, i, words) => words.slice(0, i + 1).join("."));
// Groups that hold one op need no opening.
const members = new Map();
nodes.forEach((n, id) => prefixes(n.place).forEach((g) => {
  if (!members.has(g)) members.set(g, new Set());
  members.get(g).add(seriesOf(id) ?? id);
}));

// The box in which a node is seen now: { key, group } or { key, id }.
function boxOf(id) {
  for (const group of prefixes(nodes[id].place)) {
    if (members.get(group).size > 1 && !isOpen(group)) return { key: group, group };
  }
  const s = seriesOf(id);
  return s === null ? { key: `#${id}`, id } : { key: s, id, series: s };
}

function boxes() {
  const found = new Map();
  nodes.forEach((_, id) => {
    const box = boxOf(id);
    if (!found.has(box.key)) found.set(box.key, { ...box, first: id, ids: [] });
    found.get(box.key).ids.push(id);
  });
  return found;
}

function open(group) {
  // Above MOST_BOXES, other groups close, oldest first; this one and those around it stay open.
  shown.open = shown.open.filter((g) => g !== group).concat(group);
  while (boxes().size > MOST_BOXES && shown.open.some((g) => g !== group && !group.startsWith(`${g}.`))) {
    const out = shown.open.find((g) => g !== group && !group.startsWith(`${g}.`));
    shown.open = shown.open.filter((g) => g !== out && !g.startsWith(`${out}.`));
  }
  drawGraph();
}

function close(group) {
  shown.open = shown.open.filter((g) => g !== group && !g.startsWith(`${group}.`));
  drawGraph();
}

const nameOf = (id) => nodes[id].label || rules[nodes[id].rule].name;
const isParameter = (n) => n.parameter === true;

function smallText(id, of) {
  const n = nodes[id];
  const step = of > 1 ? `step ${n.step + 1} of ${of}, ` : "";
  const grad = rmsOf(id, "grad");
  return `${step}${n.label ? rules[n.rule].name : `node ${id}`} (${n.shape.join(", ")})${grad ? `, gradient ${grad}` : ""}`;
}

function boxElement(box) {
  const b = make("button", { className: "box", type: "button" });
  b.dataset.key = box.key;
  if (box.group !== undefined) {
    const parameters = box.ids.filter((id) => isParameter(nodes[id])).reduce((n, id) => n + nodes[id].shape.reduce((a, x) => a * x, 1), 0);
    const said = pass.equations[box.group.split(".")[0]];
    b.append(`▸ ${box.group}`, make("small", { textContent: `${members.get(box.group).size} nodes${parameters ? `, ${parameters} parameters` : ""}` }));
    if (said) b.append(make("small", {}, ...formula(said)));
    b.setAttribute("aria-expanded", "false");
    b.addEventListener("click", () => open(box.group));
  } else {
    const id = box.series ? atStep(series.get(box.series)) : box.id;
    b.dataset.node = id;
    if (box.series) b.dataset.series = box.series;
    b.append(nameOf(id).replace(`${nodes[id].place}.`, ""), make("small", { textContent: smallText(id, box.series ? series.get(box.series).length : 1) }));
    b.addEventListener("click", () => showNode(Number(b.dataset.node)));
  }
  return b;
}

function drawGraph() {
  const all = boxes(), list = [...all.values()].sort((a, b) => a.first - b.first);
  const order = new Map(list.map((box, i) => [box.key, i]));
  // The norm of all terms between two boxes taken together.
  const flows = new Map();
  const flow = (from, to, size) => {
    const [a, b] = [boxOf(from).key, boxOf(to).key];
    if (a === b) return;
    const key = `${order.get(a)} ${order.get(b)}`;
    flows.set(key, Math.hypot(flows.get(key) ?? 0, size));
  };
  nodes.forEach((n, id) => n.inputs.forEach((x) => flow(x, id, 0)));
  terms.forEach(([consumer, input, norm]) => flow(input, consumer, norm));
  // A row for each box: one below its lowest input. Edges that point back are drawn and not counted.
  const layer = list.map(() => 0), edges = [...flows].map(([key, size]) => [...key.split(" ").map(Number), size]);
  edges.filter(([a, b]) => a < b).sort((x, y) => x[1] - y[1] || x[0] - y[0]).forEach(([a, b]) => { layer[b] = Math.max(layer[b], layer[a] + 1); });
  // A box without inputs, such as a parameter, stands just above its first reader.
  list.forEach((_, i) => {
    const out = edges.filter(([a, b]) => a === i && b > i).map(([, b]) => layer[b]);
    if (!edges.some(([a, b]) => b === i && a < i) && out.length) layer[i] = Math.max(Math.min(...out) - 1, 0);
  });
  const place = byId("boxes"), element = [];
  place.replaceChildren();
  for (let l = 0; l <= Math.max(...layer); l++) {
    const row = make("div", { className: "layer" });
    list.forEach((box, i) => { if (layer[i] === l) row.append((element[i] = boxElement(box))); });
    if (row.children.length) place.append(row);
  }
  const line = byId("open");
  line.replaceChildren(...(shown.open.length ? [make("span", { className: "soft", textContent: "Open:" })] : []),
    ...shown.open.map((g) => {
      const b = make("button", { type: "button", textContent: `▾ ${g} ✕` });
      b.setAttribute("aria-label", `close ${g}`);
      b.addEventListener("click", () => close(g));
      return b;
    }));
  drawEdges(edges, element);
  markChosen();
}

let drawn = null;

function drawEdges(edges, element) {
  drawn = [edges, element];
  const frame = byId("graph").getBoundingClientRect(), back = byId("edges");
  const sizes = edges.map(([, , s]) => s).filter((s) => s > 0), most = Math.max(...sizes, 1e-30), least = Math.min(...sizes, most);
  const width = (s) => (s > 0 ? 1 + 6 * (Math.log(s / least) / (Math.log(most / least) || 1)) : 0.7);
  back.setAttribute("width", byId("graph").scrollWidth);
  back.setAttribute("height", byId("graph").scrollHeight);
  back.replaceChildren(...edges.map(([a, b, size]) => {
    const [p, q] = [a, b].map((i) => element[i].getBoundingClientRect());
    const [x1, y1, x2, y2] = [(p.left + p.right) / 2 - frame.left, p.bottom - frame.top, (q.left + q.right) / 2 - frame.left, q.top - frame.top];
    const bend = Math.max(Math.abs(y2 - y1) / 2, 14);
    // What goes to a later step of a recurrent model goes up, round the left of the boxes.
    const [xl, yl, xm, ym] = [p.left - frame.left, (p.top + p.bottom) / 2 - frame.top, q.left - frame.left, (q.top + q.bottom) / 2 - frame.top];
    const side = Math.max(Math.min(xl, xm) - 40, 2);
    const line = y2 > y1 ? `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}` : `M${xl} ${yl}C${side} ${yl} ${side} ${ym} ${xm} ${ym}`;
    const path = svg("path", { d: line, "stroke-width": width(size) });
    path.dataset.ends = `${element[a].dataset.key}→${element[b].dataset.key}`;
    path.append(svg("title", {}, `norm of the gradient: ${digits(size)}`));
    return path;
  }));
}

function markChosen() {
  const key = shown.node === null ? null : boxOf(shown.node).key;
  for (const box of document.querySelectorAll(".box")) box.classList.toggle("chosen", box.dataset.key === key);
  for (const path of document.querySelectorAll("#edges path")) {
    const [a, b] = path.dataset.ends.split("→");
    path.classList.toggle("chosen", a === key || b === key);
  }
}

// --- a node ------------------------------------------------------------------------------------------------------

function nodeButton(id, text) {
  const b = make("button", { type: "button", className: "link", textContent: text ?? `${id} ${nameOf(id)}` });
  b.addEventListener("click", () => showNode(id));
  return b;
}

// The terms of every node's gradient, in the order of the consumers.
const termsOf = new Map();
terms.slice().reverse().forEach((term) => termsOf.has(term[1]) ? termsOf.get(term[1]).push(term) : termsOf.set(term[1], [term]));
const consumers = (id) => termsOf.get(id) ?? [];

function showNode(id, element = null, scroll = true) {
  shown.node = id;
  shown.element = element;
  const n = nodes[id], rule = rules[n.rule], place = byId("node");
  place.replaceChildren();
  byId("node-title").textContent = n.label ? `${n.label}: node ${id}, ${rule.name}` : `${rule.name} of ${n.place}: node ${id}`;
  const said = pass.equations[(n.label || n.place).split(".")[0]];
  const where = [`shape (${n.shape.join(", ")})`, `in ${n.place}`, n.step !== undefined ? `step ${n.step + 1}` : null, n.source ? `recorded at ${n.source}` : null];
  place.append(make("p", { className: "soft", textContent: where.filter(Boolean).join(" · ") }));
  if (said) place.append(make("p", {}, "In the paper: ", ...formula(said)));
  if (n.inputs.length) {
    place.append(make("pre", { className: "formula", textContent: `${rule.forward}\n${rule.vjp}` }));
    const line = make("p", { textContent: "Computed from " });
    const few = n.inputs.length > 9 ? [...n.inputs.slice(0, 4), null, ...n.inputs.slice(-4)] : n.inputs;
    few.forEach((x, i) => line.append(i ? ", " : "", x === null ? `… (${n.inputs.length - 8} more)` : nodeButton(x)));
    place.append(line);
  }
  if (passes.length > 1) place.append(...overTraining(id));
  const maps = make("div", { className: "maps" });
  maps.append(map(id, "value", "Value", n.value_rms), map(id, "grad", "Gradient ∂L/∂", n.grad_rms));
  place.append(maps);
  const rows = consumers(id);
  if (rows.length) {
    place.append(make("h3", { textContent: "Where the gradient comes from" }));
    const body = make("tbody");
    rows.slice().sort((a, b) => Math.abs(b[4]) - Math.abs(a[4])).slice(0, 40).forEach(([consumer, , , rms, share]) => {
      const bar = make("span", { className: share < 0 ? "bar minus" : "bar" });
      bar.style.width = `${Math.min(Math.abs(share), 1) * 6}rem`;
      body.append(make("tr", {}, make("td", {}, nodeButton(consumer)), make("td", {}, make("code", { className: "formula", textContent: rules[nodes[consumer].rule].vjp })),
        make("td", { className: "number", textContent: rms }), make("td", { className: "number", textContent: percent(share) }), make("td", {}, bar)));
    });
    const head = make("thead", {}, make("tr", {}, ...["consumer", "its rule", "rms of the term", "share", ""].map((t) => make("th", { textContent: t }))));
    place.append(make("div", { className: "wide" }, make("table", {}, head, body)));
    if (rows.length > 40) place.append(make("p", { className: "hint", textContent: `The 40 largest of ${rows.length} terms.` }));
    if (n.sum_error !== undefined) place.append(make("p", { className: "hint", textContent:
      `Check: ${rows.length > 1 ? `the ${rows.length} terms add up` : "the one term is equal"} to the gradient${n.sum_error === 0 ? ", to the last digit" : `, within ${digits(n.sum_error)} of its norm`}. A share is ⟨term, gradient⟩ / ‖gradient‖², so shares sum to 100 %.` }));
  } else if (n.joined) {
    place.append(make("p", { className: "hint" }, `These are the values of ${n.inputs.length} steps, put together to be looked at. The gradient above is that of the steps, nodes `,
      nodeButton(n.inputs[0], String(n.inputs[0])), " to ", nodeButton(n.inputs.at(-1), String(n.inputs.at(-1))), ". Choose a number of it to see where it comes from."));
  } else if (n.grad_rms === undefined || n.grad_rms === null) {
    place.append(make("p", { className: "hint", textContent: n.tracked ? "The loss does not depend on this node." : "No gradient: nothing that is trained comes before this node." }));
  }
  if (n.grad_rms) place.append(make("p", { className: "hint", textContent: checked(n) }));
  place.append(make("div", { id: "element" }));
  if (element !== null) showElement();
  markChosen();
  markCharts();
  if (scroll) {
    const at = element === null || !timed(n) ? n.step : indexOf(id, element)[1] - 1 - (n.shape[1] - about.steps);
    if (at !== undefined && at !== shown.step && at >= 0 && at < steps()) setStep(at);
    const to = (element !== null && document.querySelector("#element h3")) || byId("panel");
    to.scrollIntoView({ block: "start" });
    to.focus({ preventScroll: true });
    history.replaceState(null, "", `#${id}${element === null ? "" : `/${element}`}`);
  }
}

// The gradient of a node along a random direction u of its value, by the tape and by a finite difference.
function checked(n) {
  if (n.check) {
    const [exact, numeric] = n.check, off = Math.abs(exact - numeric) / Math.max(Math.abs(exact), Math.abs(numeric), 1e-6);
    return `Along a random direction u of this value the loss changes by ⟨gradient, u⟩ = ${exact.toPrecision(9)} by the tape, and by ${numeric.toPrecision(9)} by finite differences (the pass computed anew with the value moved both ways along u): relative difference ${off.toExponential(1)}${off > 1e-6 ? ", as where a rectifier turns within the move, or the gradient is next to nothing" : ""}.`;
  }
  if (about.f64) return "Not compared with finite differences: of a pass of more than 1000 nodes, only those with a name are.";
  return "For finite differences beside it, which need f64: make inspect-html OUT=RUN, in a clone of the repository.";
}

function map(id, which, title, rms) {
  const n = nodes[id], t = which === "grad" ? gradientOf(id) : tensor(n.value), box = make("div", { className: "map" });
  box.append(make("h3", { textContent: `${title}${which === "grad" ? nameOf(id) : ""}${rms ? `: rms ${rms}` : ""}` }));
  const p = picture(n, t);
  if (!p) return box;
  // Time runs to the right, as in the strips above; a weight stands as (out, in).
  const canvas = make("canvas", { tabIndex: 0 }), most = largest(p.data);
  heat(canvas, p.columns, p.rows, (c, r) => p.data[r * p.columns + c], "signed", most);
  canvas.style.height = `${Math.min(Math.max(p.columns * 10, 24), 352)}px`;
  const axis = timed(n) ? "time →, channel ↓" : "rows →, columns ↓";
  canvas.setAttribute("aria-label", `${title}, ${p.rows} by ${p.columns}, largest ${digits(most)}; arrow keys move, Enter follows one number`);
  const says = make("p", { className: "hint number", textContent: `${axis}; largest ${digits(most)}` });
  let cell = [0, 0];
  const read = () => {
    const [r, c] = cell, x = p.data[r * p.columns + c];
    says.textContent = p.aggregated ? `mean of rows ${r * p.aggregated[0] + 1} …, columns ${c * p.aggregated[1] + 1} …: ${digits(x)}`
      : `${axis}; [${index(n, p, r, c).map((i) => i + 1).join(", ")}] = ${x}`;
  };
  const from = (event) => {
    const r = canvas.getBoundingClientRect();
    cell = [Math.min(Math.floor((event.clientX - r.left) / r.width * p.rows), p.rows - 1), Math.min(Math.floor((event.clientY - r.top) / r.height * p.columns), p.columns - 1)].map((i) => Math.max(i, 0));
    read();
  };
  const choose = () => { if (!p.aggregated) chooseElement(id, p.first + cell[0] * p.columns + cell[1]); };
  canvas.addEventListener("pointermove", from);
  canvas.addEventListener("click", (event) => { from(event); choose(); });
  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (move) {
      cell = [Math.min(Math.max(cell[0] + move[0], 0), p.rows - 1), Math.min(Math.max(cell[1] + move[1], 0), p.columns - 1)];
      read();
    } else if (event.key === "Enter") {
      choose();
      document.querySelector("#element h3")?.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  box.append(canvas, says, histogram(p.data, most));
  if (p.aggregated) box.append(make("p", { className: "hint", textContent:
    `Aggregated: every cell is the mean of ${p.aggregated[0]} × ${p.aggregated[1]} numbers, to keep this page small. The root mean square is exact.` }));
  return box;
}

// The place of an element on the axes of the node, from 0.
function index(n, p, r, c) {
  if (n.shape.length === 1) return [r * p.columns + c];
  let flat = p.first + r * p.columns + c;
  const out = [];
  for (const axis of n.shape.slice().reverse()) { out.unshift(flat % axis); flat = Math.floor(flat / axis); }
  return out;
}

function histogram(data, most) {
  const bins = new Array(41).fill(0), width = 410, height = 60;
  for (const x of data) if (Number.isFinite(x)) bins[Math.min(Math.floor((0.5 + x / (2 * most || 1)) * 41), 40)]++;
  const top = Math.max(...bins, 1);
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": `histogram from ${digits(-most)} to ${digits(most)}` },
    ...bins.map((n, i) => svg("rect", { x: i * 10 + 1, width: 8, y: height - n / top * height, height: n / top * height })));
}

// --- one number all the way --------------------------------------------------------------------------------------

// What the formulas of the page call.
const { tanh } = Math;
const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const positive = (x) => (x > 0 ? 1 : 0);

// Thrown where the page does not have a number that a sum takes.
class Absent extends Error {}

function cell(index, at, what) {
  const t = tensor(index);
  if (!t || t.block) throw new Absent(what);
  return t.data[at];
}

// An element in one turn of some loops: first + Σ turn · step.
const placeOf = ([first, ...steps], turn) => steps.reduce((at, step, i) => at + step * turn[i], first);

// Every turn of loops in which x is its element e; a loop whose step is 0 runs through.
function turns(sizes, [first, ...steps], e) {
  const turn = sizes.map(() => 0), own = [...sizes.keys()].filter((i) => steps[i] > 0).sort((i, j) => steps[j] - steps[i]);
  let rest = e - first;
  for (const i of own) {
    turn[i] = Math.floor(rest / steps[i]);
    rest -= turn[i] * steps[i];
    if (turn[i] < 0 || turn[i] >= sizes[i]) return [];
  }
  if (rest !== 0) return [];
  const run = (all, size, i) => (steps[i] > 0 ? all : all.flatMap((turn) => Array.from({ length: size }, (_, n) => turn.map((old, j) => (j === i ? n : old)))));
  return sizes.reduce(run, [turn]);
}

// The elements of ∂y/∂x[e] that are not 0, for y = node `id` and x = its input number `slot`, as the page's descriptions of ops have
// them: [{ at, slope, factors() }], or null if there is none. Throws Absent.
function column(id, slot, e) {
  const n = nodes[id], jacobian = pass.jacobians[n.jacobian], made = new Map();
  const loops = jacobian?.slots[slot];
  if (!loops) return null;
  const figure = ([which, place], at, turn) => {
    if (which === "sum") return sum(place, at);
    const from = which === "y" ? id : n.inputs[which];
    return cell(nodes[from].value, placeOf(place, turn), nameOf(from));
  };
  const sum = (number, at) => {
    const key = `${number} ${at}`;
    if (!made.has(key)) {
      made.set(key, jacobian.sums[number].reduce((sum, [sizes, y, , factors]) => sum + turns(sizes, y, at).reduce((sum, turn) =>
        sum + factors.reduce((product, f) => product * figure(f.element, at, turn), 1), 0), 0));
    }
    return made.get(key);
  };
  const value = (f, at, turn) => {
    if (f.element) return figure(f.element, at, turn);
    if (f.asked) return cell(n.slopes[slot], e, "a slope");
    return "constant" in f ? f.constant : formulas[f.formula].of(...f.of.map((x) => figure(x, at, turn)));
  };
  const told = (f, at, turn) => {
    const fill = (text, names, figures) => names.reduce((text, name, i) => text.replaceAll(`{${name}}`, digits(figures[i])), text);
    const own = { value: value(f, at, turn) };
    if (f.element) return { ...own, what: called(n.inputs[f.element[0]], placeOf(f.element[1], turn)), of: [n.inputs[f.element[0]], placeOf(f.element[1], turn)] };
    if (f.asked) return { ...own, what: f.asked.includes("{x}") ? fill(f.asked, ["x"], [cell(nodes[n.inputs[slot]].value, e)]) : f.asked };
    if ("constant" in f) return { ...own, what: f.text };
    return { ...own, what: fill(formulas[f.formula].text, formulas[f.formula].names, f.of.map((x) => figure(x, at, turn))) };
  };
  return loops.flatMap(([sizes, x, y, factors]) => turns(sizes, x, e).flatMap((turn) => {
    const at = placeOf(y, turn), values = factors.map((f) => value(f, at, turn));
    // As behind a closed rectifier.
    if (factors.some((f, i) => !f.element && values[i] === 0)) return [];
    return [{ at, slope: values.reduce((a, b) => a * b, 1), factors: () => factors.map((f) => told(f, at, turn)) }];
  }));
}

// One element of a gradient as the sum of all its multiplications, the largest first, and of the terms that are no such sum here.
function level(id, e) {
  const gradient = cell(nodes[id].grad, e, `the gradient of ${nameOf(id)}`), products = [], whole = [];
  const readers = consumers(id);
  for (const [consumer, , , , , own] of readers) {
    try {
      const slots = [...nodes[consumer].inputs.keys()].filter((slot) => nodes[consumer].inputs[slot] === id);
      const all = slots.map((slot) => column(consumer, slot, e));
      if (all.includes(null)) throw new Absent("");
      products.push(...all.flat().map((entry) => {
        const gy = cell(nodes[consumer].grad, entry.at, `the gradient of ${nameOf(consumer)}`);
        return { ...entry, node: consumer, gradient: gy, product: gy * entry.slope };
      }));
    } catch (error) {
      if (!(error instanceof Absent)) throw error;
      const t = tensor(own), term = readers.length === 1 ? gradient : t && !t.block ? t.data[e] : null;
      whole.push({ node: consumer, term, absent: error.message });
    }
  }
  products.sort((a, b) => Math.abs(b.product) - Math.abs(a.product));
  const total = products.reduce((sum, p) => sum + p.product, 0) + whole.reduce((sum, w) => sum + (w.term ?? NaN), 0);
  return { id, e, gradient, products, whole, isLoss: readers.length === 0, miss: readers.length ? total - gradient : 0 };
}

// An element on the axes of its node, counted from 1.
function indexOf(id, e) {
  const out = [];
  for (const axis of nodes[id].shape.slice().reverse()) { out.unshift(e % axis + 1); e = Math.floor(e / axis); }
  return out;
}

// What an element is called: z.2[1, 5, 2].
function called(id, e) {
  const n = nodes[id];
  return `${n.label || `${n.place} ${rules[n.rule].name}`}[${indexOf(id, e).join(", ")}]${n.step === undefined ? "" : ` at step ${n.step + 1}`}`;
}

const MOST_PRODUCTS = 8, MOST_LEVELS = 4096;

// The elements that the reader has come by, the chosen one last.
let trail = [];

function elementButton([id, e], onward = true) {
  const b = make("button", { type: "button", className: "link", textContent: called(id, e) });
  b.addEventListener("click", () => {
    trail = onward ? trail : trail.slice(0, trail.findIndex(([i, f]) => i === id && f === e));
    showNode(id, e);
  });
  return b;
}

// An element of a value that was joined from its steps is one of a step.
function atItsStep(id, e) {
  const n = nodes[id];
  if (!n.joined) return [id, e];
  const [, steps, columns] = n.shape, row = Math.floor(e / columns), b = Math.floor(row / steps);
  return [n.inputs[row % steps], b * columns + e % columns];
}

// The element of an address: its number from 0, or its indices from 1, as `stcn explain --element` takes them.
function elementAt(id, element) {
  const indices = element.split(",").map(Number), { shape } = nodes[id];
  return indices.length === 1 ? indices[0] : shape.reduce((flat, axis, i) => flat * axis + indices[i] - 1, 0);
}

function chooseElement(id, e) {
  trail = [];
  const [own, at] = atItsStep(id, e);
  if (own !== id) return showNode(own, at);
  shown.element = at;
  showElement();
  if (timed(nodes[id])) setStep(indexOf(id, at)[1] - 1 - (nodes[id].shape[1] - about.steps));
  history.replaceState(null, "", `#${id}/${at}`);
}

function showElement() {
  const place = byId("element"), id = shown.node, e = shown.element, x = tensor(nodes[id].value);
  if (!(e >= 0 && e < nodes[id].shape.reduce((n, axis) => n * axis, 1))) return place.replaceChildren();
  const known = trail.findIndex(([i, f]) => i === id && f === e);
  trail = known < 0 ? [...trail, [id, e]] : trail.slice(0, known + 1);
  const title = make("h3", { tabIndex: -1 }, `One number all the way: ${called(id, e)}`);
  place.replaceChildren(title);
  if (trail.length > 1) {
    const line = make("p", { className: "soft" }, "On the way from ");
    trail.slice(-6, -1).forEach((step, i) => line.append(i ? " → " : "", elementButton(step, false)));
    place.append(line);
  }
  const value = x && !x.block ? `Its value is ${digits(x.data[e])}. ` : "";
  let sum;
  try { sum = level(id, e); } catch (error) {
    if (!(error instanceof Absent)) throw error;
    const why = nodes[id].grad === null ? "It has no gradient." : `This page does not have ${error.message} number by number: it is shown as means over blocks.`;
    place.append(make("p", { textContent: value + why }));
    return;
  }
  const { gradient, products, whole, isLoss, miss } = sum, count = products.length;
  place.append(make("p", { textContent: `${value}Its gradient is ${digits(gradient)}: if it grew by a little ε, the loss would grow by ${digits(gradient)} ε.` }));
  if (isLoss) {
    place.append(make("p", { textContent: "This is the loss, which the gradients are of: ∂L/∂L = 1." }));
    return;
  }
  const many = count === 0 && whole.length === 0 ? "0, because every op that reads it multiplies by 0, as behind a closed rectifier."
    : count === 0 ? `${digits(gradient)} =` : count === 1 ? `${digits(gradient)} = one multiplication:` : `${digits(gradient)} = Σ of ${count} multiplications${count > MOST_PRODUCTS ? ", the largest first" : ""}:`;
  place.append(make("p", {}, make("b", { textContent: `∂L/∂${called(id, e)} = ` }), many));
  const list = make("ol", { className: "path" });
  for (const { node, at, gradient: gy, product, factors } of products.slice(0, MOST_PRODUCTS)) {
    const line = make("li", {}, make("b", { className: "number", textContent: digits(product) }), ` = ${digits(gy)} at `, elementButton([node, at]));
    for (const { value, what, of } of factors()) line.append(" · ", make("span", { className: "factor" }, `${digits(value)} (`, of ? elementButton(of) : what, ")"));
    line.append(make("span", { className: "soft", textContent: `   ${rules[nodes[node].rule].name}, node ${node}` }));
    list.append(line);
  }
  const others = products.slice(MOST_PRODUCTS);
  if (others.length) list.append(make("li", {}, make("b", { className: "number", textContent: digits(others.reduce((sum, p) => sum + p.product, 0)) }), `   ${others.length} other${others.length > 1 ? "s" : ""}`));
  for (const { node, term, absent } of whole) {
    const why = absent ? `for single multiplications this page does not have ${absent} number by number` : "its rule is not written out here";
    list.append(make("li", {}, make("b", { className: "number", textContent: term === null ? "a part" : digits(term) }), "   through ", nodeButton(node),
      `; ${why}: `, make("code", { className: "formula", textContent: rules[nodes[node].rule].vjp })));
  }
  place.append(list);
  if (Number.isFinite(miss)) place.append(make("p", { className: "hint", textContent: `A product is the gradient at an element of the op that reads this one, times how that depends on it. They sum to the tape's number${miss === 0 ? ", to the last digit" : ` but for ${digits(miss)}, by rounding`}.` }));
  const way = make("details", {}, make("summary", { textContent: "On to the loss, by the largest each time" }));
  way.addEventListener("toggle", () => { if (way.children.length === 1) way.append(onward(sum)); });
  place.append(way);
}

// The way to the loss: at each level the gradient, and the largest product leads on.
function onward(sum) {
  const list = make("ol", { className: "path" });
  for (let n = 0; n < MOST_LEVELS; n++) {
    const { id, e, gradient, products, isLoss } = sum, [first] = products;
    const of = isLoss ? " the loss: ∂L/∂L = 1" : first ? `: ${digits(first.product)}${products.length > 1 ? `, the largest of ${products.length},` : ""} comes from` : "";
    list.append(make("li", {}, make("b", { className: "number", textContent: digits(gradient) }), " at ", elementButton([id, e]), of));
    if (!first || first.product === 0) break;
    try { sum = level(first.node, first.at); } catch (error) {
      if (!(error instanceof Absent)) throw error;
      break;
    }
  }
  return list;
}

// --- over training -----------------------------------------------------------------------------------------------

// Okabe & Ito's colours, which the colour-blind can tell apart; and dashes, which need no colour.
const hues = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"];
const dashes = ["", "6 3", "2 2", "8 2 2 2", "10 4", "3 5"];

// Lines over the steps of a run: { name, points: [[step, y] …] }; `log` where sizes are compared, none below `least`.
function chart(title, lines, { log = false, least = 1e-12, unit = "" } = {}) {
  const scale = (y) => (log ? Math.log10(Math.max(y, least)) : y);
  const points = lines.flatMap((line) => line.points), steps = points.map((p) => p[0]), ys = points.map((p) => scale(p[1]));
  const last = Math.max(...steps, whole.step, 1), low = Math.min(...ys), high = Math.max(...ys), width = 300, height = 100;
  const x = (step) => step / last * width, y = (v) => height - 4 - (scale(v) - low) / (high - low || 1) * (height - 8);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img",
    "aria-label": `${title} over ${last} updates; ${lines.map((l) => `${l.name} from ${digits(l.points[0][1])} to ${digits(l.points.at(-1)[1])}`).join("; ")}` });
  lines.forEach((line, i) => picture.append(svg("polyline", { points: line.points.map(([s, v]) => `${x(s)},${y(v)}`).join(" "),
    stroke: hues[i % hues.length], "stroke-dasharray": dashes[i % dashes.length], "vector-effect": "non-scaling-stroke" })));
  const now = svg("line", { class: "now", y1: 0, y2: height, "vector-effect": "non-scaling-stroke" });
  now.dataset.width = x(1);
  picture.append(now);
  const plain = (v) => digits(log ? 10 ** v : v);
  const legend = make("p", { className: "legend" }, ...lines.map((line, i) => {
    const key = svg("svg", { viewBox: "0 0 24 8", class: "key", "aria-hidden": "true" },
      svg("line", { x1: 0, x2: 24, y1: 4, y2: 4, stroke: hues[i % hues.length], "stroke-dasharray": dashes[i % dashes.length] }));
    return make("span", {}, key, ` ${line.name}`);
  }));
  return make("figure", { className: "chart" },
    make("figcaption", { textContent: `${title}${unit && `, ${unit}`}${log ? " (logarithmic)" : ""}` }),
    make("div", { className: "plot" }, make("span", { className: "top", textContent: plain(high) }), make("span", { className: "bottom", textContent: plain(low) }), picture),
    legend);
}

function markCharts() {
  for (const now of document.querySelectorAll(".chart .now")) {
    for (const end of ["x1", "x2"]) now.setAttribute(end, Number(now.dataset.width) * shown.pass.step);
  }
}

// The curves of metrics.csv.
function drawCurves() {
  const { columns, rows, rows_each: each } = pass.history.curves ?? { columns: [], rows: [] };
  const line = (column, name) => {
    const i = columns.indexOf(column), points = i < 0 ? [] : rows.filter((r) => r[i] !== null && r[i] !== undefined).map((r) => [r[0], r[i]]);
    return points.length ? [{ name, points }] : [];
  };
  const every = (start) => columns.filter((c) => c.startsWith(start)).flatMap((c) => line(c, c.slice(start.length)));
  const all = [
    ["Loss", [...line("loss", "training"), ...line("valid_loss", "validation")]],
    ["KL of each latent", every("kl.").map((l) => ({ ...l, name: `z.${l.name}` })), { log: true, least: 1e-3, unit: "nats per sequence" }],
    ["Norm of the gradient, by group", every("grad_norm."), { log: true }],
    ["Update, relative to the weights", every("update_ratio."), { log: true }],
    ["Shares", [...line("clipped", "clipped updates"), ...line("dead_rectifiers", "dead rectifiers")]],
  ];
  byId("curves").replaceChildren(...all.filter(([, lines]) => lines.length).map(([title, lines, how]) => chart(title, lines, how)));
  byId("curves-hint").textContent = rows.length === 0 ? "This run has no metrics.csv, so there are no curves."
    : `From metrics.csv${each > 1 ? `; every point is the mean of ${each} rows` : ""}. A group holds the parameters whose names begin with its name. The vertical line is the chosen checkpoint.`;
}

// How the chosen node came to be what it is.
function overTraining(id) {
  const line = (which, name) => {
    const points = passes.map((of) => [of.step, Number(rmsOf(id, which, of) ?? NaN)]).filter((p) => Number.isFinite(p[1]));
    return points.length ? [{ name, points }] : [];
  };
  const lines = [...line("value", "value"), ...line("grad", "gradient")];
  const past = shown.pass === whole ? [] : [make("p", { className: "past", textContent:
    `After ${shown.pass.step} updates: rms of the value ${rmsOf(id, "value") ?? "-"}, of the gradient ${rmsOf(id, "grad") ?? "-"}. What follows is of the pass after ${whole.step} updates.` })];
  return [...(lines.length ? [chart("Root mean square over training", lines, { log: true })] : []), ...past];
}

function setPass(i) {
  shown.pass = passes[Math.min(Math.max(i, 0), passes.length - 1)];
  const { step, loss, kl_weight: weight } = shown.pass, past = shown.pass !== whole;
  byId("checkpoint").value = passes.indexOf(shown.pass) + 1;
  byId("checkpoint-out").textContent = `after ${step} updates: loss ${digits(loss)}${weight === 1 ? "" : `, KL weight ${digits(weight)}`}`;
  byId("back").disabled = !past;
  byId("of-checkpoint").hidden = !past;
  byId("of-checkpoint").textContent = `KL, ln p and gradients are those after ${step} updates.`;
  drawRows();
  setStep(shown.step);
  drawGraph();
  if (shown.node !== null) showNode(shown.node, shown.element, false);
  markCharts();
}

function beginHistory() {
  if (passes.length < 2) return;
  byId("history").hidden = false;
  byId("history-hint").textContent = `The same sequences with the same noise, through the model at ${passes.length} checkpoints of this run. ` +
    `Of all but the one after ${whole.step} updates the page has aggregates only: each node's root mean squares, KL and ln p by step, and the gradient's root mean square by level and step. The lines of the graph, and the numbers below a node, are always those after ${whole.step} updates.`;
  const slider = byId("checkpoint");
  slider.max = passes.length;
  slider.addEventListener("input", (event) => setPass(Number(event.target.value) - 1));
  byId("back").textContent = `Back to ${whole.step}`;
  byId("back").addEventListener("click", () => setPass(passes.indexOf(whole)));
  drawCurves();
  setPass(passes.indexOf(whole));
}

// --- the start ---------------------------------------------------------------------------------------------------

function begin() {
  byId("title").textContent = `${about.model}: one pass, every gradient`;
  byId("about").textContent = `${about.run}, after ${about.step} updates. The loss of ${about.lengths.length} sequence${about.lengths.length > 1 ? "s" : ""} ` +
    `(number ${about.sequences.join(", ")} of the training part) is ${digits(about.loss)}; ${nodes.length} nodes` +
    `${about.kl_weight === 1 ? "" : `, KL weight ${digits(about.kl_weight)}`}. ` +
    (about.aggregated ? `${about.aggregated} of ${pass.tensors.length} tensors are shown as means over blocks, to keep this page small.` : "Every value and every gradient is in this page in full.");
  const select = byId("sequence");
  for (let i = 0; i < about.lengths.length * about.draws; i++) {
    const draw = about.draws > 1 ? `, draw ${i % about.draws + 1}` : "";
    select.append(make("option", { value: i, textContent: `${about.sequences[Math.floor(i / about.draws)]}${draw}` }));
  }
  select.addEventListener("change", () => { shown.sequence = Number(select.value); refresh(); });
  byId("step").max = steps();
  byId("step").addEventListener("input", (event) => setStep(Number(event.target.value) - 1));
  document.addEventListener("keydown", (event) => {
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "ArrowRight") setStep(shown.step + 1);
    else if (event.key === "ArrowLeft") setStep(shown.step - 1);
    else return;
    event.preventDefault();
  });
  const body = byId("table"), names = byId("names");
  byId("all").addEventListener("toggle", () => {
    if (body.children.length) return;
    nodes.forEach((n, id) => body.append(make("tr", {}, make("td", {}, nodeButton(id, String(id))), ...[rules[n.rule].name, n.label, `(${n.shape.join(", ")})`, n.inputs.join(" "), n.value_rms, n.grad_rms ?? "-"].map((t) => make("td", { textContent: t })))));
  });
  nodes.forEach((n) => { if (n.label) names.append(make("option", { value: n.label })); });
  byId("find").addEventListener("change", (event) => {
    const text = event.target.value.trim(), id = /^\d+$/.test(text) ? Number(text) : named(text);
    if (nodes[id]) showNode(id);
  });
  for (const scale of Object.keys(stops)) {
    const span = make("span", { className: "scale" });
    span.style.background = `linear-gradient(to right, ${stops[scale].map((c) => `rgb(${c})`).join(", ")})`;
    byId("legend").append(make("div", {}, scale === "signed" ? "Values: −largest " : "Sizes: 0 ", span, scale === "signed" ? " +largest (blue to orange; magenta: not finite)" : " largest (cividis)"));
  }
  refresh();
  drawGraph();
  addEventListener("resize", () => drawn && drawEdges(...drawn));
  const [asked, element] = decodeURIComponent(location.hash.slice(1)).split("/");
  const id = nodes[asked] ? Number(asked) : named(asked);
  if (asked && id >= 0) element === undefined ? showNode(id) : showNode(...atItsStep(id, elementAt(id, element)));
  else showNode([mostTold(), named("z.1"), named("log_px"), nodes.length - 1].find((i) => i >= 0), null, false);
  beginHistory();
}

// The latent with the largest KL, or -1.
function mostTold() {
  const kl = nodes.map((n, i) => i).filter((i) => /^kl\.\d+$/.test(nodes[i].label));
  const told = (i) => Number(rmsOf(i, "value") ?? 0);
  return kl.length ? named(nodes[kl.reduce((a, b) => (told(b) > told(a) ? b : a))].label.replace("kl", "z")) : -1;
}

function refresh() {
  byId("step").max = steps();
  drawData();
  drawRows();
  setStep(Math.min(shown.step, steps() - 1));
  if (shown.node !== null) showNode(shown.node, shown.element, false);
}

begin();
