// Adds live refresh: every ten seconds the view is fetched again and its main part replaced, while it is visible and
// nobody types in it or has something unfolded or selected. Everything works without it.
"use strict";
(() => {
  const every = 10000;
  const main = () => document.getElementById("main");
  const busy = () => {
    const here = main();
    const typing = here.contains(document.activeElement) && document.activeElement.matches("input, select, textarea, button");
    return document.hidden || typing || here.querySelector("details[open]") || String(getSelection()) !== "";
  };
  const refresh = async () => {
    if (busy()) return;
    try {
      const answer = await fetch(location.href, { credentials: "same-origin", redirect: "error" });
      if (!answer.ok) throw new Error(answer.statusText);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (busy() || !fresh.getElementById("main")) return;
      document.title = fresh.title;
      main().replaceWith(fresh.getElementById("main"));
      const nav = fresh.querySelector("header nav");
      if (nav) document.querySelector("header nav").replaceWith(nav);
      document.body.classList.remove("stale");
    } catch {
      document.body.classList.add("stale");
    }
  };
  if (main() && main().dataset.live === "yes") setInterval(refresh, every);
})();
