// Runs before the first paint, so that a page never flashes in the other theme. Storage may be forbidden.
try {
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {}
document.documentElement.classList.add("js");
