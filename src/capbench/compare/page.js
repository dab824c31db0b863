// The comparison's page: fills its tables and charts, and updates them when runs are filtered or chosen.
const FIRST_ROWS = 100;
const chosen = [0, data.rows.length > 1 ? data.rows[1].runs[0] : Math.min(1, runs.length - 1)];

at("summary").textContent = `${data.summary}, from ${data.folder}; ranked by ${data.by}, ${data.less ? "lowest" : "highest"} first.`;
at("verdict").textContent = data.verdict;
at("made").textContent = `Made by CapBench ${data.version}. This file needs no network.`;

const keyColumns = valueOf => data.keys.map((key, place) => ({
  name: key, value: row => valueOf(row)[place], cell: row => short(valueOf(row)[place]) }));
const numberColumn = (name, key, rises = true) => ({
  name, number: true, rises, value: run => measure(key, run), cell: run => told(measure(key, run)) });

function showRanking() {
  const ranks = data.rows.map((_, rank) => rank);
  const average = (key, rank) => {
    const values = data.rows[rank].runs.map(run => measure(key, run)).filter(known);
    return values.length ? values.reduce((a, b) => a + b) / values.length : null;
  };
  const mean = (name, key) => ({ name, number: true, rises: true, value: rank => average(key, rank),
    cell: rank => known(average(key, rank)) ? counted(Math.round(average(key, rank))) : "–" });
  new Sortable(at("ranking-table"), [
    { name: "rank", number: true, rises: true, value: rank => rank, cell: rank => String(rank + 1) },
    ...keyColumns(rank => data.rows[rank].values),
    { name: data.by, number: true, rises: data.less, value: rank => data.rows[rank].mean,
      cell: rank => told(data.rows[rank].mean) + (known(data.rows[rank].spread) ? ` ± ${told(data.rows[rank].spread)}` : "") },
    { name: "95 % interval", number: true, cell: rank => (data.rows[rank].interval || []).map(told).join(" to ") },
    { name: "runs", number: true, value: rank => data.rows[rank].runs.length,
      cell: rank => `${counted(data.rows[rank].runs.length)} ${data.rows[rank].marks.join(", ")}`.trim() },
    mean("parameters", "params"), mean("training, s", "train/seconds"), mean("labelled images", "labelled"),
  ], FIRST_ROWS, () => {}).show(ranks);
}

function choiceOf(run) {
  return ["A", "B"].map((name, place) => element("button", {
    type: "button", "aria-pressed": chosen[place] === run, "aria-label": `${name}: ${data.names[run]}`,
    onclick: () => choose(place, run) }, name));
}

const runColumns = [
  { name: "compare", heads: false, cell: choiceOf },
  { name: "rank", number: true, rises: true, value: run => rowOf[run], cell: run => String(rowOf[run] + 1) },
  { name: "run", heads: true, value: run => data.names[run],
    cell: run => data.names[run] + (data.marks[run].length ? ` (${data.marks[run].join(", ")})` : "") },
  ...keyColumns(run => data.rows[rowOf[run]].values),
  { name: "seed", number: true, rises: true, value: run => Number(data.seeds[run]), cell: run => data.seeds[run] },
  ...(data.by === "test/exact" ? [] : [numberColumn(data.by, data.by, data.less)]),
  numberColumn("test/exact", "test/exact", false),
  { name: "95 % interval", number: true, cell: run => (Array.isArray(data.intervals[run]) ? data.intervals[run] : []).map(told).join(" to ") },
  numberColumn("test/char", "test/char", false), numberColumn("test/ece", "test/ece"),
  numberColumn("labelled images", "labelled"), numberColumn("training, s", "train/seconds"), numberColumn("parameters", "params"),
];
const searched = runs.map(run => runColumns.slice(1).map(column => column.cell(run)).join(" ").toLowerCase());
const runTable = new Sortable(at("runs-table"), runColumns, FIRST_ROWS, showRuns);

