"use strict";
// Elements of the page. Whatever comes from the data is set as text, so that nothing in it is markup.
const data = JSON.parse(document.getElementById("data").textContent);
const at = id => document.getElementById(id);
const COLOURS = 8;

function built(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter(child => child !== null));
  return node;
}
const element = (name, attributes = {}, ...children) => built(document.createElement(name), attributes, children);
const drawn = (name, attributes = {}, ...children) =>
  built(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

const known = value => value !== null && value !== undefined;
const counted = value => value.toLocaleString("en");
function told(value) {
  if (!known(value)) return "–";
  if (Number.isInteger(value)) return counted(value);
  return Math.abs(value) < 10 ? value.toFixed(4) : value.toLocaleString("en", { maximumFractionDigits: 1 });
}
const likely = p => p >= 0.001 ? p.toFixed(3) : p.toExponential(1);
const short = text => text.length > 40 ? text.slice(0, 39) + "…" : text;
