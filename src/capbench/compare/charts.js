// Charts: figures with points and lines on two axes.
const WIDTH = 460, HEIGHT = 300, LEFT = 58, RIGHT = 14, TOP = 10, BOTTOM = 42;

function linear(low, high) {
  const step = 10 ** Math.floor(Math.log10(high - low)) || 1;
  const gap = [0.1, 0.2, 0.5, 1, 2].map(part => part * step).find(gap => (high - low) / gap <= 6) || step;
  const ticks = [];
  for (let place = Math.ceil(low / gap - 1e-9); place * gap <= high + gap * 1e-9; place++) ticks.push(+(place * gap).toPrecision(8));
  return { of: value => (value - low) / (high - low), ticks };
}

function logarithmic(low, high) {
  const ticks = [];
  const decades = Math.log10(high / low);
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
    for (const part of decades > 3 ? [1] : [1, 2, 5]) {
      const tick = part * 10 ** power;
      if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push(tick);
    }
  return { of: value => Math.log(value / low) / Math.log(high / low), ticks };
}

function scale(values, log, bounded) {
  let low = values.reduce((a, b) => Math.min(a, b)), high = values.reduce((a, b) => Math.max(a, b));
  if (log) return low === high ? logarithmic(low / 2, high * 2) : logarithmic(low / 1.1, high * 1.1);
  const margin = (high - low) * 0.05 || Math.abs(high) * 0.05 || 1;
  low -= margin; high += margin;
  return bounded ? linear(Math.max(0, low), Math.min(1, high)) : linear(low, high);
}

const ticked = tick => Math.abs(tick) >= 1e4 ? tick.toLocaleString("en", { notation: "compact" }) : String(+tick.toPrecision(6));

// An HTML figure. series: { points: [[x, y, text]], line, colour, dash, band: [[x, low, high]], kind }
function chart({ title, x, y, series, diagonal = false, log = false, bounded = true, legend = [] }) {
  const points = series.flatMap(one => [...one.points, ...(one.band || []).flatMap(([x, low, high]) => [[x, low], [x, high]])]);
  const caption = element("figcaption", {}, title);
  if (!points.length) return element("figure", {}, caption, element("p", { class: "quiet" }, "Nothing to show."));
  const across = diagonal ? linear(0, 1) : scale(points.map(point => point[0]), log, false);
  const up = diagonal ? linear(0, 1) : scale(points.map(point => point[1]), false, bounded);
  const px = value => LEFT + across.of(value) * (WIDTH - LEFT - RIGHT);
  const py = value => HEIGHT - BOTTOM - up.of(value) * (HEIGHT - TOP - BOTTOM);
  const path = pairs => pairs.map(([x, y], place) => `${place ? "L" : "M"}${px(x).toFixed(1)} ${py(y).toFixed(1)}`).join("");
  const picture = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}: ${y} over ${x}` });
  for (const tick of across.ticks) picture.append(
    drawn("line", { class: "grid", x1: px(tick), x2: px(tick), y1: TOP, y2: HEIGHT - BOTTOM }),
    drawn("text", { x: px(tick), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, ticked(tick)));
  for (const tick of up.ticks) picture.append(
    drawn("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: py(tick), y2: py(tick) }),
    drawn("text", { x: LEFT - 6, y: py(tick) + 4, "text-anchor": "end" }, ticked(tick)));
  picture.append(
    drawn("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, x),
    drawn("text", { x: -(TOP + HEIGHT - BOTTOM) / 2, y: 12, transform: "rotate(-90)", "text-anchor": "middle" }, y));
  if (diagonal) picture.append(drawn("line", { class: "diagonal", x1: px(0), y1: py(0), x2: px(1), y2: py(1) }));
  for (const one of series) {
    if (one.band) picture.append(drawn("path", {
      class: `band ${one.colour}`,
      d: path([...one.band.map(([x, low]) => [x, low]), ...one.band.map(([x, , high]) => [x, high]).reverse()]) + "Z" }));
    if (one.line) picture.append(drawn("path", {
      class: one.kind || `curve ${one.colour || "quiet"}`, "stroke-dasharray": one.dash || null, d: path(one.points) }));
    else for (const [x, y, text] of one.points) picture.append(
      drawn("circle", { class: `dot ${one.colour || "quiet"}`, cx: px(x).toFixed(1), cy: py(y).toFixed(1), r: 3.5 },
        drawn("title", {}, text || "")));
  }
  return element("figure", {}, caption, picture, legend.length ? legendOf(legend) : null);
}

const DASHES = [null, "7 3", "2 3", "9 3 2 3"];
const dashOf = number => DASHES[Math.floor(number / 2) % DASHES.length];

function legendOf(entries) {
  return element("ul", { class: "legend" }, ...entries.map(({ colour, dash, text }) => element("li", {},
    drawn("svg", { viewBox: "0 0 35 10", "aria-hidden": "true" },
      drawn("path", { class: `curve ${colour || "quiet"}`, "stroke-dasharray": dash || null, d: "M0 5H35" })), text)));
}

// Pareto front of [cost, accuracy, …]: the points with a higher accuracy than every point of the same or a lower cost.
function front(points) {
  let best = -1;
  return [...points].sort((a, b) => a[0] - b[0] || b[1] - a[1]).filter(point => point[1] > best && (best = point[1], true));
}
