/* ---- following the daemon ------------------------------------------------------------------------------------------ */

let timer = 0, looking = false, again = false, asking = false;

async function follow() {
  clearTimeout(timer);
  if (looking) { again = true; return; }
  looking = true;
  try {
    do { again = false; await look(); } while (again);
    if (known.away !== null) say("The daemon is back.");
    known.away = null;
  } catch (error) {
    if (error instanceof NeedsToken) askForToken(error.message);
    else if (error instanceof Away || error instanceof Refused) isAway(error);
    else { isAway(new Away("this page has failed; reload it")); console.error(error); }
  } finally {
    looking = false;
  }
  document.documentElement.classList.toggle("away", known.away !== null);
  showTop();
  if (!document.hidden && !asking) timer = setTimeout(follow, EVERY);
}

function isAway(error) {
  if (known.away === null) {
    known.awaySince = Date.now() / 1000;
    if (error instanceof Away) say("The daemon is away.");
  }
  known.away = error;
}

async function look() {
  const status = (await ask("/v1/status")).value;
  const before = known.status;
  if (before && status.up_seconds < before.up_seconds) startAnew();
  known.status = status;
  known.version ??= status.version;
  if (before && before.healthy !== status.healthy) say(status.healthy ? "All is well again." : `Not well: ${status.wrong.join("; ")}`);
  await Promise.all([lookAtNodes(), lookAtChosen(), lookAtDecisions(), lookAtHistory(), lookAtBudgets()]);
  showFigures();
}

function startAnew() {  // another process answers: its serial numbers and tags have another meaning
  Object.assign(known, {nodesTag: null, nextNodes: 0, run: null, lastDecision: 0, nextHistory: 0});
  if (known.away === null) say("The daemon has been restarted.");
}

/* The list of nodes is asked for with the tag of the last one, so that it comes only when the daemon has seen something
   new; and no more often than leaves this browser and the network most of their time. */
async function lookAtNodes() {
  const began = performance.now();
  if (began < known.nextNodes) return;
  const answer = await ask("/v1/nodes", {tag: known.nodesTag});
  if (answer.status === 304) return;
  known.nodesTag = answer.tag;
  const [sizes, operations] = await Promise.all([ask("/v1/sizes"), ask("/v1/operations"), lookAtJobs()]);
  known.sizes = sizes.value.sizes;
  const coming = operations.value.operations.filter((each) => each.kind === "boot" && each.node === null).map(nodeToBe);
  known.nodes = new Map([...answer.value.nodes, ...coming].map((node) => [node.id, node]));
  showTiles();
  showSizes();
  const now = performance.now();
  known.nextNodes = now + Math.min(10 * (now - began), 15000);
}

/* A boot for which the cloud has made no node yet, in the shape of a node. */
function nodeToBe(boot) {
  const size = known.sizes.find((each) => each.id === boot.size);
  const trouble = boot.trouble ? `; waits ${span(boot.next_attempt_seconds || 0)} after: ${boot.trouble}` : "";
  return {
    id: `boot ${boot.id}`, name: `new ${boot.size}`, hostname: null, size: boot.size, price: size ? size.price : 0, state: "booting", coming: true,
    state_seconds: boot.seconds, word: null, goes: false, why: `it is being made: ${boot.stage}, attempt ${boot.attempts}${trouble} (boot ${boot.subject})`,
  };
}

async function lookAtChosen() {
  if (chosen.node === null || chosen.gone) return;
  const node = chosen.node;
  if (node.coming) {
    chosen.node = known.nodes.get(node.id) || node;
    chosen.gone = !known.nodes.has(node.id);
    showChosen();
    return;
  }
  try {
    const answer = await ask(addressOf(node));
    if (chosen.id !== node.id) return;
    if (answer.value.state !== chosen.node.state) say(`${called(node)} is ${answer.value.state} now.`);
    chosen.node = answer.value;
  } catch (error) {
    if (!(error instanceof Refused && error.status === 404)) throw error;
    if (chosen.id !== node.id) return;
    chosen.gone = true;
    say(`${called(node)} is gone.`);
  }
  showChosen();
}

let jobsShown = 10;

async function lookAtJobs() {
  showJobs((await ask(`/v1/jobs?limit=${jobsShown}`)).value);
}

async function lookAtBudgets() {
  showBudgets((await ask("/v1/budgets")).value.budgets);
}

async function lookAtDecisions() {
  if (known.run !== null && known.status.decisions === known.lastDecision) return;
  let answer = (await ask(`/v1/decisions?after=${known.lastDecision}`)).value;
  if (known.run !== answer.run && known.lastDecision > 0) answer = (await ask("/v1/decisions?after=0")).value;
  const restarted = known.run !== answer.run;
  known.run = answer.run;
  known.lastDecision = answer.last;
  const earlier = restarted ? known.decisions.filter((each) => each.run !== answer.run) : known.decisions;
  const newer = answer.decisions.map((each) => ({...each, run: answer.run})).reverse();
  known.decisions = [...newer, ...earlier].slice(0, KEPT);
  showDecisions();
}

async function lookAtHistory() {
  const now = Date.now();
  if (now < known.nextHistory) return;
  try {
    known.history = (await ask(`/v1/history?hours=${byId("span").value}`)).value;
    known.nextHistory = now + 1000 * Math.min(Math.max(known.history.step, 5), 300);
    if (!spanChosen) fitSpan();
    showHistory();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    known.history = null;
    known.nextHistory = now + 60000;
    showHistory(error.status === 404 ? "This daemon keeps no history, so there are no lines to show." : `There is no history to show: ${error.message}.`);
  }
}
