// Ctrl/⌘ K: the links of this page, and what the server says can be found beside them.

const FOUND_MAX = 50; // more cannot be looked through; another letter is quicker

function targets() {
  const found = new Map();
  const add = (label, href, kind) => label && !found.has(href + label) && found.set(href + label, { label, href, kind });
  for (const link of document.querySelectorAll(".rail a")) add(link.textContent, link.href, "page");
  for (const data of document.querySelectorAll("script[data-palette]")) {
    for (const { label, href, kind } of JSON.parse(data.textContent)) add(label, new URL(href, location.href).href, kind);
  }
  for (const link of document.querySelectorAll("main a[href]:not([data-node])")) add(link.textContent.trim(), link.href, "");
  return [...found.values()];
}

/** How well `words` fit, or -1: every letter in order; the beginning and whole pieces are worth more. */
function fit(words, label) {
  const text = label.toLowerCase();
  if (text.startsWith(words)) return 3;
  if (text.includes(words)) return 2;
  let at = 0;
  for (const letter of words) {
    at = text.indexOf(letter, at) + 1;
    if (!at) return -1;
  }
  return 1;
}

function showPalette() {
  const all = targets();
  const list = make("ul", { id: "found", role: "listbox", ariaLabel: "Found" });
  const input = make("input", { type: "text", placeholder: "Find", ariaLabel: "Find", autocomplete: "off", spellcheck: false });
  input.setAttribute("role", "combobox");
  input.setAttribute("aria-controls", "found");
  input.setAttribute("aria-expanded", "true");
  const dialog = make("dialog", { className: "palette", ariaLabel: "Find" }, input, list);
  let found = [];
  let chosen = 0;

  const choose = (index) => {
    chosen = Math.max(0, Math.min(index, found.length - 1));
    [...list.children].forEach((item, at) => item.setAttribute("aria-selected", at === chosen));
    list.children[chosen]?.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", found.length ? `found-${chosen}` : "");
  };
  const search = () => {
    const words = input.value.trim().toLowerCase();
    found = all.map((target) => ({ target, fits: fit(words, target.label) })).filter(({ fits }) => fits >= 0)
      .sort((a, b) => b.fits - a.fits).slice(0, FOUND_MAX).map(({ target }) => target);
    list.replaceChildren(...found.map(({ label, kind }, at) =>
      make("li", { id: `found-${at}`, role: "option", onclick: () => go(at) }, label, make("span", { className: "muted" }, kind))));
    if (!found.length) list.append(make("p", { className: "muted" }, "Nothing here is called that."));
    choose(0);
  };
  const go = (at) => {
    if (!found[at]) return;
    dialog.close();
    location.href = found[at].href;
  };
  input.addEventListener("input", search);
  input.addEventListener("keydown", (event) => {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move) choose(chosen + move);
    else if (event.key === "Enter") go(chosen);
    else return;
    event.preventDefault();
  });
  if (!show(dialog)) return;
  search();
  input.focus();
}