function filter() {
  const words = at("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  runTable.show(runs.filter(run => words.every(word => searched[run].includes(word))));
}

function showRuns(rows) {
  at("shown").textContent = `${counted(rows.length)} of ${counted(runs.length)} runs`;
  at("more").hidden = rows.length <= runTable.most;
  showCost(rows);
  showTraining(rows);
}

function showCost(rows) {
  const costs = [["params", "parameters"], ["train/seconds", "training, seconds"], ["labelled", "labelled images"]];
  at("cost-charts").replaceChildren(...costs.map(([key, x]) => {
    const points = rows.filter(run => measure(key, run) > 0 && known(measure("test/exact", run)))
      .map(run => [measure(key, run), measure("test/exact", run), run]);
    const ranks = new Map();
    for (const point of points) {
      const rank = rowOf[point[2]] < COLOURS ? rowOf[point[2]] : COLOURS;
      ranks.set(rank, [...(ranks.get(rank) || []), [point[0], point[1], runLabel(point[2])]]);
    }
    const best = front(points);
    const series = [...ranks].sort((a, b) => b[0] - a[0]).map(([rank, points]) => ({ points, colour: colourOf(rank) }));
    const legend = [...ranks.keys()].sort((a, b) => a - b).map(rank =>
      ({ colour: colourOf(rank), text: rank < COLOURS ? rowLabel(rank) : "others" }));
    return chart({ title: `Accuracy over ${x}`, x, y: "test/exact", log: true, legend,
      series: [{ points: best, line: true, kind: "front" }, ...series] });
  }));
}

function showTraining(rows) {
  const [key, step] = [at("curve").value, at("step").value];
  const with_curve = rows.filter(run => data.curves[run]?.[key] && data.curves[run][step]).slice(0, COLOURS);
  const series = with_curve.map((run, place) => {
    const curve = data.curves[run];
    const points = curve[step].map((x, epoch) => [x, curve[key][epoch]]).filter(([x, y]) => known(x) && known(y));
    return points.length > 1 ? { points, line: true, colour: `c${place}`, dash: dashOf(place) }
      : { points: points.map(([x, y]) => [x, y, runLabel(run)]), colour: `c${place}` };
  });
  const legend = with_curve.map((run, place) => ({ colour: `c${place}`, dash: dashOf(place), text: runLabel(run) }));
  at("training-chart").replaceChildren(chart({
    title: `${key} in training`, x: step, y: key, series, legend, bounded: key.endsWith("exact") }));
}

function showLearning() {
  const curves = data.learning;
  at("learning-none").hidden = curves.length > 0;
  if (!curves.length) return;
  const shown = curves.slice(0, COLOURS);
  const label = curve => curve.values.map(short).join(", ") || "all runs";
  const series = shown.flatMap(({ line, forecast, runs }, place) => {
    const colour = `c${place}`;
    const parts = [{ part: line, dash: null }, { part: forecast, dash: "5 4" }].filter(({ part }) => part.length);
    return [
      ...parts.map(({ part }) => ({ points: [], band: part.map(([x, , low, high]) => [x, low, high]), colour })),
      ...parts.map(({ part, dash }) => ({ points: part.map(([x, y]) => [x, y]), line: true, colour, dash })),
      { points: runs.map(run => [measure("labelled", run), measure("test/exact", run), runLabel(run)]), colour },
    ];
  });
  at("learning-chart").replaceChildren(chart({ title: "Accuracy over labelled images", x: "labelled images", y: "test/exact",
    log: true, series, legend: shown.map((curve, place) => ({ colour: `c${place}`, text: label(curve) })) }));
  const needed = curves[0].needed.map(([target], place) => ({ name: `images for ${target}`, number: true,
    cell: curve => curve.needed[place][1] }));
  at("learning-table").replaceChildren(table([
    { name: data.learning_keys.join(", ") || "runs", cell: label },
    { name: "runs", number: true, cell: curve => String(curve.runs.length) },
    { name: "most images", number: true, cell: curve => counted(curve.most) },
    { name: "forecast for four times as many", number: true, cell: curve => curve.furthest }, ...needed], curves));
}

function choose(place, run) {
  chosen[place] = run;
  [at("first"), at("second")][place].value = String(run);
  for (const button of runTable.body.querySelectorAll("button"))
    button.setAttribute("aria-pressed", button.getAttribute("aria-label") === `${button.textContent}: ${data.names[chosen[button.textContent === "A" ? 0 : 1]]}`);
  showPair(...chosen);
}

function options(select, values, label = value => value) {
  select.replaceChildren(...values.map(value => element("option", { value }, label(value))));
}

const curveKeys = ["val/exact", "val/loss", "train/exact", "train/loss"];
options(at("curve"), curveKeys.filter(key => data.curves.some(curve => curve?.[key])));
options(at("step"), ["epoch", "images", "seconds"]);
["curve", "step"].forEach(id => at(id).addEventListener("change", () => showTraining(runTable.rows)));
["first", "second"].forEach((id, place) => {
  options(at(id), runs, runLabel);
  at(id).addEventListener("change", () => choose(place, Number(at(id).value)));
});
at("filter").addEventListener("input", filter);
at("more").addEventListener("click", () => { runTable.most = Infinity; runTable.show(runTable.rows); });
at("left-out-table").replaceChildren(data.left_out.length
  ? table([{ name: "folder", cell: ([name]) => name }, { name: "reason", cell: ([, reason]) => reason }], data.left_out)
  : element("p", { class: "quiet" }, "No folder was left out."));

showRanking();
filter();
showLearning();
chosen.forEach((run, place) => choose(place, run));
