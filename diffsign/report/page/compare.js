"use strict";
// The comparison: any two results of one clip in one player.
(() => {
  const section = document.getElementById("watch");
  const rows = JSON.parse(document.getElementById("rows").textContent).filter((row) => row.videos.length);
  const form = section.querySelector("form");
  const pair = new Pair(section.querySelector(".result-pair"));
  const of = (clip) => rows.filter((row) => row.video === clip);
  const clips = [...new Set(rows.map((row) => row.video))].filter((clip) => of(clip).length > 1);
  const { clip, first, second } = form.elements;

  function fill(select, values, wanted) {
    select.replaceChildren(...values.map((value) => make("option", { value }, value)));
    select.value = values.includes(wanted) ? wanted : values[0];
  }

  function showClip() {
    const found = of(clip.value);
    const names = found.map(nameOf);
    fill(first, names, first.value);
    // Beside it what was there, else a result of another run, else another one.
    const { run } = found.find((row) => nameOf(row) === first.value);
    const other = found.find((row) => row.run !== run) || found.find((row) => nameOf(row) !== first.value);
    fill(second, names, names.includes(second.value) && second.value !== first.value ? second.value : nameOf(other));
    show();
  }

  function show() {
    const find = (name) => of(clip.value).find((row) => nameOf(row) === name);
    const chosen = [find(first.value), find(second.value)];
    pair.show(chosen[0] === chosen[1] ? [] : chosen);
    section.querySelector("[data-same]").hidden = chosen[0] !== chosen[1];
  }

  if (clips.length === 0) return;
  section.hidden = false;
  fill(clip, clips, clips[0]);
  clip.addEventListener("change", showClip);
  first.addEventListener("change", show);
  second.addEventListener("change", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  showClip();
})();
