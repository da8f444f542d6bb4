// The page's one stream of patches. A hidden tab closes it: a browser has six connections to a host, over all tabs.

const SILENCE_MS = 16000; // three beats of the server (BEAT in src/live.rs) and a little
const RETRY_MS = 5000;
const REFRESH_MS = 10000;

const live = { url: null, source: null, heardAt: 0, lostAt: null, retry: null, waiting: null, again: false };

function startLive() {
  live.url = document.body.dataset.live;
  if (!live.url) return;
  document.addEventListener("visibilitychange", () => (document.hidden ? closeLive() : openLive()));
  setInterval(() => {
    // Also after the machine has slept: the clock has gone on, the stream has not.
    if (live.source && Date.now() - live.heardAt > SILENCE_MS) loseLive();
  }, 1000);
  if (!document.hidden) openLive();
}

function openLive() {
  closeLive();
  const source = new EventSource(live.url);
  live.source = source;
  live.heardAt = Date.now();
  const on = (name, act) => source.addEventListener(name, (event) => {
    if (live.source !== source) return;
    live.heardAt = Date.now();
    act(event);
  });
  let open = false;
  on("beat", () => {
    if (!open) refresh();
    open = true;
  });
  on("refresh", refresh);
  on("patch", (event) => patch(JSON.parse(event.data)));
  source.onerror = () => live.source === source && loseLive();
}

function closeLive() {
  clearTimeout(live.retry);
  live.source?.close();
  live.source = null;
}

function loseLive() {
  closeLive();
  live.lostAt ??= new Date();
  const bar = document.getElementById("lost");
  setText(bar, `No live updates since ${live.lostAt.toLocaleTimeString(undefined, { hour12: false })}. Trying again every ${RETRY_MS / 1000} s. What you see may be old.`);
  bar.hidden = false;
  document.documentElement.classList.add("stale");
  if (!document.hidden) live.retry = setTimeout(openLive, RETRY_MS);
}

function foundLive() {
  if (!live.lostAt) return;
  live.lostAt = null;
  document.getElementById("lost").hidden = true;
  document.documentElement.classList.remove("stale");
  say("Live again.");
}

/** Reads the page again: for what changed between its making and the stream's opening, and for missed patches. */
async function refresh() {
  if (live.waiting) return (live.again = true);
  live.waiting = new Map();
  live.again = false;
  try {
    const answer = await fetch(location.href, { signal: AbortSignal.timeout(REFRESH_MS) });
    if (!answer.ok) throw new Error(`the page answered ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const [old, fresh] = [document, page].map((each) => each.getElementById("main"));
    // The bar above the content is the script's own.
    fresh.querySelector("#lost").replaceWith(old.querySelector("#lost").cloneNode(true));
    apply(old, fresh);
    if (live.source) foundLive();
  } catch {
    loseLive();
  }
  // Patches that came meanwhile are newer than the page.
  const waiting = live.waiting;
  live.waiting = null;
  for (const each of waiting.values()) patch(each);
  if (live.again && live.source) refresh();
}

function patch({ id, html }) {
  if (live.waiting) return live.waiting.set(id, { id, html });
  const old = document.getElementById(id);
  const holder = document.createElement("template");
  holder.innerHTML = html;
  const fresh = holder.content.firstElementChild;
  if (old && fresh) apply(old, fresh);
}

function apply(old, fresh) {
  // Read outside a page, <noscript> has elements inside; here they would be fields that nobody can see.
  for (const each of fresh.querySelectorAll("noscript")) each.textContent = each.innerHTML;
  tellTimes(fresh.parentNode ?? fresh);
  morph(old, fresh);
  filterTables();
}

