// Shows a model while it trains: curves, gradients, and what it writes. The numbers are the worker's; nothing is fetched here.
"use strict";

const byId = (id) => document.getElementById(id);
const worker = new Worker("worker.js");
const waiting = new Map();
let asked = 0;

// Asks the engine: the promise of its answer.
const ask = (name, ...args) => new Promise((resolve, reject) => {
  waiting.set(++asked, { resolve, reject });
  worker.postMessage({ id: asked, name, args });
});

// Updates between two lines that the model writes, and between two looks at its gradient.
const WRITES = 25, FLOWS = 5;
// Steps of the pen in a line that it writes, in one that it goes on with, and in the passes that are looked at.
const LINE = 320, ON = 240, FLOW = 96, LOOK = 40;
const SEED = 1, TEMPERATURE = 0.7;

// What does not change while the page is open: sizes at which an update takes a few hundredths of a second.
const FIXED = ["train.batch=8", "data.crop=128", "train.schedule=constant", "train.eval_every=1000000"];

// The run: its model, the settings it began with, those that changed and after which update, and what is known of it.
let run = null;
let training = false;
let written = null;

// The settings that may change on the way: as the preset has them, and as they are chosen.
const LATENTS = "[16,8,4]";
const PRESET = { "train.lr": "0.002", "train.kl_anneal": "200", "train.objective": "elbo" };
const chosen = () => {
  const latents = byId("model").value !== "wavenet", k = latents ? byId("draws").value : "1";
  const bound = k === "1" ? { "train.objective": "elbo" } : { "train.objective": "iwae", "train.particles": k };
  return { "train.lr": byId("lr").value, "train.kl_anneal": byId("anneal").value, ...bound };
};
const differing = (from, to) => Object.fromEntries(Object.entries(to).filter(([key, value]) => from[key] !== value));
const assignments = (sets) => Object.entries(sets).map(([key, value]) => `${key}=${value}`);

// --- the run -----------------------------------------------------------------------------------------------------

async function begin() {
  enable(false);
  const model = byId("model").value, sizes = byId("latents").value;
  const ladder = model === "stcn" || model === "stcn-dense";
  // The weights that come with stcn are of the usual sizes.
  const init = model === "stcn-dense" && sizes === LATENTS ? byId("init").value : "";
  byId("latents").disabled = !ladder;
  byId("init").disabled = model !== "stcn-dense" || sizes !== LATENTS;
  training = false;
  await ask("pause");
  const own = ladder && sizes !== LATENTS ? [`model.latents=${sizes}`] : [];
  const settings = chosen(), first = [...FIXED, ...own, ...assignments(differing(PRESET, settings))];
  const about = await ask("create", { model, init, set: [...first, "train.steps=0"] });
  run = { model, init, about, first, settings, changes: [], step: 0, reports: [], flow: [] };
  byId("draws").disabled = !about.has_latents;
  byId("anneal").disabled = !about.has_latents;
  byId("before").replaceChildren();
  forget();
  written = null;
  const line = await ask("line", 0);
  ink(byId("data"), [{ rows: line }]);
  await write();
  await flow();
  show();
  enable(true);
}

// Another setting from the next update on.
async function change() {
  if (run.step === 0) return begin();
  const settings = chosen(), sets = differing(run.settings, settings);
  await ask("change", assignments(sets).join("\n"));
  run.settings = settings;
  const last = run.changes.at(-1);
  if (last?.step === run.step) Object.assign(last.sets, sets);
  else run.changes.push({ step: run.step, sets });
  forget();
  redraw();
}

// Other settings hold after the update that the engine is at: training pauses until it is known which.
async function changed() {
  const went = training;
  training = false;
  enable(false);
  await ask("pause");
  await attempt(change)();
  enable(true);
  if (went) go();
}

function go() {
  const until = Number(byId("until").value);
  training = true;
  ask("run", until > run.step ? until : Infinity);
  enable(true);
}

// Says what went wrong, in one place, for whatever was asked.
const attempt = (what) => async (...args) => {
  byId("failed").hidden = true;
  try {
    return await what(...args);
  } catch (error) {
    fail(error.message);
  }
};

function fail(what) {
  training = false;
  byId("failed").hidden = false;
  byId("failed").textContent = what;
  enable(true);
}

worker.onerror = () => fail("The engine cannot be loaded. A page from disk may not start it: serve this folder, for example " +
  "by `python3 -m http.server --directory target/web`, and open http://localhost:8000.");

