"use strict";
(() => {
  document.documentElement.classList.add("js");
  const area = document.getElementById("batches");
  if (!area) return;

  const root = area.dataset.root;
  const formats = area.dataset.formats.split(" ");
  const drop = document.getElementById("drop");
  const file = document.getElementById("file");
  const keep = document.getElementById("keep");
  const status = document.getElementById("batch-status");
  const problem = document.getElementById("batch-problem");
  const table = document.getElementById("batch-list");
  const body = table.tBodies[0];
  const ended = new Set(["done", "cancelled", "expired"]);
  const rows = new Map();
  let timer = 0;

  function element(name, properties = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  }

  function newKey() {
    // Not randomUUID, which browsers keep from pages without TLS.
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  async function ask(path, options = {}) {
    const answer = await fetch(root + path, { credentials: "same-origin", cache: "no-store", ...options });
    if (answer.ok) return answer;
    let said = {};
    try {
      said = await answer.json();
    } catch {
      said = {}; // an answer without a body says enough by its status
    }
    const errors = (said.errors || []).map((error) => [error.field, error.message].filter(Boolean).join(": "));
    throw new Error([said.title || `The server answered ${answer.status}.`, said.detail, ...errors].filter(Boolean).join(" "));
  }

  function tell(error) {
    problem.textContent = error ? error.message : "";
    problem.hidden = !error;
  }

  // One row a batch

  function rowOf(batch) {
    let row = rows.get(batch.id);
    if (!row) {
      row = element("tr", { id: `b-${batch.id}` });
      for (let index = 0; index < 7; index += 1) row.append(element("td"));
      row.cells[0].className = "code";
      row.cells[4].className = "num";
      rows.set(batch.id, row);
      const newer = Array.from(body.rows).find((other) => other.dataset.created < batch.created_at);
      row.dataset.created = batch.created_at;
      body.insertBefore(row, newer || null);
      table.hidden = false;
    }
    return row;
  }

  function show(batch) {
    const row = rowOf(batch);
    if (row.dataset.state === batch.state && row.dataset.done === String(batch.done)) return;
    row.dataset.state = batch.state;
    row.dataset.done = batch.done;
    const [id, sent, state, progress, notes, results, cancel] = row.cells;
    id.textContent = batch.id.slice(0, 12);
    id.title = batch.id;
    sent.textContent = new Date(batch.created_at).toLocaleString();
    state.textContent = batch.failed ? `${batch.state}, ${batch.failed} could not be read` : batch.state;
    let bar = progress.querySelector("progress");
    if (!bar) {
      bar = element("progress");
      progress.replaceChildren(bar);
    }
    bar.max = batch.notes;
    bar.value = batch.done;
    bar.setAttribute("aria-label", `${batch.done} of ${batch.notes} notes`);
    notes.textContent = batch.notes;
    const isReadable = batch.state === "done" || (batch.state === "cancelled" && batch.done > 0);
    if (isReadable && !results.firstChild) {
      const links = formats.map((format) => {
        const button = element("button", { type: "button", textContent: format });
        button.setAttribute("aria-label", `Download the results as ${format}`);
        button.addEventListener("click", () => download(batch.id, format, batch.state, button));
        return button;
      });
      results.replaceChildren(element("div", { className: "results" }, ...links));
    } else if (batch.state === "expired") {
      results.replaceChildren();
    }
    const word = batch.state === "expired" ? "" : ended.has(batch.state) ? "Delete" : "Cancel";
    if (!word) {
      cancel.replaceChildren();
    } else if (cancel.textContent !== word) {
      const button = element("button", { type: "button", textContent: word });
      button.addEventListener("click", async () => {
        if (word === "Delete" && !confirm("Delete the results of this batch?")) return;
        button.disabled = true;
        try {
          await ask(`/v1/batches/${encodeURIComponent(batch.id)}`, { method: "DELETE" });
          tell(null);
          await watch();
        } catch (error) {
          button.disabled = false;
          tell(error);
        }
      });
      cancel.replaceChildren(button);
    }
  }

  async function download(id, format, state, button) {
    button.disabled = true;
    const partial = state === "done" ? "" : "&partial=true";
    try {
      const answer = await ask(`/v1/batches/${encodeURIComponent(id)}/results?format=${format}${partial}`);
      const address = URL.createObjectURL(await answer.blob());
      const suffix = format === "fhir" ? "fhir.json" : format;
      element("a", { href: address, download: `cuewise-${id}.${suffix}` }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60000);
      tell(null);
    } catch (error) {
      tell(error);
    }
    button.disabled = false;
  }

  // Watching: often while something runs, not at all when nothing does

  async function watch() {
    clearTimeout(timer);
    let isWaiting = false;
    try {
      const answer = await (await ask("/v1/batches?limit=20")).json();
      const batches = answer.batches;
      batches.forEach(show);
      isWaiting = batches.some((batch) => !ended.has(batch.state));
      const running = batches.filter((batch) => !ended.has(batch.state)).length;
      status.textContent = running ? `${running} in progress` : "";
    } catch (error) {
      tell(error);
    }
    if (isWaiting) timer = setTimeout(watch, document.hidden ? 5000 : 1000);
  }

  async function send(chosen) {
    if (!chosen) return;
    tell(null);
    status.textContent = `Sending ${chosen.name} …`;
    file.disabled = true;
    const form = new FormData();
    form.append("file", chosen);
    try {
      const batch = await (
        await ask(`/v1/batches?keep_text=${keep.checked}`, { method: "POST", body: form, headers: { "Idempotency-Key": newKey() } })
      ).json();
      show(batch);
      await watch();
    } catch (error) {
      status.textContent = "";
      tell(error);
    }
    file.disabled = false;
    file.value = "";
  }

  drop.addEventListener("submit", (event) => event.preventDefault());
  file.addEventListener("change", () => send(file.files[0]));
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    send(event.dataTransfer.files[0]);
  });
  watch();
})();
