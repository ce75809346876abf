"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const list = document.getElementById("list");
  if (!list) return;

  const form = document.getElementById("filters");
  const fields = {};
  for (const name of ["id", "verdict", "kind", "clinician", "code"]) fields[name] = document.getElementById(`f-${name}`);
  const count = document.getElementById("count");
  const none = document.getElementById("none");
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const verdictOrder = Array.from(fields.verdict.options, (option) => option.value);
  const verdictRank = (verdict) => (verdict === "not_judged" ? NaN : verdictOrder.indexOf(verdict));
  const headings = Array.from(list.tHead.rows[0].cells);
  const columnOf = (name) => headings.findIndex((heading) => heading.dataset.sort === name);

  const notes = Array.from(list.tBodies, (body) => {
    const cell = (name) => {
      const index = columnOf(name);
      return index < 0 ? "" : body.rows[0].cells[index].textContent.trim();
    };
    return {
      body,
      details: body.querySelector("details"),
      id: cell("id"),
      search: `${cell("id")}\n${body.dataset.patient}`.toLowerCase(),
      verdict: verdictRank(body.dataset.verdict),
      score: parseFloat(cell("score")),
      chance: parseFloat(body.dataset.chance),
      kind: cell("kind"),
      clinician: cell("clinician"),
      date: cell("date"),
      findings: parseInt(cell("findings"), 10),
    };
  });
  const noteOf = new Map(notes.map((note) => [note.body, note]));

  // Filters

  const valueOf = (name) => (fields[name] ? fields[name].value : "");

  function matches(note) {
    const { verdict, kind, clinician, codes } = note.body.dataset;
    return (
      (!valueOf("verdict") || verdict === valueOf("verdict")) &&
      (!valueOf("kind") || kind === valueOf("kind")) &&
      (!valueOf("clinician") || clinician === valueOf("clinician")) &&
      (!valueOf("code") || codes.split(" ").includes(valueOf("code"))) &&
      note.search.includes(valueOf("id").trim().toLowerCase())
    );
  }

  function applyFilters() {
    let shown = 0;
    for (const note of notes) {
      const isShown = matches(note);
      note.body.hidden = !isShown;
      shown += isShown;
    }
    const noun = notes.length === 1 ? "note" : "notes";
    count.textContent =
      shown === notes.length ? `${shown} ${noun}, all listed.` : `${shown} of ${notes.length} ${noun} listed.`;
    none.hidden = shown > 0;
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", applyFilters);
  form.addEventListener("reset", () => setTimeout(applyFilters));

  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-set-verdict], [data-set-clinician], [data-set-code]");
    if (!link) return;
    form.reset();
    const { setVerdict, setClinician, setCode } = link.dataset;
    if (setVerdict !== undefined) fields.verdict.value = setVerdict;
    if (setClinician !== undefined) fields.clinician.value = setClinician;
    if (setCode !== undefined) fields.code.value = setCode;
    setTimeout(applyFilters);
  });

  // Order

  function sortBy(heading, isDescending) {
    const key = heading.dataset.sort;
    const compare = (a, b) =>
      typeof a[key] === "number" ? a[key] - b[key] : collator.compare(a[key], b[key]);
    notes.sort((a, b) => {
      const gap = Number.isNaN(a[key]) - Number.isNaN(b[key]); // what has no value comes last in either order
      return gap || (isDescending ? compare(b, a) : compare(a, b)) || 0;
    });
    for (const other of headings) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", isDescending ? "descending" : "ascending");
    const fragment = document.createDocumentFragment();
    for (const note of notes) fragment.append(note.body);
    list.append(fragment);
  }

  for (const heading of headings) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    const largestFirst = ["chance", "findings", "date"].includes(heading.dataset.sort);
    button.addEventListener("click", () => {
      const current = heading.getAttribute("aria-sort");
      const isDescending = current ? current === "ascending" : largestFirst;
      sortBy(heading, isDescending);
      count.textContent = `Sorted by ${button.textContent.toLowerCase()}, ${isDescending ? "descending" : "ascending"}.`;
    });
  }

  // Opening notes

  list.addEventListener("click", (event) => {
    const row = event.target.closest("tr.row");
    if (!row || String(getSelection())) return;
    const note = noteOf.get(row.parentElement);
    note.details.open = !note.details.open;
    if (event.target.closest("a")) {
      event.preventDefault();
      history.replaceState(null, "", event.target.closest("a").hash);
    }
  });

  function showTarget() {
    const target = /^#n\d/.test(location.hash) && document.getElementById(location.hash.slice(1));
    if (!target) return;
    const note = noteOf.get(target.closest("tbody"));
    if (note.body.hidden) {
      form.reset();
      setTimeout(applyFilters);
      note.body.hidden = false;
    }
    note.details.open = true;
    target.scrollIntoView();
    if (target.tabIndex === -1 && target.hasAttribute("tabindex")) target.focus({ preventScroll: true });
  }

  addEventListener("hashchange", showTarget);
  showTarget();

  const setAll = (isOpen) => {
    for (const note of notes) if (!note.body.hidden || !isOpen) note.details.open = isOpen;
  };
  document.getElementById("open-all").addEventListener("click", () => setAll(true));
  document.getElementById("close-all").addEventListener("click", () => setAll(false));
  document.getElementById("print").addEventListener("click", () => print());

  // On paper every listed note is open; afterwards each is as it was.

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = notes.filter((note) => !note.details.open);
    for (const note of closed) note.details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const note of closed) note.details.open = false;
    closed = [];
  });

  // Highlights

  document.getElementById("legend").addEventListener("change", (event) => {
    const { label } = event.target.dataset;
    for (const mark of list.querySelectorAll(`.l-${label}`)) mark.classList.toggle("off", !event.target.checked);
  });
})();