worker.onmessage = ({ data }) => {
  if (data.id) {
    const { resolve, reject } = waiting.get(data.id);
    waiting.delete(data.id);
    return "error" in data ? reject(new Error(data.error)) : resolve(data.value);
  }
  if (data.failed) return fail(data.failed);
  const { report } = data;
  run.step = report.step;
  run.reports.push(report);
  forget();
  if (report.step % FLOWS === 0 || !data.running) attempt(flow)();
  if (report.step % WRITES === 0) attempt(write)();
  if (training && !data.running) {
    training = false;
    enable(true);
  }
  redraw();
};

// A hash is that of one step.
function forget() {
  byId("hash").textContent = "not computed for this update";
}

// The commands that make this state of the run.
function commands() {
  const set = (sets) => sets.map((x) => ` --set ${x}`).join("");
  const ends = [...run.changes.map((change) => change.step), run.step];
  const what = run.init ? `--init ${run.init}` : `--preset ink-tiny --model ${run.model}`;
  const start = `stcn train ${what} --steps ${ends[0]} --out runs/page`;
  const on = run.changes.filter((change) => change.step < run.step).map((change, i) =>
    `stcn train --resume runs/page --steps ${ends[i + 1]}${set(assignments(change.sets))}`);
  return [start + set(run.first), ...on].join("\n");
}

async function hash() {
  byId("hash").textContent = "computing: the validation part is evaluated";
  const step = run.step, found = await ask("hash");
  if (step === run.step) byId("hash").textContent = found;
}

async function save() {
  const bytes = await ask("checkpoint");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes]));
  link.download = `${run.model}-${run.step}.stcn`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

async function look() {
  const viewer = byId("viewer"), page = await ask("pass", LOOK);
  URL.revokeObjectURL(viewer.src);
  viewer.src = URL.createObjectURL(new Blob([page], { type: "text/html" }));
  viewer.hidden = false;
}

// --- ink ---------------------------------------------------------------------------------------------------------

async function write() {
  const step = run.step, rows = await ask("sample", SEED, 1, LINE, TEMPERATURE, new Float32Array());
  if (written) keep(written);
  written = { step, rows };
  const canvas = byId("writing");
  canvas.setAttribute("aria-label", `A line that the model drew after ${step} updates`);
  animate(canvas, [{ rows }]);
}

// A small picture of a line that was written earlier, the latest first.
function keep({ step, rows }) {
  const figure = document.createElement("figure"), canvas = document.createElement("canvas");
  const caption = document.createElement("figcaption");
  canvas.className = "paper";
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `What it drew after ${step} updates`);
  caption.textContent = `after ${step} updates`;
  figure.append(canvas, caption);
  byId("before").prepend(figure);
  canvas.rows = rows;
  ink(canvas, [{ rows }], Infinity, 1);
  while (byId("before").children.length > 12) byId("before").lastChild.remove();
}

// The points of rows (dx, dy, pen), y upwards; `drawn` unless the pen was in the air on the way there. Wild moves are cut.
function points(rows) {
  const moves = [];
  for (let i = 0; i < rows.length; i += 3) moves.push(Math.hypot(rows[i], rows[i + 1]));
  const most = 80 * (median(moves.filter((x) => x > 0)) || 1), cut = (x) => Math.min(Math.max(x, -most), most);
  const found = [{ x: 0, y: 0, drawn: false }];
  let { x, y } = found[0], lifted = false;
  for (let i = 0; i < rows.length; i += 3) {
    x += cut(rows[i]);
    y -= cut(rows[i + 1]);
    found.push({ x, y, drawn: !lifted });
    lifted = rows[i + 2] > 0.5;
  }
  return found;
}

const median = (x) => x.sort((a, b) => a - b)[Math.floor(x.length / 2)];
const theme = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// A canvas as sharp as the screen, empty; lengths are CSS pixels.
function cleared(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas, sharp = devicePixelRatio || 1;
  canvas.width = Math.round(width * sharp);
  canvas.height = Math.round(height * sharp);
  const context = canvas.getContext("2d");
  context.scale(sharp, sharp);
  return { context, width, height };
}

