/* ---- asking the server --------------------------------------------------------------------------------------------- */

class Away extends Error {}       // nobody answers
class NeedsToken extends Error {} // 401, or a token that is wrong
class Refused extends Error {     // any other error; its text is the server's
  constructor(status, text) { super(text); this.status = status; }
}

let token = sessionStorage.getItem(TOKEN) || "";

/** @param {string} path @param {{body?: object, tag?: string, patience?: number}} how */
async function ask(path, how = {}) {
  const {body, tag, patience = PATIENCE} = how;
  const headers = {Accept: "application/json"};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (tag) headers["If-None-Match"] = tag;
  if (body) headers["Content-Type"] = "application/json";
  let answer, text;
  try {
    answer = await fetch(path, {
      method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), cache: "no-store",
      credentials: "same-origin", redirect: "error", signal: AbortSignal.timeout(patience),
    });
    text = await answer.text();
  } catch (error) {
    throw new Away(error.name === "TimeoutError" ? "it does not answer" : "nobody answers");
  }
  if (answer.status === 304) return {status: 304};
  let value = null;
  try { value = JSON.parse(text); } catch { /* no JSON: told below */ }
  if (answer.ok && value !== null) return {status: answer.status, value, tag: answer.headers.get("ETag")};
  const words = value && typeof value.error === "string" ? value.error : `the server answers ${answer.status}`;
  if (answer.status === 401) throw new NeedsToken("");
  if (answer.status === 403 && token && words === "authorization error") throw new NeedsToken("This token is not the right one.");
  if (answer.status >= 502 && answer.status <= 504) throw new Away(words);
  throw new Refused(answer.status, words);
}

const addressOf = (node) => `/v1/nodes/${encodeURIComponent(node.id.includes("/") ? node.name : node.id)}`;

/* ---- what is known --------------------------------------------------------------------------------------------------- */

const known = {
  status: null, version: null, nodes: new Map(), nodesTag: null, nextNodes: 0, sizes: [],
  run: null, lastDecision: 0, decisions: [], history: null, nextHistory: 0, away: null, awaySince: 0,
};
const chosen = {id: null, node: null, gone: false, question: null};
