// What the page knows, and how it is told.
const data = JSON.parse(document.getElementById("data").textContent);
const COLOURS = 8;

const known = value => value !== null && value !== undefined;
const counted = value => value.toLocaleString("en");
function told(value) {
  if (!known(value)) return "–";
  if (Number.isInteger(value)) return counted(value);
  return Math.abs(value) < 10 ? value.toFixed(4) : value.toLocaleString("en", { maximumFractionDigits: 1 });
}
const likely = p => p >= 0.001 ? p.toFixed(3) : p.toExponential(1);

const runs = data.names.map((_, run) => run);
const rowOf = [];
data.rows.forEach((row, rank) => row.runs.forEach(run => { rowOf[run] = rank; }));
const measure = (key, run) => data.measures[key][run];
const cellOf = (column, run) => column.values[column.of[run]];
const short = text => text.length > 40 ? text.slice(0, 39) + "…" : text;
const rowLabel = rank => data.rows[rank].values.map(short).join(", ") || "all runs";
const runLabel = run => `${rowOf[run] + 1}. ${data.names[run]} (${rowLabel(rowOf[run])}; seed ${data.seeds[run]})`;
const colourOf = rank => rank < COLOURS ? `c${rank}` : "";