// Draws lines one behind the other, smooth through the midpoints of their moves, up to point `end`; the first `primed` points
// in another colour.
function ink(canvas, lines, end = Infinity, pen = 1.6) {
  canvas.lines = lines;
  const { context, width, height } = cleared(canvas), all = points(lines.flatMap(({ rows }) => [...rows]));
  const xs = all.map((p) => p.x), ys = all.map((p) => p.y);
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const scale = Math.min((width - 20) / (right - left || 1), (height - 16) / (bottom - top || 1), 1.5);
  const to = (p) => [10 + (p.x - left) * scale, height / 2 + (p.y - (top + bottom) / 2) * scale];
  const primed = lines.length > 1 ? lines[0].rows.length / 3 : 0;
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = pen;
  for (const [from, until, colour] of [[0, primed, "mark"], [primed, all.length - 1, "ink"]]) {
    context.strokeStyle = theme(colour);
    context.beginPath();
    let last = null;
    for (let i = from; i <= Math.min(until, end, all.length - 1); i++) {
      const [x, y] = to(all[i]);
      if (!last || !all[i].drawn) {
        if (last) context.lineTo(...last);
        context.moveTo(x, y);
      } else {
        context.quadraticCurveTo(...last, (last[0] + x) / 2, (last[1] + y) / 2);
      }
      last = [x, y];
    }
    if (last) context.lineTo(...last);
    context.stroke();
  }
  return all.length;
}

