/* ---- what would change a decision ------------------------------------------------------------------------------------------ */

/* A button, and what the plan answers. `pathOf` gives the address of the job or node. */
function question(pathOf) {
  const button = make("button", "plain", "What would change it?");
  const lines = make("ul");
  button.type = "button";
  lines.setAttribute("aria-live", "polite");
  const tell = (words) => lines.replaceChildren(...words.map((each) => make("li", "", each)));
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    tell(["Asking the plan …"]);
    try {
      const {changes, why_none: none} = (await ask(`${pathOf()}/counterfactual`, {patience: QUESTION})).value;
      tell(changes.length ? changes.map((change, at) => `${at ? "Or " : ""}${at ? change.words : capital(change.words)}.`) : [`${capital(none)}.`]);
    } catch (error) {
      if (error instanceof NeedsToken) askForToken(error.message);
      const busy = error instanceof Refused && error.status === 429;
      tell([busy ? "Another such question is being answered: ask again in a moment." : `There is no answer now: ${error.message || "a token is needed"}.`]);
    } finally {
      button.removeAttribute("aria-disabled");
    }
  });
  return make("div", "question", button, lines);
}

/* ---- one node ------------------------------------------------------------------------------------------------------------ */

function choose(node, move) {
  const before = tiles.get(chosen.id);
  if (before) before.setAttribute("aria-selected", "false");
  if (!node || node.id !== chosen.id) chosen.question = node && !node.coming ? question(() => addressOf(node)) : null;
  Object.assign(chosen, {id: node ? node.id : null, node, gone: false});
  const tile = node && tiles.get(node.id);
  if (tile) tile.setAttribute("aria-selected", "true");
  hideTip();
  showChosen();
  if (node) follow();
  if (node && move) byId("h-node").focus({preventScroll: innerWidth <= 1080});
}

function leave() {
  const tile = tiles.get(chosen.id);
  choose(null, false);
  if (tile?.isConnected) focusTile(tile);
}

function showChosen() {
  const {node, gone} = chosen;
  byId("node").classList.toggle("empty", !node);
  document.documentElement.classList.toggle("chosen", !!node);
  byId("leave").hidden = !node;
  byId("words").hidden = !node || !!node.coming;
  write(byId("h-node"), node ? called(node) : "One node");
  byId("cannot").hidden = !node || gone || !!node.coming || !known.status || known.status.words_over_tcp !== false;
  if (!node) {
    byId("facts").replaceChildren(make("p", "soft", "Choose a node to see why it is there, and to hold, drain or kill it."));
    return;
  }
  for (const button of byId("words").querySelectorAll("button")) {
    button.disabled = gone;
    button.setAttribute("aria-disabled", String(gone || !byId("cannot").hidden));
  }
  const why = gone ? node.coming ? "This boot is over: it is a node by now, or was given up." : "It is gone: the cloud lists it no more." : reasonOf(node);
  const ends = !gone && node.until_seconds ? ` This lasts for ${span(node.until_seconds)}.` : "";
  const facts = make("dl", "pairs");
  pairs(facts, factsOf(node));
  const parts = [
    make("p", `state ${gone ? "other" : node.state}`, gone ? node.coming ? "over" : "gone" : `${node.state} for ${span(node.state_seconds)}`),
    make("p", `why ${gone ? "other" : node.state}`, why + ends),
    facts,
  ];
  const about = make("button", "plain", "Decisions about it");
  about.type = "button";
  about.addEventListener("click", () => { byId("about").value = called(node); showDecisions(); byId("decisions").focus(); });
  if (chosen.question && !gone && !node.goes) parts.splice(2, 0, chosen.question);
  const active = document.activeElement;
  const focused = active && active.textContent === "Decisions about it";
  byId("facts").replaceChildren(...parts, about);
  if (focused) about.focus();
  else if (active instanceof HTMLElement && chosen.question?.contains(active)) active.focus();
}

