"use strict";
// A study: clips in random order, blind to the method; answers stay on this machine until the viewer saves them.
(() => {
  const plan = JSON.parse(document.getElementById("plan").textContent);
  const videos = JSON.parse(document.getElementById("videos").textContent);
  const byId = (id) => document.getElementById(id);
  const clip = byId("clip");
  const state = { viewer: "", order: [], at: 0, answers: [], started: 0, plays: 0 };
  const place = () => `diffsign-study:${plan.study}:${state.viewer}`;

  // The same viewer gets the same order again, so that a closed page can be gone on with.
  function generator(text) {
    let seed = 2166136261;
    for (const character of text) seed = Math.imul(seed ^ character.codePointAt(0), 16777619);
    return () => {
      seed = (seed + 0x6d2b79f5) | 0;
      let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  function shuffled(list, random) {
    const copy = list.slice();
    for (let i = copy.length - 1; i > 0; i -= 1) {
      const j = Math.floor(random() * (i + 1));
      [copy[i], copy[j]] = [copy[j], copy[i]];
    }
    return copy;
  }

  // With one method for each item, methods take turns over the items, from a start of the viewer's own.
  function orderFor(viewer) {
    const random = generator(`${plan.study}\0${viewer}`);
    if (!plan.one_method_per_item) return shuffled(plan.items.flat(), random);
    const first = Math.floor(random() * 1e6);
    return shuffled(shuffled(plan.items, random).map((item, index) => item[(first + index) % item.length]), random);
  }

  function keep() {
    try {
      localStorage.setItem(place(), JSON.stringify({ at: state.at, answers: state.answers }));
    } catch (error) { /* a browser that keeps nothing: the answers live as long as the page */ }
  }

  function kept() {
    try {
      return JSON.parse(localStorage.getItem(place()) || "null");
    } catch (error) { return null; }
  }

  function make(tag, attributes = {}, text = "") {
    const element = document.createElement(tag);
    Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
    element.textContent = text;
    return element;
  }

  function field(question, number) {
    const set = make("fieldset", { class: question.kind });
    set.append(make("legend", {}, question.text));
    if (question.video !== null) {
      const signed = make("video", { controls: "", playsinline: "", preload: "metadata", "aria-label": "The question in sign language" });
      signed.src = videos[question.video];
      set.append(signed);
    }
    if (question.kind === "text") {
      set.append(make("textarea", { name: `q${number}`, rows: 3, "aria-label": question.text }));
      return set;
    }
    const options = make("div", { class: "options" });
    question.options.forEach((option) => {
      const label = make("label");
      label.append(make("input", { type: "radio", name: `q${number}`, value: option }), make("span", {}, option));
      options.append(label);
    });
    set.append(options);
    return set;
  }

  function show(id) {
    for (const name of ["start", "trial", "end"]) byId(name).hidden = name !== id;
    const title = byId(id).querySelector("h2");
    if (id !== "start") title.focus();
    window.scrollTo(0, 0);
  }

  function setRate(rate) {
    clip.defaultPlaybackRate = rate;
    clip.playbackRate = rate;
    document.querySelectorAll("[data-rate]").forEach((button) => {
      button.setAttribute("aria-pressed", String(Number(button.dataset.rate) === rate));
    });
  }

  function next() {
    if (state.at >= state.order.length) { finish(); return; }
    const trial = state.order[state.at];
    byId("trial-title").textContent = `Clip ${state.at + 1} of ${state.order.length}`;
    const bar = document.querySelector("progress");
    bar.max = state.order.length;
    bar.value = state.at;
    clip.src = videos[trial.video];
    setRate(1);
    byId("questions").replaceChildren(...trial.questions.map((question, index) => field(question, index + 1)));
    byId("missing").textContent = "";
    state.started = Date.now();
    state.plays = 0;
    show("trial");
  }

  function submit(event) {
    event.preventDefault();
    const trial = state.order[state.at];
    const given = new FormData(event.target);
    const unanswered = trial.questions.findIndex((q, index) => q.kind !== "text" && !given.get(`q${index + 1}`));
    if (unanswered >= 0) {
      byId("missing").textContent = `Please answer: ${trial.questions[unanswered].text}`;
      byId("questions").children[unanswered].querySelector("input").focus();
      return;
    }
    const seconds = ((Date.now() - state.started) / 1000).toFixed(1);
    trial.questions.forEach((question, index) => {
      const answer = String(given.get(`q${index + 1}`) || "").trim();
      state.answers.push([plan.study, state.viewer, state.at + 1, trial.code, index + 1, answer, seconds, state.plays]);
    });
    state.at += 1;
    keep();
    next();
  }

  const cell = (value) => {
    const text = String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""').replace(/\r?\n|\r/g, " ")}"` : text;
  };

  function finish() {
    const lines = [plan.columns, ...state.answers].map((row) => row.map(cell).join(","));
    const save = byId("save");
    save.href = URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "text/csv" }));
    save.download = `answers-${state.viewer}.csv`;
    clip.removeAttribute("src");
    show("end");
  }

  document.querySelectorAll("[data-video]").forEach((video) => { video.src = videos[Number(video.dataset.video)]; });
  document.querySelectorAll("[data-rate]").forEach((button) => {
    button.addEventListener("click", () => setRate(Number(button.dataset.rate)));
  });
  clip.addEventListener("play", () => { state.plays += 1; });
  byId("trial").querySelector("form").addEventListener("submit", submit);
  byId("start").querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    state.viewer = byId("viewer").value.trim();
    state.order = orderFor(state.viewer);
    const earlier = kept();
    if (earlier) { state.at = earlier.at; state.answers = earlier.answers; }
    next();
  });
})();