// The same stroke by stroke, as a pen would.
function animate(canvas, lines) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const count = ink(canvas, lines), start = performance.now(), lasts = 1200;
  const primed = lines.length > 1 ? lines[0].rows.length / 3 : 0;
  canvas.turn = (canvas.turn ?? 0) + 1;
  const turn = canvas.turn;
  const frame = (now) => {
    if (canvas.turn !== turn) return;
    const share = still ? 1 : Math.min((now - start) / lasts, 1);
    ink(canvas, lines, share < 1 ? primed + share * (count - primed) : Infinity);
    if (share < 1) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

// --- the pad -----------------------------------------------------------------------------------------------------

// Strokes of points in CSS pixels, and how long a typical move of the data is there: a small letter is 25 units high.
const strokes = [];
const UNIT = 2;
// Units between two points of a stroke.
const SPACING = 6;

function padEvents() {
  const pad = byId("pad");
  const at = (event) => {
    const box = pad.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  pad.addEventListener("pointerdown", (event) => {
    pad.setPointerCapture(event.pointerId);
    if (pad.lines) forgetPad();
    strokes.push([at(event)]);
    event.preventDefault();
  });
  pad.addEventListener("pointermove", (event) => {
    if (!pad.hasPointerCapture(event.pointerId)) return;
    const events = event.getCoalescedEvents?.() ?? [event];
    strokes.at(-1).push(...(events.length ? events : [event]).map(at));
    pencil();
  });
}

function forgetPad() {
  strokes.length = 0;
  const pad = byId("pad");
  pad.lines = null;
  pad.turn = (pad.turn ?? 0) + 1;
  cleared(pad);
}

// What has been drawn so far.
function pencil() {
  const { context } = cleared(byId("pad"));
  context.strokeStyle = theme("mark");
  context.lineWidth = 2;
  context.lineCap = context.lineJoin = "round";
  for (const stroke of strokes) {
    context.beginPath();
    stroke.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.stroke();
  }
}

// The strokes as rows (dx, dy, pen) in whole units, their points evenly spaced.
function padRows() {
  const rows = [];
  let last = null;
  for (const stroke of strokes) {
    const spaced = evenly(stroke, SPACING * UNIT);
    for (const [x, y] of spaced) {
      const here = [Math.round(x / UNIT), Math.round(-y / UNIT)];
      if (last) rows.push(here[0] - last[0], here[1] - last[1], 0);
      last = here;
    }
    if (rows.length) rows[rows.length - 1] = 1;
  }
  return Float32Array.from(rows);
}

// Points `gap` apart along a stroke, and its end.
function evenly(stroke, gap) {
  const found = [stroke[0]];
  let [x, y] = stroke[0], left = gap;
  for (const [nx, ny] of stroke.slice(1)) {
    for (let length; (length = Math.hypot(nx - x, ny - y)) >= left && length > 0;) {
      [x, y] = [x + (nx - x) * left / length, y + (ny - y) * left / length];
      found.push([x, y]);
      left = gap;
    }
    left -= Math.hypot(nx - x, ny - y);
    [x, y] = [nx, ny];
  }
  if (left < gap / 2 || found.length === 1) found.push([x, y]);
  return found;
}

async function goOn(rows) {
  if (rows.length === 0) throw new Error("Write something on the pad first, or take the beginning of a line of the data.");
  const drawn = await ask("sample", SEED, 1, ON, TEMPERATURE, rows);
  const pad = byId("pad");
  pad.setAttribute("aria-label", `${rows.length / 3} steps of the pen that were given, and ${ON} that the model drew`);
  animate(pad, [{ rows: drawn.slice(0, rows.length) }, { rows: drawn.slice(rows.length) }]);
}

async function lend() {
  forgetPad();
  const line = await ask("line", Math.floor(Math.random() * run.about.lines));
  await goOn(line.slice(0, 3 * Math.min(140, line.length / 3 - 1)));
}

// --- charts ------------------------------------------------------------------------------------------------------

const HUES = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#17becf", "#7f7f7f"];
const digits = (x) => {
  const a = Math.abs(x);
  return a === 0 ? "0" : a >= 1e-3 && a < 1e5 ? Number(x.toPrecision(3)).toString() : x.toExponential(1);
};

// Curves over updates, their latest values below. `series`: [name, value of a report].
function chart(id, series, logarithmic = false) {
  const canvas = byId(id), { context, width, height } = cleared(canvas);
  const legend = canvas.parentElement.querySelector(".legend");
  const reports = thin(run.reports), at = logarithmic ? (y) => Math.log10(y) : (y) => y;
  const seen = (y) => Number.isFinite(at(y));
  const values = series.flatMap(([, of]) => reports.map(of)).filter(seen).map(at).sort((a, b) => a - b);
  legend.replaceChildren();
  if (values.length === 0) {
    legend.textContent = id === "kl" && !run.about.has_latents ? "This model has no latents." : "Nothing yet: train.";
    canvas.setAttribute("aria-label", legend.textContent);
    return;
  }
  // The first losses are so large that all others would be a line at the bottom.
  let [low, high] = [values[0], logarithmic ? values.at(-1) : values[Math.floor(0.98 * (values.length - 1))]];
  if (high - low < 1e-9) [low, high] = [low - 0.5, high + 0.5];
  const last = Math.max(run.step, 10), left = 54, foot = 18;
  const x = (step) => left + (width - left - 6) * step / last;
  const y = (v) => 6 + (height - foot - 12) * (high - Math.min(Math.max(v, low), high)) / (high - low);
  context.font = "12px system-ui, sans-serif";
  context.fillStyle = theme("soft");
  context.strokeStyle = theme("line");
  context.textBaseline = "middle";
  for (const v of [low, (low + high) / 2, high]) {
    context.beginPath();
    context.moveTo(left, y(v));
    context.lineTo(width - 6, y(v));
    context.stroke();
    context.textAlign = "right";
    context.fillText(digits(logarithmic ? 10 ** v : v), left - 5, y(v));
  }
  for (const [step, align] of [[0, "left"], [last, "right"]]) {
    context.textAlign = align;
    context.fillText(step, x(step), height - 8);
  }
  series.forEach(([name, of], i) => {
    const hue = HUES[i % HUES.length];
    context.strokeStyle = hue;
    context.lineWidth = 1.5;
    context.beginPath();
    let drawn = false;
    for (const report of reports) {
      if (!seen(of(report))) continue;
      context[drawn ? "lineTo" : "moveTo"](x(report.step), y(at(of(report))));
      drawn = true;
    }
    context.stroke();
    const key = document.createElement("span"), dot = document.createElement("b");
    dot.textContent = "● ";
    dot.style.color = hue;
    key.append(dot, `${name} ${digits(of(run.reports.at(-1)))}`);
    legend.append(key, " ");
  });
  canvas.setAttribute("aria-label", `After ${run.step} updates: ${legend.textContent.replaceAll("● ", "")}`);
}

// As many reports as there are pixels.
function thin(reports) {
  const every = Math.ceil(reports.length / 600);
  return reports.filter((_, i) => i % every === 0 || i === reports.length - 1);
}

// --- gradient flow -----------------------------------------------------------------------------------------------

// cividis: the same with and without colour blindness.
const STOPS = [[0, 34, 78], [53, 69, 108], [102, 105, 112], [148, 142, 119], [200, 182, 103], [254, 232, 56]];

async function flow() {
  run.flow = await ask("flow", FLOW);
  const select = byId("quantity"), words = [...new Set(run.flow.map(([name]) => name.split(".")[0]))];
  if ([...select.options].map((o) => o.value).join() !== words.join()) {
    const chosen = words.includes(select.value) ? select.value : words.includes("d") ? "d" : words[0];
    select.replaceChildren(...words.map((word) => new Option(word, word, false, word === chosen)));
  }
  heat();
}

function heat() {
  const rows = run.flow.filter(([name]) => name.split(".")[0] === byId("quantity").value).reverse();
  const canvas = byId("flow"), legend = byId("flow-legend");
  const { context, width, height } = cleared(canvas);
  if (rows.length === 0) return;
  const logs = rows.map(([, norms]) => norms.map((x) => Math.log10(x)));
  const finite = logs.flat().filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const left = 54, foot = 18, cell = (height - foot) / rows.length;
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "middle";
  logs.forEach((row, r) => {
    const step = (width - left) / row.length;
    row.forEach((v, t) => {
      const at = Number.isFinite(v) && high > low ? (v - low) / (high - low) * (STOPS.length - 1) : 0;
      const i = Math.min(Math.floor(at), STOPS.length - 2);
      context.fillStyle = `rgb(${STOPS[i].map((a, k) => Math.round(a + (STOPS[i + 1][k] - a) * (at - i)))})`;
      context.fillRect(left + t * step, r * cell, Math.ceil(step), Math.max(cell - 1, 1));
    });
    context.fillStyle = theme("soft");
    context.textAlign = "right";
    context.fillText(rows[r][0], left - 5, (r + 0.5) * cell, left - 6);
  });
  context.textAlign = "left";
  context.fillText("step 1", left, height - 8);
  context.textAlign = "right";
  context.fillText(`${logs[0].length}`, width, height - 8);
  legend.textContent = `dark ${digits(10 ** low)}, bright ${digits(10 ** high)} (logarithmic), after ${run.step} updates`;
  canvas.setAttribute("aria-label", `Norm of the gradient at ${rows.map(([name]) => name).join(", ")}: ${legend.textContent}`);
}

// --- the page ----------------------------------------------------------------------------------------------------

let due = false;

// Draws what has changed, once a frame.
function redraw() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => { due = false; show(); });
}

