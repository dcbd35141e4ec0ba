"use strict";
// Two results in one player: of one run (the index) or of two (the comparison).
const make = (tag, attributes = {}, text = "") => {
  const element = document.createElement(tag);
  Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
  element.textContent = text;
  return element;
};
const nameOf = (row) => row.name || `${row.signer}, ${row.video}`;

class Pair {
  constructor(section) {
    this.section = section;
    this.player = null;
  }

  // Show some rows together; with fewer than two there is nothing to compare.
  show(rows) {
    if (this.player) this.player.remove();
    this.player = null;
    this.section.hidden = rows.length < 2;
    if (this.section.hidden) return;
    const part = (name) => this.section.querySelector(name);
    part(".videos").replaceChildren(...Pair.panels(rows));
    part("[data-names]").textContent = Pair.words(rows);
    this.section.dataset.fps = rows[0].fps;
    this.section.dataset.frames = Math.max(...rows.map((row) => row.frames));
    part(".pair-breaks").replaceChildren(...this.breaks(rows));
    this.player = new Player(this.section);
  }

  static words(rows) {
    const lengths = new Set(rows.map((row) => row.frames));
    const uneven = lengths.size > 1 ? ` They have ${rows.map((row) => row.frames).join(" and ")} frames, and both play from their first.` : "";
    return `${rows.map(nameOf).join(" beside ")}.${uneven}`;
  }

  static panel(caption, url, leads) {
    const figure = make("figure");
    const video = make("video", { playsinline: "", preload: "none", "aria-label": caption });
    video.muted = true;
    video.src = url.startsWith("#") ? document.querySelector(url).src : url;
    if (leads) video.dataset.leads = "";
    figure.append(video, make("figcaption", {}, caption));
    return figure;
  }

  // The sources, each once, and the results; the longest result leads.
  static panels(rows) {
    const [before, results, sources] = [[], [], new Set()];
    const longest = rows.reduce((one, other) => (other.frames > one.frames ? other : one));
    rows.forEach((row) => {
      const film = (name) => (row.videos.find(([caption]) => caption.startsWith(name)) || [])[1];
      const key = `${row.video} ${row.frames}`;
      if (film("Source") && !sources.has(key)) before.push(Pair.panel(`Source, ${row.video}`, film("Source"), false));
      sources.add(key);
      if (film("Result")) results.push(Pair.panel(nameOf(row), film("Result"), row === longest));
    });
    return [...before, ...results];
  }

  // A bar for each parameter that breaks, and the same as a list for the keyboard.
  breaks(rows) {
    const frames = Number(this.section.dataset.frames);
    return rows.filter((row) => row.breaks.length).flatMap((row) => {
      const bars = make("div", { class: "timeline track", "aria-hidden": "true" });
      new Set(row.breaks.map((one) => one[4])).forEach((parameter) => {
        const line = make("div", { class: "row" });
        const bar = make("span", { class: "bar" });
        const own = row.breaks.filter((one) => one[4] === parameter);
        own.forEach(([start, end]) => {
          const mark = make("i", { class: "fill broken" });
          mark.style.left = `${(100 * start) / frames}%`;
          mark.style.width = `${(100 * (end - start)) / frames}%`;
          bar.append(mark);
        });
        bar.append(make("i", { class: "head" }));
        line.append(make("span", { class: "name" }, parameter), bar, make("span", { class: "share" }, `${own.length}×`));
        bars.append(line);
      });
      const list = make("ol", { class: "breaks", tabindex: "0", "aria-label": `Where ${nameOf(row)} breaks` });
      row.breaks.forEach(([start, end, worst, text]) => {
        const item = make("li");
        const time = `${(start / row.fps).toFixed(1)}–${(end / row.fps).toFixed(1)} s`;
        item.append(make("button", { type: "button", "data-frame": worst }, `${time} ${text}`));
        list.append(item);
      });
      return [make("h3", {}, `Where ${nameOf(row)} breaks`), bars, list];
    });
  }
}
