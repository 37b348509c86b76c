/* ---- the last hours -------------------------------------------------------------------------------------------------------- */

const HEIGHT = 150, LEFT = 42, RIGHT = 8, TOP = 8, BOTTOM = 20;
/* As many hours as something is known of, up to six, until somebody chooses. */
function fitSpan() {
  const {until, times, queue} = known.history, select = byId("span"), first = queue.findIndex((value) => value !== null);
  if (first < 0) return;
  const hours = first < 2 ? +select.value * 1.01 : (until - times[first]) / 3600;  // known from the beginning, or earlier
  const fitting = [...select.options].find((option) => +option.value >= Math.min(hours, 6));
  if (fitting.value === select.value) return;
  select.value = fitting.value;
  known.nextHistory = 0;
  again = true;
}

let spanChosen = false;
let marked = null;  // the place in the history under the pointer

function charts() {
  const {nodes, queue, capacity, cost_per_hour: cost} = known.history, cap = known.status.max_total_price;
  const states = [["busy"], ["idle"], ["unpaired", "dashed"], ["booting"], ["other", "dashed"]];
  const knownAt = (at) => states.every(([name]) => nodes[name][at] !== null);
  const there = queue.map((_, at) => knownAt(at) ? states.reduce((all, [name]) => all + nodes[name][at], 0) : null);
  const count = (number) => number < 1 ? String(+number.toFixed(1)) : String(Math.round(number));  // a mean of some time
  return [
    {title: "Nodes by state", lines: states.map(([name, look]) => ({name, look, values: nodes[name]})), words: count},
    {title: "Queue against capacity", words: count, lines: [
      {name: "queue", values: queue, label: "jobs waiting"},
      {name: "there", values: there, label: "nodes"},
      {name: "capacity", look: "dashed", values: capacity, label: "nodes possible", limit: true},
    ]},
    {title: "Cost per hour", words: money, lines: [
      {name: "cost", values: cost, label: "cost"},
      ...(cap ? [{name: "cap", look: "dashed", values: cost.map(() => cap), label: "cap", limit: true}] : []),
    ]},
  ];
}

function showHistory(instead) {
  const times = known.history ? known.history.times : [];
  const words = instead || (times.length ? "" : "Nothing is recorded of these hours yet.");
  byId("hours").hidden = !!words;
  byId("no-hours").hidden = !words;
  write(byId("no-hours"), words);
  write(byId("moment"), "");
  if (words) return;
  marked = marked !== null && marked < times.length ? marked : null;
  const shown = charts();
  const boxes = byId("hours");
  while (boxes.children.length < shown.length) boxes.append(chartBox());
  shown.forEach((chart, number) => { drawChart(boxes.children[number], chart); });
  mark(marked);
}

function chartBox() {
  const svg = draw("svg", {role: "img", tabindex: "0"});
  const box = make("figure", "", make("h3"), svg, make("ul", "key"));
  svg.addEventListener("pointermove", (event) => {
    const {since, until, times} = known.history, area = svg.getBoundingClientRect();
    const t = since + (event.clientX - area.left - LEFT) / (area.width - LEFT - RIGHT) * (until - since);
    mark(times.reduce((best, time, at) => Math.abs(time - t) < Math.abs(times[best] - t) ? at : best, 0));
  });
  svg.addEventListener("pointerleave", () => mark(null));
  svg.addEventListener("blur", () => mark(null));
  svg.addEventListener("keydown", (event) => {
    const last = known.history.times.length - 1, at = marked === null ? last : marked;
    const to = {ArrowLeft: Math.max(0, at - 1), ArrowRight: Math.min(last, at + 1), Home: 0, End: last, Escape: null}[event.key];
    if (to !== undefined) { event.preventDefault(); mark(to); }
  });
  return box;
}

function ceiling(most) {  // a round number above it
  if (!(most > 0)) return 1;
  const unit = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 4, 6, 10].map((step) => step * unit).find((step) => step >= most);
}

function drawChart(box, {title, lines, words}) {
  const [heading, svg, key] = box.children;
  const {since, until, times} = known.history;
  const width = Math.max(200, Math.round(box.getBoundingClientRect().width));
  const highest = (some) => some.flatMap((line) => line.values).reduce((all, value) => Math.max(all, value ?? 0), 0);
  const most = highest(lines.filter((line) => !line.limit)), limit = highest(lines.filter((line) => line.limit));
  const near = limit <= 3 * most;  // a limit far above everything else is a text, and not drawn
  const top = ceiling(Math.max(most, near ? limit : 0, words === money ? 0 : 2));
  const x = (time) => LEFT + (time - since) / Math.max(1, until - since) * (width - LEFT - RIGHT);
  const y = (value) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
  const parts = [];
  for (const value of [0, top / 2, top]) {
    parts.push(draw("line", {class: "rule", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value)}));
    parts.push(draw("text", {x: LEFT - 6, y: y(value) + 4, "text-anchor": "end"}, words(value)));
  }
  for (const [time, anchor] of [[since, "start"], [(since + until) / 2, "middle"], [until, "end"]]) {
    parts.push(draw("text", {x: x(time), y: HEIGHT - 5, "text-anchor": anchor}, moment(time)));
  }
  for (const line of lines) if (near || !line.limit) parts.push(draw("path", {class: `${line.name} ${line.look || ""}`, d: pathOf(times, line.values, x, y)}));
  const cursor = draw("line", {class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden"});
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  svg.replaceChildren(...parts, cursor);
  write(heading, title);
  box.mark = (at) => {
    const now = at === null ? times.length - 1 : at;
    cursor.setAttribute("visibility", at === null ? "hidden" : "visible");
    if (at !== null) { cursor.setAttribute("x1", x(times[at])); cursor.setAttribute("x2", x(times[at])); }
    const told = lines.map((line) => [line.name, line.label || line.name, line.values[now]]);
    key.replaceChildren(...told.map(([name, label, value]) => make("li", name, `${label} `, make("b", "", value === null || value === undefined ? "–" : words(value)))));
    svg.setAttribute("aria-label", `${title}, ${moment(times[now])}: ${key.innerText || key.textContent}. Arrow keys move through time.`);
  };
}

/* A line; where nothing is known it has a gap, and a value between two gaps is a dot. */
function pathOf(times, values, x, y) {
  let path = "", open = false;
  times.forEach((time, at) => {
    const value = values[at];
    if (value === null || value === undefined) { open = false; return; }
    path += `${open ? "L" : "M"}${x(time).toFixed(1)} ${y(value).toFixed(1)}`;
    if (!open && (values[at + 1] === null || values[at + 1] === undefined)) path += "h0.1";
    open = true;
  });
  return path;
}

function moment(time) {
  const date = new Date(time * 1000), far = known.history.until - known.history.since > 90000;
  const day = far ? `${date.toLocaleDateString([], {month: "short", day: "numeric"})} ` : "";
  return day + date.toLocaleTimeString([], {hour: "2-digit", minute: "2-digit", hour12: false});
}

function mark(at) {
  marked = at;
  write(byId("moment"), at === null ? "" : `at ${moment(known.history.times[at])}`);
  for (const box of byId("hours").children) box.mark(at);
}

byId("span").addEventListener("change", () => {
  spanChosen = true; known.nextHistory = 0; marked = null; follow(); });
let hoursWidth = 0;
new ResizeObserver(([entry]) => {
  if (Math.abs(entry.contentRect.width - hoursWidth) < 1) return;
  hoursWidth = entry.contentRect.width;
  if (known.history && hoursWidth) showHistory();
}).observe(byId("hours"));
