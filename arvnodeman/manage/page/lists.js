/* ---- jobs, sizes, decisions ------------------------------------------------------------------------------------------------ */

const jobRows = new Map();

function showJobs({jobs, total}) {
  let before = "";
  const rows = jobs.map((job) => {
    let row = jobRows.get(job.id);
    if (!row) {
      row = make("li", "", make("span", "place"), make("span", "", make("b", "", job.id)), make("span", "soft"), make("span", "asks"), make("span", "why"),
        question(() => `/v1/jobs/${encodeURIComponent(job.id)}`));
      jobRows.set(job.id, row);
    }
    const [place, , waits, asks, why] = row.children;
    row.className = job.served ? "served" : "";
    write(place, `${job.place}.`);
    write(waits, span(job.waiting_seconds));
    const words = `${job.served ? "" : "Waits: "}${job.why}${job.until_seconds ? ` (for ${span(job.until_seconds)} more)` : ""}`;
    write(why, words);
    why.classList.toggle("same", words === before);  // shown once for jobs that wait for the same
    before = words;
    const many = job.nodes > 1 ? `${job.nodes} nodes with ` : "";
    const named = job.named_size ? `, names ${job.named_size}` : "";
    const slurm = job.slurm_reason ? ` · Slurm: ${job.slurm_reason}` : "";
    write(asks, `${many}${plural(+job.cores.toFixed(1), "core")}${job.ram ? `, ${memory(job.ram)}` : ""}${job.scratch ? `, ${memory(job.scratch)} scratch` : ""}${named}${job.sizes.length ? ` · fits ${job.sizes.join(", ")}` : ""}${slurm}`);
    return row;
  });
  arrange(byId("jobs"), rows);
  const here = new Set(jobs.map((job) => job.id));
  for (const id of jobRows.keys()) if (!here.has(id)) jobRows.delete(id);
  write(byId("jobs-count"), total ? `${jobs.length < total ? `the first ${jobs.length} of ` : ""}${total}, in the order of service` : "none: nothing waits");
  byId("more-jobs").hidden = jobs.length >= total || jobsShown >= 1000;
}

byId("more-jobs").addEventListener("click", async () => {
  jobsShown = Math.min(1000, jobsShown * 5);
  try { await lookAtJobs(); } catch { follow(); }
});

function showSizes() {
  arrangeTexts(byId("sizes"), known.sizes.map((size) => size.id), (id) => {
    const name = make("th", "", id);
    name.scope = "row";
    return make("tr", "", name, make("td", "number"), make("td", "", make("div", "bar"), make("span")), make("td", "number"));
  });
  const decimals = Math.max(2, ...known.sizes.map((size) => (`${+(size.price || 0).toFixed(4)}`.split(".")[1] || "").length));
  known.sizes.forEach((size, number) => {
    const [, price, nodes, wanted] = byId("sizes").children[number].children;
    write(price, size.price === null ? "–" : size.price.toFixed(decimals));
    write(wanted, size.wanted ? String(size.wanted) : "–");
    bar(nodes.firstElementChild, STATES.map((state) => [state, size.nodes[state]]));
    const told = STATES.filter((state) => size.nodes[state]).map((state) => `${size.nodes[state]} ${state}`);
    const rests = size.missing ? "the cloud does not offer it" : size.rests ? `rests: ${size.rests}` : size.closed ? `closed: ${size.closed}` : "";
    write(nodes.lastElementChild, [told.join(", ") || "none", rests].filter(Boolean).join(" · "));
    nodes.firstElementChild.toggleAttribute("hidden", told.length === 0);
  });
}

const decisionRows = new Map();
let streamed = STREAM;

function decisionRow(each) {
  const key = `${each.run} ${each.serial}`;
  if (!decisionRows.has(key)) {
    const time = make("time", "", when(each.time));
    time.dateTime = new Date(each.time * 1000).toISOString();
    time.title = new Date(each.time * 1000).toLocaleString();
    const subject = make("button", "plain subject", each.subject);
    subject.type = "button";
    subject.addEventListener("click", () => {
      const node = [...known.nodes.values()].find((one) => [one.id, one.name, one.hostname].includes(each.subject));
      if (node) choose(node, true);
      else { byId("about").value = each.subject; showDecisions(); }
    });
    decisionRows.set(key, make("li", "", time, " ", make("span", "kind", each.kind), " ", each.subject ? subject : "", make("p", "", each.words)));
  }
  return decisionRows.get(key);
}

function showDecisions() {
  const kind = byId("kind").value, about = byId("about").value.trim().toLowerCase();
  const names = namesOf(about);
  const fits = known.decisions.filter((each) => (!kind || each.kind === kind)
    && (!about || names.some((name) => `${each.subject} ${each.words}`.toLowerCase().includes(name))));
  arrange(byId("decisions"), fits.slice(0, streamed).map(decisionRow));
  if (decisionRows.size > 2 * KEPT) decisionRows.clear();
  byId("more-decisions").hidden = fits.length <= streamed;
  write(byId("decisions-count"), fits.length ? `${fits.length < known.decisions.length ? `${fits.length} of ` : "the last "}${known.decisions.length}` : "none");
  const kinds = [...new Set(known.decisions.map((each) => each.kind))].sort();
  if (kind && !kinds.includes(kind)) kinds.push(kind);
  const select = byId("kind");
  if (select.key === kinds.join()) return;
  select.key = kinds.join();
  select.replaceChildren(new Option("every kind", ""), ...kinds.map((name) => new Option(name, name, false, name === kind)));
}

function namesOf(about) {  // texts call a node by its hostname, its cloud name or its id
  const node = about && [...known.nodes.values()].find((one) => [one.id, one.name, one.hostname].some((name) => name && name.toLowerCase() === about));
  return node ? [node.id, node.name, node.hostname].filter(Boolean).map((name) => name.toLowerCase()) : [about];
}

byId("more-decisions").addEventListener("click", () => { streamed += 5 * STREAM; showDecisions(); });
byId("about").addEventListener("input", () => { streamed = STREAM; showDecisions(); });
byId("kind").addEventListener("change", () => { streamed = STREAM; showDecisions(); });
byId("find").addEventListener("input", showTiles);
byId("by").addEventListener("change", () => { groups.clear(); listbox.replaceChildren(); showTiles(); });
