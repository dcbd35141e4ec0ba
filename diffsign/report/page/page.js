"use strict";
(() => {
  const players = [];

  class Player {
    constructor(section) {
      this.section = section;
      this.fps = Number(section.dataset.fps);
      this.frames = Number(section.dataset.frames);
      this.videos = [...section.querySelectorAll("video")];
      this.leader = section.querySelector("video[data-leads]") || this.videos[0];
      this.bar = section.querySelector(".player");
      this.button = this.bar.querySelector("[data-do=play]");
      this.range = this.bar.querySelector("input");
      this.output = this.bar.querySelector("output");
      this.heads = [...section.querySelectorAll(".head")];
      this.playing = false;
      this.rate = 1;
      this.videos.forEach((video) => {
        if (video.dataset.same) video.src = document.getElementById(video.dataset.same).src;
        video.controls = false;
      });
      this.bar.hidden = false;
      this.button.addEventListener("click", () => this.toggle());
      this.bar.querySelector("[data-do=back]").addEventListener("click", () => this.step(-1));
      this.bar.querySelector("[data-do=on]").addEventListener("click", () => this.step(1));
      this.range.addEventListener("input", () => { this.pause(); this.seek(Number(this.range.value)); });
      this.bar.querySelector("select").addEventListener("change", (event) => {
        this.rate = Number(event.target.value);
        this.videos.forEach((video) => { video.playbackRate = this.rate; });
      });
      section.querySelectorAll(".bar, .plot .track").forEach((track) => {
        track.addEventListener("click", (event) => {
          const box = track.getBoundingClientRect();
          this.pause();
          this.seek(Math.floor(((event.clientX - box.left) / box.width) * this.frames));
        });
      });
      this.videos.forEach((video) => video.addEventListener("click", () => this.toggle()));
      this.leader.addEventListener("ended", () => { if (this.playing) { this.seek(0); this.start(); } });
      this.show(0);
    }

    get frame() {
      return Math.min(this.frames - 1, Math.max(0, Math.floor(this.leader.currentTime * this.fps + 1e-3)));
    }

    show(frame) {
      this.range.value = String(frame);
      this.output.textContent = `frame ${frame + 1} of ${this.frames}, ${(frame / this.fps).toFixed(2)} s`;
      const left = `${(100 * (frame + 0.5)) / this.frames}%`;
      this.heads.forEach((head) => { head.style.left = left; });
    }

    seek(frame) {
      const target = Math.min(this.frames - 1, Math.max(0, frame));
      const time = (target + 0.5) / this.fps;
      this.videos.forEach((video) => { video.currentTime = time; });
      this.show(target);
    }

    step(by) {
      this.pause();
      this.seek(Number(this.range.value) + by);
    }

    start() {
      this.videos.forEach((video) => { video.playbackRate = this.rate; video.play().catch(() => {}); });
    }

    toggle() {
      if (this.playing) { this.pause(); return; }
      players.forEach((player) => { if (player !== this) player.pause(); });
      if (this.frame >= this.frames - 1 || this.leader.ended) this.seek(0);
      this.playing = true;
      this.button.textContent = "Pause";
      this.start();
      this.follow();
    }

    pause() {
      if (!this.playing) return;
      this.playing = false;
      this.button.textContent = "Play";
      this.videos.forEach((video) => video.pause());
      this.seek(this.frame);
    }

    follow() {
      if (!this.playing) return;
      this.show(this.frame);
      for (const video of this.videos) {
        if (video === this.leader || video.seeking) continue;
        if (Math.abs(video.currentTime - this.leader.currentTime) > 1.5 / this.fps) {
          video.currentTime = this.leader.currentTime;
        }
        if (video.paused && !video.ended) video.play().catch(() => {});
      }
      requestAnimationFrame(() => this.follow());
    }
  }

  document.querySelectorAll(".result").forEach((section) => {
    if (section.querySelector("video")) players.push(new Player(section));
  });

  const nearest = () => {
    const focused = players.find((player) => player.section.contains(document.activeElement));
    if (focused) return focused;
    const middle = window.innerHeight / 2;
    const distance = (player) => {
      const box = player.section.getBoundingClientRect();
      return Math.max(box.top - middle, middle - box.bottom, 0);
    };
    return players.slice().sort((a, b) => distance(a) - distance(b))[0];
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || players.length === 0) return;
    const on = event.target.closest("button, select, summary, a, input, .scroll");
    const slides = event.target.matches("input[type=range]");
    const player = nearest();
    const many = event.shiftKey ? 10 : 1;
    if (event.key === " " && (!on || slides)) player.toggle();
    else if (event.key === "ArrowLeft" && !(on && (on.matches("select, .scroll") || slides))) player.step(-many);
    else if (event.key === "ArrowRight" && !(on && (on.matches("select, .scroll") || slides))) player.step(many);
    else if (event.key === "Home" && player.section.contains(event.target) && !slides) player.seek(0);
    else if (event.key === "End" && player.section.contains(event.target) && !slides) player.seek(player.frames - 1);
    else return;
    event.preventDefault();
  });
})();
