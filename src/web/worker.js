// Runs the engine, so that the page never waits for it. Loads one of the two modules and answers the calls of page.js.
"use strict";

let engine = null;

// Relaxed SIMD multiplies and adds at once, but need not round once: the module says whether it does here. The other is
// slower and has the same bits everywhere.
async function load() {
  const read = async (name) => {
    const file = await fetch(name);
    if (!file.ok) throw new Error(`${name} cannot be read (${file.status}): run \`make web\` again`);
    return file.arrayBuffer();
  };
  const start = async (bytes) => (await WebAssembly.instantiate(bytes)).instance.exports;
  const relaxed = await read("relaxed.wasm");
  if (WebAssembly.validate(relaxed)) {
    engine = await start(relaxed);
    if (engine.fuses()) return "relaxed SIMD";
  }
  engine = await start(await read("plain.wasm"));
  return "plain SIMD";
}

const output = () => new Uint8Array(engine.memory.buffer, engine.output(), engine.output_length()).slice();
const text = () => new TextDecoder().decode(output());

// Calls a function of the engine with bytes as its input; its output stays in the engine.
function call(name, args = [], input = new Uint8Array()) {
  const at = engine.input(input.length);
  new Uint8Array(engine.memory.buffer, at, input.length).set(input);
  let ok;
  try {
    ok = engine[name](...args);
  } catch (error) {
    const said = text();
    throw new Error(`the engine has stopped: ${said || error.message}; load the page again`);
  }
  if (!ok) throw new Error(text());
}

const floats = () => new Float32Array(output().buffer);
const encoded = (text) => new TextEncoder().encode(text);
const calls = {
  load,
  create: (asked) => (call("create", [], encoded(JSON.stringify(asked))), JSON.parse(text())),
  change: (lines) => (call("change", [], encoded(lines)), JSON.parse(text())),
  sample: (seed, count, steps, temperature, prime) =>
    (call("sample", [seed, count, steps, temperature], new Uint8Array(prime.buffer)), floats()),
  line: (i) => (call("line", [i]), floats()),
  flow: (steps) => (call("flow", [steps]), JSON.parse(text())),
  pass: (steps) => (call("pass", [steps]), text()),
  checkpoint: () => (call("checkpoint"), output()),
  hash: () => (call("hash"), text()),
  run: (limit) => { until = limit; if (!running) train(); },
  pause: () => { running = false; },
};

let running = false, until = Infinity, turn = 0;
const channel = new MessageChannel();
// Lets the calls in that have come meanwhile.
const others = () => new Promise((go) => { channel.port1.onmessage = go; channel.port2.postMessage(0); });

async function train() {
  const mine = ++turn;
  running = true;
  try {
    while (running && mine === turn) {
      const start = performance.now();
      call("step");
      const report = JSON.parse(text());
      report.ms = performance.now() - start;
      if (report.step >= until) running = false;
      postMessage({ report, running });
      await others();
    }
  } catch (error) {
    running = false;
    postMessage({ failed: error.message });
  }
}

onmessage = async ({ data: { id, name, args } }) => {
  try {
    postMessage({ id, value: await calls[name](...args) });
  } catch (error) {
    postMessage({ id, error: error.message });
  }
};
