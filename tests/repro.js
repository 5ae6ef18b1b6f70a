// Runs one cell of the table in the module of the live page, as the page would: `node repro.js MODULE < cell.json`.
"use strict";
const fs = require("fs");

async function run() {
  const engine = (await WebAssembly.instantiate(fs.readFileSync(process.argv[2]))).instance.exports;
  const output = () => Buffer.from(new Uint8Array(engine.memory.buffer, engine.output(), engine.output_length()));
  const call = (name, args = [], input = Buffer.alloc(0)) => {
    const at = engine.input(input.length);
    new Uint8Array(engine.memory.buffer, at, input.length).set(input);
    if (!engine[name](...args)) throw new Error(output().toString());
    return output();
  };
  if (!engine.fuses()) throw new Error("this engine does not fuse relaxed multiply-adds");
  const { create, data, steps, draws, iwae, count, length } = JSON.parse(fs.readFileSync(0));
  if (data) {
    const head = data.rows.map((rows, i) => [rows.length / data.channels, data.split[i]]).flat();
    const bytes = [Uint32Array.from(head), Float32Array.from(data.rows.flat())].map((x) => Buffer.from(x.buffer));
    call("data", [data.rows.length, data.channels], Buffer.concat(bytes));
  }
  call("create", [], Buffer.from(JSON.stringify(create)));
  for (let i = 0; i < steps; i++) call("step");
  const hash = call("hash").toString();
  const bounds = JSON.parse(call("bounds", [draws, iwae]));
  const drawn = call("sample", [1, count, length, 1]).toString("hex");
  console.log(JSON.stringify({ hash, bounds, drawn }));
}

run().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
