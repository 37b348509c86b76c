/* ---- theme, and the beginning -------------------------------------------------------------------------------------------- */

function useTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme; else delete document.documentElement.dataset.theme;
}

byId("theme").value = localStorage.getItem(THEME) || "";
useTheme(byId("theme").value);
byId("theme").addEventListener("change", () => {
  localStorage.setItem(THEME, byId("theme").value);
  useTheme(byId("theme").value);
});

byId("cannot").textContent = "Words are not taken from here, since no [Manage] ManagementToken is configured; the command line on the daemon's machine takes them.";
document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (!document.hidden && !asking) follow();
});
follow();
