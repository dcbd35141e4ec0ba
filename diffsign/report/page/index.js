"use strict";
// The index: filters, sortable columns, pages of rows, and two results in one player.
(() => {
  const rows = JSON.parse(document.getElementById("rows").textContent);
  const table = document.getElementById("results");
  const filters = document.querySelector(".filters");
  const pager = document.querySelector(".pager");
  const pair = new Pair(document.getElementById("pair"));
  const size = Number(table.dataset.rows);
  const state = { key: "", down: false, page: 0, chosen: [] };

  const valueOf = (row, key) => {
    if (key === "name") return nameOf(row).toLowerCase();
    if (key === "kind") return row.kind;
    if (key === "breaks") return row.breaks.length;
    return row.values[Number(key)];
  };

  function chosenRows() {
    const find = filters.elements.find.value.trim().toLowerCase();
    const { signer, kind, broken } = filters.elements;
    const shown = rows.filter((row) => (!find || nameOf(row).toLowerCase().includes(find))
      && (!signer.value || row.signer === signer.value)
      && (!kind.value || row.kind === kind.value)
      && (!broken.checked || row.breaks.length > 0));
    if (!state.key) return shown;
    const sign = state.down ? -1 : 1;
    return shown.sort((a, b) => {
      const [x, y] = [valueOf(a, state.key), valueOf(b, state.key)];
      if (x === null || y === null) return (x === null) - (y === null);
      return sign * (x < y ? -1 : x > y ? 1 : 0);
    });
  }

  function pick(row) {
    const cell = make("td", { class: "pick" });
    if (row.videos.length === 0) return cell;
    const box = make("input", { type: "checkbox", "aria-label": `Show ${nameOf(row)} side by side` });
    box.checked = state.chosen.includes(row);
    box.addEventListener("change", () => {
      state.chosen = state.chosen.filter((other) => other !== row);
      if (box.checked) state.chosen = [...state.chosen.slice(-1), row];
      table.querySelectorAll(".pick input").forEach((other) => { other.checked = state.chosen.includes(other.row); });
      showPair();
    });
    box.row = row;
    cell.append(box);
    return cell;
  }

  function line(row) {
    const tr = make("tr");
    const who = make("th", { scope: "row", class: "who" });
    who.append(make("a", { href: row.href }, nameOf(row)));
    tr.append(pick(row), who, make("td", {}, row.kind));
    row.texts.forEach((text) => tr.append(make("td", { class: "number" }, text)));
    tr.append(make("td", { class: "number" }, String(row.breaks.length)));
    return tr;
  }

  function render() {
    const shown = chosenRows();
    const pages = Math.max(1, Math.ceil(shown.length / size));
    state.page = Math.min(state.page, pages - 1);
    const first = state.page * size;
    table.tBodies[0].replaceChildren(...shown.slice(first, first + size).map(line));
    filters.querySelector("output").textContent = `${shown.length} of ${rows.length} results`;
    pager.hidden = pages === 1;
    pager.querySelector("[data-do=before]").disabled = state.page === 0;
    pager.querySelector("[data-do=after]").disabled = state.page === pages - 1;
    pager.querySelector("output").textContent = `${first + 1} to ${Math.min(first + size, shown.length)}`;
  }

  function setUpHeads() {
    table.querySelectorAll("th[data-key]").forEach((head) => {
      const button = make("button", { type: "button", class: "sort" });
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        state.down = state.key === head.dataset.key ? !state.down : false;
        state.key = head.dataset.key;
        table.querySelectorAll("th[data-key]").forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
        render();
      });
    });
  }

  function setUpFilters() {
    for (const name of ["signer", "kind"]) {
      const values = [...new Set(rows.map((row) => row[name]))].sort();
      values.forEach((value) => filters.elements[name].append(make("option", { value }, value)));
    }
    for (const event of ["input", "change"]) filters.addEventListener(event, () => { state.page = 0; render(); });
    filters.addEventListener("submit", (event) => event.preventDefault());
    filters.hidden = rows.length < 2;
    const turn = (by) => () => { state.page += by; render(); };
    pager.querySelector("[data-do=before]").addEventListener("click", turn(-1));
    pager.querySelector("[data-do=after]").addEventListener("click", turn(1));
  }

  function showPair() {
    pair.show(state.chosen);
    if (pair.section.hidden) return;
    document.getElementById("pair-title").focus({ preventScroll: true });
    pair.section.scrollIntoView({ block: "nearest" });
  }

  setUpHeads();
  setUpFilters();
  render();
})();
