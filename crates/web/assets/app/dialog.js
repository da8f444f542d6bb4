// Dialogs are made when they are asked for, and leave nothing behind.

function say(sentence) {
  document.getElementById("said").textContent = sentence;
}

/** Makes an element: `make("p", { className: "muted" }, "text", child)`. */
function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

/** Shows a dialog until it is closed, then gives the focus back to where it was. */
function show(dialog) {
  if (document.querySelector("dialog[open]")) return false;
  const before = document.activeElement;
  dialog.addEventListener("close", () => {
    dialog.remove();
    before?.focus?.();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  return true;
}

const KEYS = [
  ["Ctrl K, ⌘ K", "Find a page, or anything named on this one"],
  ["/", "Filter the table"],
  ["t", "Times in full, or relative again"],
  ["← → ↑ ↓", "Move along the edges of a graph"],
  ["Enter", "Open what has the focus"],
  ["Esc", "Close, or clear the filter"],
  ["?", "This list"],
];

function showKeys() {
  const list = make("dl", { className: "keys" });
  for (const [key, does] of KEYS) list.append(make("dt", {}, make("kbd", {}, key)), make("dd", {}, does));
  const dialog = make("dialog", { ariaLabel: "Keys" }, make("b", {}, "Keys"), list);
  dialog.tabIndex = -1;
  show(dialog);
}

/** Asks for the name of what a form destroys or repeats, and submits it with the name as `confirm`. */
function askToConfirm(form, submitter) {
  const name = form.dataset.confirm;
  const input = make("input", { name: "typed", autocomplete: "off", spellcheck: false, ariaLabel: `Type ${name}` });
  const go = make("button", { type: "submit", className: "danger", disabled: true }, submitter?.textContent ?? "Do it");
  const stop = make("button", { type: "button" }, "Keep it as it is");
  const ask = make("form", { method: "dialog" },
    make("b", {}, submitter?.textContent ?? ""),
    make("p", {}, form.dataset.says ?? ""),
    make("p", {}, "Type ", make("code", {}, name), " to confirm."),
    input, make("div", { className: "actions" }, stop, go));
  const dialog = make("dialog", { ariaLabel: "Confirm" }, ask);
  input.addEventListener("input", () => (go.disabled = input.value !== name));
  stop.addEventListener("click", () => dialog.close());
  ask.addEventListener("submit", (event) => {
    if (input.value !== name) return event.preventDefault();
    const answer = make("input", { type: "hidden", name: "confirm", value: name });
    form.append(answer);
    form.submit();
    // Or the answer would still be there when the reader comes back to this page.
    answer.remove();
  });
  if (show(dialog)) input.focus();
}

