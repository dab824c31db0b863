// The page's data, and how values are written.
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
const short = text => text.length > 40 ? text.slice(0, 39) + "…" : text;
