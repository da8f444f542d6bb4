// The script is deferred: when this runs, the page is there.

tellTimes();
setInterval(tellTimes, 1000, document);
nameTheme();
filterTables();
document.addEventListener("click", onClick);
document.addEventListener("submit", onSubmit);
document.addEventListener("input", (event) => event.target.matches("[data-filter]") && filterTables());
document.addEventListener("keydown", onKey);
document.addEventListener("pointermove", onPoint, { passive: true });
startLive();
