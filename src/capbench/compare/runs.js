// Runs in order of rank: their measures, names and colours.
const runs = data.names.map((_, run) => run);
const rowOf = [];
data.rows.forEach((row, rank) => row.runs.forEach(run => { rowOf[run] = rank; }));
const measure = (key, run) => data.measures[key][run];
const cellOf = (column, run) => column.values[column.of[run]];
const rowLabel = rank => data.rows[rank].values.map(short).join(", ") || "all runs";
const runLabel = run => `${rowOf[run] + 1}. ${data.names[run]} (${rowLabel(rowOf[run])}; seed ${data.seeds[run]}${data.marks[run].map(mark => `; ${mark}`).join("")})`;
const colourOf = rank => rank < COLOURS ? `c${rank}` : "";
