/* ---- the token ------------------------------------------------------------------------------------------------------------ */

function askForToken(wrong) {
  setToken("");
  asking = true;
  write(byId("token-wrong"), wrong);
  if (!byId("token-dialog").open) byId("token-dialog").showModal();
  byId("token").focus();
}

function setToken(text) {
  token = text;
  if (text) sessionStorage.setItem(TOKEN, text); else sessionStorage.removeItem(TOKEN);
}

byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const given = byId("token").value.trim();
  if (!/^[\x21-\x7e]+$/.test(given)) { write(byId("token-wrong"), "A token has no blanks and no letters beyond ASCII."); return; }
  setToken(given);
  byId("token").value = "";
  asking = false;
  byId("token-dialog").close();
  follow();
});
byId("token-no").addEventListener("click", () => byId("token-dialog").close());
byId("token-dialog").addEventListener("close", showTop);
byId("forget").addEventListener("click", () => {
  choose(null, false);
  askForToken("");
});
