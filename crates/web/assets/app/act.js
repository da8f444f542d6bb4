// What a click or a key does. One listener each, on the document: patched elements need none of their own.

const DO = { palette: showPalette, keys: showKeys, theme: nextTheme };

function nextTheme() {
  const root = document.documentElement;
  const next = { undefined: "light", light: "dark", dark: undefined }[root.dataset.theme];
  if (next) root.dataset.theme = next;
  else delete root.dataset.theme;
  try {
    if (next) localStorage.setItem("theme", next);
    else localStorage.removeItem("theme");
  } catch {} // Storage may be forbidden; then the choice lasts as long as the page.
  nameTheme();
}

function nameTheme() {
  const name = document.documentElement.dataset.theme ?? "auto";
  for (const each of document.querySelectorAll("[data-theme-name]")) each.textContent = name;
}

async function copy(button) {
  const text = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Only this machine and TLS have a clipboard; elsewhere the old way still works.
    const area = make("textarea", { value: text, className: "unseen" });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  tint(button);
  say(`Copied ${text}`);
}

/** Hides the rows that lack one of the typed words. */
function filterTables() {
  for (const input of document.querySelectorAll("input[data-filter]")) {
    const rows = [...(document.getElementById(input.dataset.filter)?.tBodies[0]?.rows ?? [])];
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const text = rowText(row);
      row.hidden = !words.every((word) => text.includes(word));
    }
    const shown = rows.filter((row) => !row.hidden).length;
    const count = document.querySelector(`[data-filtered="${CSS.escape(input.dataset.filter)}"]`);
    if (count) setText(count, words.length ? `${shown} of ${rows.length}` : "");
  }
}

function rowText(row) {
  const whole = [...row.querySelectorAll("[data-copy]")].map((each) => each.dataset.copy);
  return [row.textContent, ...whole].join(" ").toLowerCase();
}

function onClick(event) {
  const target = event.target.closest("[data-do], [data-copy]");
  if (target?.dataset.do) DO[target.dataset.do]?.();
  else if (target) copy(target);
}

function onSubmit(event) {
  const form = event.target.closest("form[data-confirm]");
  if (!form) return;
  event.preventDefault();
  askToConfirm(form, event.submitter);
}

function onKey(event) {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    return showPalette();
  }
  const filter = event.target.closest?.("input[data-filter]");
  if (filter && event.key === "Escape") {
    filter.value = "";
    return filterTables();
  }
  const typing = event.target.closest?.("input, textarea, select, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (moveInGraph(event)) return event.preventDefault();
  if (event.key === "?") showKeys();
  if (event.key === "t") {
    writtenOut = !writtenOut;
    tellTimes();
  }
  const first = event.key === "/" && document.querySelector("input[data-filter]");
  if (first) {
    event.preventDefault();
    first.focus();
  }
}

