"use strict";
// Elements of a page. Whatever comes from data is set as text, so that nothing in it is markup.
const at = id => document.getElementById(id);

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
