"use strict";
(async () => {
  const model = JSON.parse(document.getElementById("model").textContent);
  const said = document.getElementById("said"), answers = document.getElementById("answers");
  const MOST_ROWS = 100;
  const FAULTS = { 8: "the graph has more nodes or edges than the model was made for", 6: "an edge names a node that is not there", 13: "a weight of an edge is below 0, or not 1 from a node to itself" };

  const bytes = Uint8Array.from(atob(model.module), (letter) => letter.charCodeAt(0));
  const math = { expf: Math.exp, expm1f: Math.expm1, log1pf: Math.log1p, tanhf: Math.tanh };
  const { instance } = await WebAssembly.instantiate(bytes, { env: math });
  const made = instance.exports;

  const floats = (place, count) => new Float32Array(made.memory.buffer, place, count);
  const words = (place, count) => new Uint32Array(made.memory.buffer, place, count);

  // Shares of classes from logits, chances of labels, or the numbers themselves.
  function shown(outputs) {
    if (model.kind === "numbers") return outputs;
    if (model.kind === "labels") return outputs.map((x) => 1 / (1 + Math.exp(-x)));
    const largest = Math.max(...outputs), shares = outputs.map((x) => Math.exp(x - largest));
    const sum = shares.reduce((a, b) => a + b);
    return shares.map((x) => x / sum);
  }

  function verdict(values) {
    if (model.kind === "numbers") return "";
    const names = model.outputs;
    if (model.kind === "classes") return names[values.indexOf(Math.max(...values))];
    return names.filter((_, k) => values[k] >= 0.5).join(", ") || "none";
  }

  function tell(rows, milliseconds) {
    const body = answers.tBodies[0], width = model.outputs.length;
    const results = floats(made.results(), (Math.max(...rows) + 1) * width);
    body.replaceChildren(...rows.slice(0, MOST_ROWS).map((row) => {
      const values = shown(Array.from(results.slice(row * width, (row + 1) * width)));
      const line = document.createElement("tr");
      const cells = [String(row), verdict(values), ...values.map((x) => model.kind === "numbers" ? x.toPrecision(6) : `${(100 * x).toFixed(1)}\u00a0%`)];
      cells.forEach((text, k) => {
        const cell = document.createElement(k ? "td" : "th");
        cell.textContent = text;
        line.append(cell);
      });
      return line;
    }));
    answers.hidden = false;
    const more = rows.length > MOST_ROWS ? `; the first ${MOST_ROWS} are shown` : "";
    said.textContent = `${rows.length} predicted in ${milliseconds.toFixed(1)} ms${more}`;
  }

  function run(rows, predict) {
    const start = performance.now(), fault = predict();
    if (fault) throw new Error(FAULTS[fault] ?? `the model refused this (error ${fault} of sgq_runtime.h)`);
    tell(rows, performance.now() - start);
  }

  const whole = (count) => Array.from({ length: count }, (_, k) => k);

  function fill(rows, count) {
    if (!Array.isArray(rows) || !rows.length || (count && rows.length !== count)) throw new Error(`x must have ${count || "some"} rows, one for each node`);
    if (rows.length > model.nodes) throw new Error(FAULTS[8]);
    const place = floats(made.features(), model.nodes * model.features);
    rows.forEach((row, k) => {
      if (!Array.isArray(row) || row.length !== model.features || !row.every(Number.isFinite)) throw new Error(`row ${k} of x must be ${model.features} numbers`);
      place.set(row, k * model.features);
    });
  }

  function fillWeights(weights, count) {
    if (!Array.isArray(weights) || weights.length !== count || !weights.every(Number.isFinite)) throw new Error(`edge_weight must be ${count} numbers, one for each edge`);
    floats(made.weights(), count).set(weights);
  }

  function predictGiven(text) {
    const input = JSON.parse(text);
    if (model.given === "features") {
      fill(input.x, model.nodes);
      return run(model.whole ? [0] : whole(model.nodes), () => made.predict());
    }
    fill(input.x, 0);
    const [from, to] = input.edge_index ?? [];
    if (!Array.isArray(from) || !Array.isArray(to) || from.length !== to.length) throw new Error("edge_index must be two lists of nodes, as long as each other");
    if (from.length > model.edges) throw new Error(FAULTS[8]);
    if (![...from, ...to].every((node) => Number.isInteger(node) && node >= 0)) throw new Error("edge_index must be numbers of nodes, from 0 on");
    words(made.sources(), from.length).set(from);
    words(made.targets(), to.length).set(to);
    if (made.weights) fillWeights(input.edge_weight, from.length);
    return run(model.whole ? [0] : whole(input.x.length), () => made.predict(input.x.length, from.length));
  }

  function attempt(work) {
    try {
      work();
    } catch (error) {
      answers.hidden = true;
      said.textContent = error.message;
    }
  }

  const box = document.getElementById("input"), node = document.getElementById("node");
  if (box) {
    const rows = model.given === "features" ? model.nodes : 3;
    const example = { x: whole(rows).map(() => Array(model.features).fill(1)) };
    if (model.given === "graph") example.edge_index = [[0, 1, 1, 2], [1, 0, 2, 1]];
    if (made.weights) example.edge_weight = [1, 1, 1, 1];
    box.value = JSON.stringify(example);
  }
  document.getElementById("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(() => {
      if (box) predictGiven(box.value);
      else if (node) run([node.valueAsNumber], () => made.predict_node(node.valueAsNumber));
      else run([0], () => made.predict());
    });
  });
  document.getElementById("all")?.addEventListener("click", () => attempt(() => run(whole(model.nodes), () => made.predict())));
})();
