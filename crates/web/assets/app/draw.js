// Graphs: arrow keys along the edges. Charts: one cross-hair over all of them.

/** Right and left follow an edge, up and down go to the neighbour in the same layer. */
function moveInGraph(event) {
  const node = event.target.closest?.("[data-node]");
  const list = { ArrowRight: "to", ArrowLeft: "from", ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!node || !list) return false;
  const graph = node.closest("svg");
  const next = typeof list === "string"
    ? graph.querySelector(`[data-node="${node.dataset[list].split(" ")[0]}"]`)
    : neighbour(graph, node, list);
  next?.focus();
  return true;
}

function neighbour(graph, node, step) {
  const box = (each) => each.querySelector("rect").getBBox();
  const column = [...graph.querySelectorAll("[data-node]")].filter((each) => box(each).x === box(node).x);
  column.sort((a, b) => box(a).y - box(b).y);
  return column[column.indexOf(node) + step];
}

function onPoint(event) {
  const plot = event.target.closest?.(".chart .plot");
  if (!plot) return hideHair();
  const box = plot.getBoundingClientRect();
  const chart = plot.closest(".chart");
  const [from, to] = ends(chart);
  const at = from + ((event.clientX - box.left) / box.width) * (to - from);
  for (const each of document.querySelectorAll(".chart")) showHair(each, at);
}

function ends(chart) {
  return [Number(chart.dataset.from), Number(chart.dataset.to)];
}

function showHair(chart, at) {
  const [from, to] = ends(chart);
  const plot = chart.querySelector(".plot");
  let hair = plot.querySelector(".hair");
  if (!hair) plot.append((hair = make("i", { className: "hair" })));
  hair.hidden = at < from || at > to;
  hair.style.left = `${((at - from) / (to - from)) * 100}%`;
  read(chart, at);
}

function hideHair() {
  for (const hair of document.querySelectorAll(".hair:not([hidden])")) {
    hair.hidden = true;
    read(hair.closest(".chart"), Infinity);
  }
}

/** Shows in the legend what each series was at that moment, or at the end. */
function read(chart, at) {
  const series = JSON.parse(chart.querySelector("script").textContent);
  series.forEach((points, index) => {
    const nearer = (best, point) => (Math.abs(point[0] - at) < Math.abs(best[0] - at) ? point : best);
    const nearest = at === Infinity ? points.at(-1) : points.reduce(nearer, points[0] ?? []);
    setText(chart.querySelector(`[data-reading="${index}"]`), nearest?.[1] ?? "–");
  });
}

