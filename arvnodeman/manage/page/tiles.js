/* ---- nodes as tiles -------------------------------------------------------------------------------------------------- */

const tiles = new Map();   // cloud id -> its element, which knows its node
const groups = new Map();  // name -> {section, title, note, chunks}
const wantedStates = new Set();
let order = [];            // the tiles as they are shown
let current = null;        // the one that Tab leads to

const listbox = byId("tiles");
const sortKey = (node) => `${node.coming ? "~" : ""}${called(node)}`.replace(/\d+/g, (digits) => digits.padStart(12, "0"));

function tileOf(node, dense) {
  let tile = tiles.get(node.id);
  if (!tile) {
    tile = make("div");
    tile.setAttribute("role", "option");
    tile.setAttribute("aria-selected", String(node.id === chosen.id));
    tile.tabIndex = -1;
    tiles.set(node.id, tile);
  }
  const name = called(node);
  const look = `tile ${node.state}${node.word ? " word" : ""}${node.goes ? " goes" : ""}`;
  const face = `${look} ${dense} ${name} ${node.word ? node.word.word : ""}`;
  if (tile.face !== face) {
    tile.face = face;
    tile.sort = sortKey(node);
    tile.className = look;
    const words = `${node.state}${node.word ? `, ${node.word.word}` : ""}`;
    tile.setAttribute("aria-label", dense ? `${name}, ${words}` : `${name} ${words}`);  // as it is shown, without the glyph
    if (dense) tile.replaceChildren();
    else tile.replaceChildren(make("b", "", name), " ", make("span", "", words));
  }
  tile.node = node;
  return tile;
}

function showTiles() {
  const dense = known.nodes.size > DENSE;
  listbox.classList.toggle("dense", dense);
  for (const [id, tile] of tiles) if (!known.nodes.has(id)) { tile.remove(); tiles.delete(id); }
  const sought = byId("find").value.trim().toLowerCase();
  const kinds = new Map(), counts = {};
  for (const node of known.nodes.values()) {
    counts[node.state] = (counts[node.state] || 0) + 1;
    if (wantedStates.size && !wantedStates.has(node.state)) continue;
    if (sought && ![node.id, node.name, node.hostname, node.word?.word].some((text) => text?.toLowerCase().includes(sought))) continue;
    const kind = byId("by").value === "size" ? node.size || "no size of ours" : node.state;
    if (!kinds.has(kind)) kinds.set(kind, []);
    kinds.get(kind).push(tileOf(node, dense));
  }
  order = [];
  const names = [...kinds.keys()].sort(byId("by").value === "size" ? bySize : (one, other) => STATES.indexOf(one) - STATES.indexOf(other));
  arrange(listbox, names.map((name) => groupOf(name, kinds.get(name))));
  for (const name of groups.keys()) if (!kinds.has(name)) groups.delete(name);
  if (!current?.isConnected) current = tiles.get(chosen.id) || order[0] || null;
  for (const tile of order) if ((tile.tabIndex === 0) !== (tile === current)) tile.tabIndex = tile === current ? 0 : -1;
  showLegend(counts);
  const none = byId("no-tiles");
  none.hidden = order.length > 0;
  listbox.hidden = order.length === 0;
  write(none, known.nodes.size ? "No node is like that." : "There are no nodes now.");
}

function bySize(one, other) {  // as the list of sizes has them, the cheapest first
  const place = (name) => { const at = known.sizes.findIndex((size) => size.id === name); return at < 0 ? 1e9 : at; };
  return place(one) - place(other) || (one < other ? -1 : 1);
}

function groupOf(name, shown) {
  shown.sort((one, other) => one.sort < other.sort ? -1 : one.sort > other.sort ? 1 : 0);
  order.push(...shown);
  let group = groups.get(name);
  if (!group) {
    const title = make("h3", "", name), note = make("span"), section = make("div", "", title);
    title.append(note);
    title.setAttribute("role", "presentation");
    section.setAttribute("role", "group");
    group = {section, note, chunks: []};
    groups.set(name, group);
  }
  const price = shown.reduce((all, tile) => all + tile.node.price, 0);
  write(group.note, `${plural(shown.length, "node")}, ${money(price)} an hour`);
  group.section.setAttribute("aria-label", `${name}: ${plural(shown.length, "node")}`);
  const most = chunkSize(), parts = Math.ceil(shown.length / most);
  while (group.chunks.length < parts) {
    const chunk = make("div", "grid chunk");
    chunk.setAttribute("role", "presentation");
    group.chunks.push(chunk);
  }
  while (group.chunks.length > parts) group.chunks.pop().remove();
  arrange(group.section, [group.section.firstElementChild, ...group.chunks]);
  group.chunks.forEach((chunk, number) => { arrange(chunk, shown.slice(number * most, (number + 1) * most)); });
  return group.section;
}

