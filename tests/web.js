// Uses the live page as a reader would, and posts what it found to the test.
"use strict";
const found = { errors: [] };
addEventListener("error", (event) => found.errors.push(String(event.message)));
addEventListener("unhandledrejection", (event) => found.errors.push(String(event.reason)));
addEventListener("securitypolicyviolation", (event) => found.errors.push(`leaves the page: ${event.blockedURI}`));

// Resolves as soon as `holds` does, looked at whenever the document changes.
const until = (holds) => new Promise((resolve, reject) => {
  const watch = new MutationObserver(() => look());
  const look = () => {
    const failed = byId("failed");
    if (!failed.hidden) reject(new Error(failed.textContent));
    else if (holds()) resolve();
    else return;
    watch.disconnect();
  };
  watch.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  look();
});
const ready = () => until(() => !byId("train").disabled && byId("train").textContent === "Train");

async function choose(id, value) {
  await ready();
  byId(id).value = value;
  byId(id).dispatchEvent(new Event("change"));
  await ready();
}

async function trained(updates) {
  await ready();
  byId("until").value = updates;
  byId("train").click();
  await until(() => byId("state").textContent.includes(`update ${updates} `) && byId("train").textContent === "Train");
  byId("check").click();
  await until(() => byId("hash").textContent.length === 64);
  found.hash = byId("hash").textContent;
  found.command = byId("command").textContent;
  found.state = byId("state").textContent;
  found.samples = 1 + document.querySelectorAll("#before figure").length;
  found.charts = Object.fromEntries(["loss", "kl", "norms", "flow"].map((id) => [id, byId(id).getAttribute("aria-label")]));
}

// Two lines of 60 steps, number by number, as the bits of f32.
async function drawn() {
  const rows = await ask("sample", 1, 2, 60, 0.7, new Float32Array());
  return [...new Uint32Array(rows.buffer)];
}

// Draws a wave on the pad, and lets the model go on.
async function onPad() {
  const pad = byId("pad"), box = pad.getBoundingClientRect();
  const send = (type, x, y) => pad.dispatchEvent(new PointerEvent(type,
    { clientX: box.left + x, clientY: box.top + y, pointerId: 1, isPrimary: true, bubbles: true, cancelable: true }));
  pad.setPointerCapture = () => {};
  pad.hasPointerCapture = () => true;
  send("pointerdown", 20, 60);
  for (let x = 21; x < 220; x++) send("pointermove", x, 60 + 25 * Math.sin(x / 15));
  found.given = padRows().length / 3;
  byId("go-on").click();
  await until(() => pad.getAttribute("aria-label").includes("that the model drew"));
  found.pad = pad.getAttribute("aria-label");
}

async function viewed() {
  const viewer = byId("viewer");
  const loaded = new Promise((go) => viewer.addEventListener("load", go));
  byId("look").click();
  await until(() => !viewer.hidden);
  await loaded;
  const page = viewer.contentDocument;
  found.viewer = page.title;
  found.nodes = JSON.parse(page.getElementById("pass").textContent).nodes.length;
}

async function use() {
  await ready();
  {script}
}

use().catch((error) => found.errors.push(String(error.stack))).then(() => {
  const from = performance.getEntriesByType("resource").map((entry) => new URL(entry.name, location.href).origin);
  found.from = [...new Set(from)].filter((origin) => origin !== "null");
  return fetch("/found", { method: "POST", body: JSON.stringify(found) });
});