function factsOf(node) {
  const rows = [["Size", `${node.size || "none of ours"}${node.instance_type && node.instance_type !== node.size ? ` (${node.instance_type})` : ""}${node.preemptible ? ", preemptible" : ""}`]];
  rows.push(["Price", `${money(node.price)} an hour`]);
  if (node.coming) return rows;
  rows.push(["Age", span(node.age_seconds)]);
  if (node.idle_seconds !== null) rows.push(["Idle for", span(node.idle_seconds)]);
  const silent = node.answers_slurm === false ? ", and it does not answer" : "";
  rows.push(["Slurm says", node.slurm ? `${node.slurm}${node.slurm_reason ? ` (${node.slurm_reason})` : ""}${silent}` : "nothing of it"]);
  rows.push(["Last ping", node.last_ping_seconds === null ? "none yet" : `${span(node.last_ping_seconds)} ago`]);
  rows.push(["Operator", node.word ? `${node.word.word}: ${node.word.reason || "no reason given"}` : "no word"]);
  if (node.doubtful) rows.push(["Doubtful", "not heard from for long; kept since it may be working"]);
  for (const each of node.operations || []) {
    rows.push([`Under way`, `${each.kind}, ${each.stage}, for ${span(each.seconds)}${each.trouble ? `; waits ${span(each.next_attempt_seconds || 0)} after: ${each.trouble}` : ""}`]);
  }
  rows.push(["Cloud node", `${node.name} (${node.id})${node.address ? ` at ${node.address}` : ""}`]);
  if (node.record) rows.push(["Record", node.record]);
  return rows;
}

byId("leave").addEventListener("click", leave);
byId("node").addEventListener("keydown", (event) => { if (event.key === "Escape" && chosen.node) leave(); });

/* ---- an operator's word -------------------------------------------------------------------------------------------------- */

const WORDS = {
  hold: {means: "It is kept, whatever happens, until somebody says run.", needs: true},
  drain: {means: "Slurm starts nothing new on it; it is shut down when its work has ended.", needs: true},
  run: {means: "Hold or drain is taken back: it lives and goes by the rules again.", needs: false},
  kill: {means: "It is destroyed now, busy or not, inside its shutdown window or not. This cannot be taken back.", needs: true},
};

for (const [word, {needs}] of Object.entries(WORDS)) {
  const button = make("button", word === "kill" ? "danger" : "", `${capital(word)}${needs ? " …" : ""}`);
  button.type = "button";
  button.addEventListener("click", () => openWord(word));
  byId("words").append(button);
}

function killCost(node) {
  if (node.state !== "busy") return `Nothing that Slurm knows of runs on it. A node in its place costs a boot, and ${money(node.price)} an hour again.`;
  const lost = money(node.price * node.state_seconds / 3600);
  return `It is busy: what runs on it is lost, and has to run again. It has been at work for ${span(node.state_seconds)}, which cost about ${lost}.`;
}

let spoken = null;

function openWord(word) {
  if (byId("cannot").hidden === false) { say(byId("cannot").textContent); return; }
  const node = chosen.node, kill = word === "kill";
  spoken = {word, node};
  write(byId("word-title"), `${capital(word)} ${called(node)}?`);
  write(byId("word-means"), WORDS[word].means);
  byId("word-costs").hidden = !kill;
  write(byId("word-costs"), kill ? killCost(node) : "");
  byId("reason").value = "";
  byId("reason").required = WORDS[word].needs;
  write(byId("reason-label"), WORDS[word].needs ? "Reason" : "Reason, if you like");
  write(byId("word-wrong"), "");
  const yes = byId("word-yes");
  yes.className = kill ? "main danger" : "main";
  write(yes, capital(word));
  byId("word-dialog").showModal();
  byId("reason").focus();
}

byId("word-no").addEventListener("click", () => byId("word-dialog").close());
byId("word-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const {word, node} = spoken, reason = byId("reason").value.trim(), yes = byId("word-yes");
  if (WORDS[word].needs && !reason) { write(byId("word-wrong"), "Say why: whoever looks at the node next will want to know."); return; }
  yes.disabled = true;
  try {
    const answer = await ask(`${addressOf(node)}/${word}`, {body: {reason}});
    byId("word-dialog").close();
    say(answer.value.heard ? `${called(node)}: ${word} is heard.` : `${called(node)}: ${word} is taken, and will be heard in its turn.`);
    known.nextNodes = 0;
    follow();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (error instanceof NeedsToken) { byId("word-dialog").close(); askForToken(error.message); return; }
    write(byId("word-wrong"), error instanceof Away ? `The daemon is away (${error.message}): it is not known whether the directive arrived.` : capital(`${error.message}.`));
  } finally {
    yes.disabled = false;
  }
});