function chunkSize() {  // whole rows
  if (known.nodes.size <= DENSE) return known.nodes.size || 1;
  const square = innerWidth <= 720 ? 24 : 20;
  return CHUNK * Math.max(1, Math.floor((listboxWidth - 3) / (square + 3)));
}

let listboxWidth = 600;
new ResizeObserver(([entry]) => {
  const width = entry.contentRect.width + 6;
  if (!width || Math.abs(width - listboxWidth) < 1) return;
  listboxWidth = width;
  if (known.nodes.size > DENSE) showTiles();
}).observe(listbox);

function showLegend(counts) {
  const states = STATES.filter((state) => counts[state] || wantedStates.has(state));
  arrangeTexts(byId("legend"), states, (state) => {
    const button = make("button", state);
    button.type = "button";
    button.addEventListener("click", () => {
      if (!wantedStates.delete(state)) wantedStates.add(state);
      showTiles();
    });
    return button;
  });
  states.forEach((state, number) => {
    const button = byId("legend").children[number];
    button.setAttribute("aria-pressed", String(wantedStates.has(state)));
    write(button, `${state} ${counts[state] || 0}`);
  });
}

const targetOf = (event) => /** @type {HTMLElement} */ (event.target);

function focusTile(tile) {
  if (current) current.tabIndex = -1;
  current = tile;
  tile.tabIndex = 0;
  tile.focus();
}

listbox.addEventListener("keydown", (event) => {
  const at = order.indexOf(targetOf(event));
  if (at < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
  const to = {
    ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: order.length - 1, ArrowDown: null, ArrowUp: null,
  }[event.key];
  if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(targetOf(event).node, true); return; }
  if (event.key === "Escape") { hideTip(); return; }
  if (to === undefined) return;
  event.preventDefault();
  const tile = to === null ? tileBeyond(targetOf(event), event.key === "ArrowDown") : order[to];
  if (tile) focusTile(tile);
});

function tileBeyond(tile, down) {  // the nearest one in the next row
  const here = tile.getBoundingClientRect(), step = down ? 1 : -1;
  let best = null, least = Infinity, row = null;
  for (let at = order.indexOf(tile) + step; order[at]; at += step) {
    const there = order[at].getBoundingClientRect();
    if (Math.abs(there.top - here.top) < 2) continue;
    if (row !== null && Math.abs(there.top - row) > 2) break;
    row = there.top;
    if (Math.abs(there.left - here.left) < least) { least = Math.abs(there.left - here.left); best = order[at]; }
  }
  return best;
}

listbox.addEventListener("click", (event) => {
  const tile = targetOf(event).closest(".tile");
  if (tile) { focusTile(tile); choose(tile.node, false); }
});

/* ---- the reason on hover and focus ----------------------------------------------------------------------------------- */

const tip = byId("tip");
let tipFor = null;

function showTip(tile) {
  tipFor = tile;
  const node = tile.node;
  const size = `${node.size || "no size of ours"}, ${money(node.price)} an hour`;
  tip.replaceChildren(
    make("p", "", make("b", "", called(node)), ` · ${node.state} for ${span(node.state_seconds)} · ${size}`),
    make("p", "", reasonOf(node)),
    node.word ? make("p", "", wordOf(node)) : "",
  );
  tip.hidden = false;
  const box = tile.getBoundingClientRect(), own = tip.getBoundingClientRect();
  const under = box.bottom + 6 + own.height < innerHeight;
  tip.style.left = `${Math.max(8, Math.min(box.left, innerWidth - own.width - 8))}px`;
  tip.style.top = `${under ? box.bottom + 6 : Math.max(8, box.top - own.height - 6)}px`;
  tile.setAttribute("aria-describedby", "tip");
}

function hideTip() {
  if (tipFor) tipFor.removeAttribute("aria-describedby");
  tipFor = null;
  tip.hidden = true;
}

const reasonOf = (node) => `It ${node.goes ? "goes" : "stays"}: ${node.why || "not judged yet"}.`;
const wordOf = (node) => `Operator ${node.word.word}: ${node.word.reason || "no reason given"}.`;

listbox.addEventListener("pointerover", (event) => {
  const tile = event.pointerType === "touch" ? null : targetOf(event).closest(".tile");
  if (tile) showTip(tile); else hideTip();
});
listbox.addEventListener("pointerleave", hideTip);
listbox.addEventListener("focusin", (event) => {
  if (targetOf(event).matches(".tile:focus-visible")) showTip(targetOf(event));
});
listbox.addEventListener("focusout", hideTip);
addEventListener("scroll", hideTip, {passive: true, capture: true});
