// Changes an element into a newer version of itself, touching only what differs: so focus, selection, scroll positions,
// open details and what somebody is typing all stay.

function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) return old.replaceWith(fresh);
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) {
      old.nodeValue = fresh.nodeValue;
      // A time that went on by itself is no news.
      if (old.parentElement?.nodeName !== "TIME") tint(old.parentElement?.closest(".num, .state"));
    }
    return;
  }
  morphAttributes(old, fresh);
  // What is being typed belongs to the reader, not to the server.
  if (old.nodeName !== "TEXTAREA" && old.nodeName !== "SELECT") morphChildren(old, fresh);
}

function morphAttributes(old, fresh) {
  const theirs = (name) => name === "open" || (name === "value" && old.nodeName === "INPUT" && old.type !== "hidden");
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !theirs(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !theirs(name)) old.setAttribute(name, value);
  }
}

function morphChildren(old, fresh) {
  const kept = new Map();
  for (const child of old.children) if (child.id) kept.set(child.id, child);
  const wanted = new Set([...fresh.children].map((child) => child.id).filter(Boolean));
  let at = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    // Those that went away are dropped first, so that their successors keep their places.
    while (at?.id && kept.has(at.id) && !wanted.has(at.id)) at = drop(at);
    const same = next.id ? kept.get(next.id) : null;
    if (same) {
      if (same === at) at = at.nextSibling;
      else if (old.moveBefore) old.moveBefore(same, at); // keeps the focus inside it
      else old.insertBefore(same, at);
      morph(same, next);
    } else if (at && !next.id && !at.id) {
      const after = at.nextSibling;
      morph(at, next);
      at = after;
    } else {
      old.insertBefore(next, at);
    }
  }
  while (at) at = drop(at);
}

function drop(node) {
  const after = node.nextSibling;
  node.remove();
  return after;
}

function tint(element) {
  if (!element) return;
  element.classList.add("changed");
  setTimeout(() => element.classList.remove("changed"), 1000);
}

