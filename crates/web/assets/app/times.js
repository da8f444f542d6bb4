// Times: relative in the page, in full in the title. The rules are those of src/format.rs: change both.

// Swedish writes dates as ISO does, which everybody reads the same way.
const zone = new Intl.DateTimeFormat("sv-SE", {
  year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
  hour12: false, timeZoneName: "short",
});
let writtenOut = false;

/** Writes every time below `root` anew. */
function tellTimes(root = document) {
  const now = Date.now();
  for (const time of root.querySelectorAll("time[data-rel], time[data-since]")) {
    const at = Date.parse(time.dateTime);
    if (Number.isNaN(at)) continue;
    const full = `${zone.format(at)} (${utc(at)})`;
    setText(time, time.dataset.since !== undefined ? duration(now - at) : writtenOut ? utc(at) : relative(at, now));
    time.title = time.dataset.since !== undefined ? `since ${full}` : full;
  }
}

function setText(element, text) {
  // Writing the same text again would lose a selection in it.
  if (element.textContent !== text) element.textContent = text;
}

function utc(at) {
  return new Date(at).toISOString().slice(0, 19).replace("T", " ") + " UTC";
}

function relative(at, now) {
  const seconds = Math.trunc((now - at) / 1000);
  const far = Math.abs(seconds);
  if (far === 0) return "now";
  if (far >= 5184000) return new Date(at).toISOString().slice(0, 10);
  const words =
    far < 60 ? `${far} s`
    : far < 3600 ? `${Math.trunc(far / 60)} min`
    : far < 172800 ? `${Math.trunc(far / 3600)} h`
    : `${Math.trunc(far / 86400)} d`;
  return seconds > 0 ? `${words} ago` : `in ${words}`;
}

function duration(ms) {
  // What is still going on is counted in whole seconds: tenths would only flicker.
  const seconds = Math.max(0, Math.round(ms / 1000));
  const two = (n) => String(n).padStart(2, "0");
  const [minutes, hours, days] = [60, 3600, 86400].map((unit) => Math.trunc(seconds / unit));
  if (days) return `${days} d ${two(hours % 24)} h`;
  if (hours) return `${hours} h ${two(minutes % 60)} m`;
  if (minutes) return `${minutes} m ${two(seconds % 60)} s`;
  return `${seconds} s`;
}

