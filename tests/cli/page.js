// Uses the page as a reader would and writes what it found into the document, for the test to read.
"use strict";
const found = { errors: [], most: 0 };
addEventListener("error", (event) => found.errors.push(String(event.message)));
addEventListener("securitypolicyviolation", (event) => found.errors.push(`leaves the page: ${event.blockedURI}`));
const key = (target, name) => target.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
const all = (selector) => [...document.querySelectorAll(selector)];
const reached = new Set();
const look = () => {
  found.most = Math.max(found.most, all(".box").length);
  for (const { dataset } of all(".box[data-node]")) (series.get(dataset.series) ?? [Number(dataset.node)]).forEach((id) => reached.add(id));
};

function use() {
  // The table.
  document.getElementById("all").open = true;
  document.getElementById("all").dispatchEvent(new Event("toggle"));
  found.table = all("#table tr").map((row) => [...row.children].map((cell) => cell.textContent).join("\t"));
  // Every group is opened, every node found in a box or behind one, and everything closed again.
  look();
  found.closed = all(".box").length;
  const opened = new Set();
  for (let box; (box = all(".box[aria-expanded]").find((b) => !opened.has(b.dataset.key)));) {
    opened.add(box.dataset.key);
    box.click();
    look();
  }
  found.opened = [...opened];
  found.unreached = nodes.flatMap((n, id) => (reached.has(id) ? [] : [id]));
  for (let b; (b = document.querySelector("#open button"));) b.click();
  found.closed_again = all(".box").length;
  // The steps, by key and by slider.
  const step = () => Number(document.getElementById("step").value);
  key(document.body, "ArrowRight");
  key(document.body, "ArrowRight");
  key(document.body, "ArrowLeft");
  found.step = step();
  const cursor = document.querySelector(".strip .cursor");
  found.cursor = parseFloat(cursor.style.left);
  // A node by name, its terms, and one number of it by keyboard.
  const find = document.getElementById("find");
  find.value = asked;
  find.dispatchEvent(new Event("change"));
  found.title = document.getElementById("node-title").textContent;
  const maps = all(".map canvas");
  found.maps = maps.length;
  maps[0].focus();
  for (let n = 0; n < 4; n++) key(maps[0], "ArrowRight");
  key(maps[0], "Enter");
  found.element = document.querySelector("#element h3").textContent;
  // The same place by its address, as `explain --element` takes it.
  const [, indices] = found.element.match(/\[([\d, ]+)\]/);
  found.place = [elementAt(shown.node, indices.replaceAll(" ", "")), shown.element];
  // Its step is the one that is marked in every picture.
  const at = timed(nodes[shown.node]) ? indexOf(shown.node, shown.element)[1] : step();
  found.steps = [step(), at];
  document.getElementById("step").value = 1;
  setStep(0);
  showNode(shown.node, shown.element);
  found.steps.push(step(), timed(nodes[shown.node]) ? at : step());
  // From there along the chain rule to the loss, by the link at the largest product each time.
  found.path = [];
  for (let n = 0; n < 1000; n++) {
    found.path.push(called(shown.node, shown.element));
    const next = document.querySelector("#element ol.path li button");
    if (!next || level(shown.node, shown.element).products.length === 0) break;
    next.click();
  }
  found.end = document.getElementById("element").textContent;
  found.trail = all("#element p.soft button").length;
  // Single numbers as the page tells them.
  found.numbers = numbers_asked.map(([id, e]) => {
    showNode(id, e, false);
    const { gradient, products, whole, miss } = level(id, e);
    return {
      text: document.getElementById("element").textContent, gradient, count: products.length, whole: whole.length, miss,
      products: products.slice(0, 6).map((p) => ({ node: p.node, element: indexOf(p.node, p.at), gradient: p.gradient, product: p.product,
        factors: p.factors().map(({ what, value }) => ({ what, value })) })),
    };
  });
  // Every checkpoint by the slider, and back by the button.
  if (!document.getElementById("history").hidden) {
    const slider = document.getElementById("checkpoint"), past = () => !document.getElementById("of-checkpoint").hidden;
    found.passes = [];
    for (let i = 1; i <= Number(slider.max); i++) {
      slider.value = i;
      slider.dispatchEvent(new Event("input"));
      found.passes.push({
        said: document.getElementById("checkpoint-out").textContent, past: past(), strips: all("#rows .row").length,
        reading: document.getElementById("reading").textContent,
        parameters: Object.fromEntries(nodes.map((n, id) => [n.label, rmsOf(id, "value")]).filter((_, id) => nodes[id].parameter)),
      });
      look();
    }
    found.charts = all(".chart svg[role=img]").map((chart) => chart.getAttribute("aria-label"));
    slider.value = 1;
    slider.dispatchEvent(new Event("input"));
    const was = past();
    document.getElementById("back").click();
    found.back = was && !past();
  }
  found.wide = document.documentElement.scrollWidth > innerWidth;
}

try { use(); } catch (error) { found.errors.push(String(error.stack)); }
const said = document.createElement("pre");
said.id = "found";
said.textContent = JSON.stringify(found);
document.body.append(said);