function show() {
  const last = run.reports.at(-1), { about } = run;
  const recent = run.reports.slice(-20).map((report) => report.ms).sort((a, b) => a - b);
  const parts = [`${run.model}, ${about.parameters.toLocaleString("en")} parameters`, `update ${run.step}`];
  if (last) parts.push(`loss ${digits(last.loss)}`, `KL weight ${digits(last.kl_weight)}`, `${median(recent).toFixed(1)} ms an update`);
  byId("state").textContent = parts.join(" · ");
  byId("command").textContent = run.step > 0 ? commands() : "Train first.";
  chart("loss", [["loss", (report) => report.loss]]);
  const latents = last ? last.kl.length : 0;
  chart("kl", Array.from({ length: latents }, (_, l) => [`kl.${l + 1}`, (report) => report.kl[l]]));
  const parts_ = last ? last.groups.map(([name]) => name) : [];
  chart("norms", parts_.map((name, i) => [name, (report) => report.groups[i][1]]), true);
}

function enable(ready) {
  byId("train").textContent = training ? "Pause" : "Train";
  for (const id of ["train", "again", "go-on", "lend", "look"]) byId(id).disabled = !ready || !run;
  for (const id of ["check", "save"]) byId(id).disabled = !ready || !run || run.step === 0;
  byId("one").disabled = !ready || !run || training;
}

function events() {
  const on = (id, event, what) => byId(id).addEventListener(event, attempt(what));
  on("train", "click", async () => {
    if (!training) return go();
    training = false;
    await ask("pause");
    enable(true);
  });
  on("one", "click", async () => {
    training = true;
    enable(true);
    await ask("run", run.step + 1);
  });
  on("again", "click", begin);
  for (const id of ["model", "latents", "init"]) on(id, "change", begin);
  for (const id of ["lr", "anneal", "draws"]) on(id, "change", changed);
  on("quantity", "change", heat);
  on("go-on", "click", () => goOn(padRows()));
  on("clear", "click", forgetPad);
  on("lend", "click", lend);
  on("check", "click", hash);
  on("copy", "click", () => navigator.clipboard.writeText(byId("command").textContent));
  on("save", "click", save);
  on("look", "click", look);
  padEvents();
  const again = () => {
    if (!run) return;
    show();
    heat();
    for (const canvas of document.querySelectorAll("canvas.paper")) if (canvas.lines) ink(canvas, canvas.lines);
    if (!byId("pad").lines) pencil();
  };
  addEventListener("resize", again);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
}

async function main() {
  events();
  const module = await ask("load");
  byId("engine").textContent = `Engine: WebAssembly, ${module}, one thread.`;
  await begin();
}

attempt(main)();
