const EVERY = 3000;       // milliseconds between two requests
const PATIENCE = 10000;   // milliseconds that an answer may take
const QUESTION = 120000;  // the same for what would change a decision: the daemon makes tens of plans for it
const DENSE = 120;        // more nodes than this are shown as small squares
const CHUNK = 8;          // rows of small squares that the browser leaves undrawn, as a block, while they are out of sight
const STREAM = 60;        // decisions that are shown before somebody asks for more
const KEPT = 1000;        // decisions that are kept, as many as the daemon keeps
const STATES = ["busy", "idle", "unpaired", "booting", "reserved", "down", "fail", "shutdown"];
const TOKEN = "arvados-node-manager.token";
const THEME = "arvados-node-manager.theme";

/** @type {ById} */
const byId = (id) => /** @type {any} */ (document.getElementById(id));

/* ---- making elements: every text goes in as text ------------------------------------------------------------------ */

function make(tag, classes, ...children) {
  const element = document.createElement(tag);
  if (classes) element.className = classes;
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

function draw(tag, attributes, text) {  // of an SVG
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text) element.textContent = text;
  return element;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/* Let `parent` have exactly these children in this order; those that are in place are not touched, and keep the focus. */
function arrange(parent, wanted) {
  const stay = new Set(wanted);
  for (const child of [...parent.children]) if (!stay.has(child)) child.remove();
  let at = parent.firstElementChild;
  for (const element of wanted) {
    if (element === at) at = at.nextElementSibling;
    else parent.insertBefore(element, at);
  }
}

/* ---- words --------------------------------------------------------------------------------------------------------- */

function span(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${(seconds / 3600).toFixed(1)} h`;
  return `${(seconds / 86400).toFixed(1)} days`;
}

function money(dollars) {
  if (dollars === null || dollars === undefined) return "–";
  return `$${dollars.toFixed(dollars < 0.1 ? 3 : 2).replace(/(\.\d\d)0$/, "$1")}`;
}

const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;
const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], {hour12: false});
const when = (seconds) => Date.now() / 1000 - seconds < 43200 ? clock(seconds)
  : `${new Date(seconds * 1000).toLocaleDateString([], {month: "short", day: "numeric"})}, ${clock(seconds)}`;
const memory = (mb) => mb >= 1000 ? `${+(mb / 1000).toFixed(1)} GB` : `${mb} MB`;
const called = (node) => node.hostname || node.name;
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
