"use strict";
// One player for all videos of a section: they play, stop and step together. Used by every page of the report.
class Player {
  static all = [];

  // Videos load when they come near the screen.
  static watcher = new IntersectionObserver((entries) => {
    entries.filter((entry) => entry.isIntersecting).forEach(({ target }) => {
      Player.watcher.unobserve(target);
      target.preload = "auto";
    });
  }, { rootMargin: "300px" });

  constructor(section) {
    this.section = section;
    this.fps = Number(section.dataset.fps);
    this.frames = Number(section.dataset.frames);
    this.videos = [...section.querySelectorAll("video")];
    this.leader = section.querySelector("video[data-leads]") || this.videos[0];
    this.bar = section.querySelector(".player");
    this.button = this.bar.querySelector("[data-do=play]");
    this.range = this.bar.querySelector("input[type=range]");
    this.output = this.bar.querySelector("output");
    this.loop = this.bar.querySelector("[data-do=loop]");
    this.speed = this.bar.querySelector("[data-do=speed]");
    this.heads = [...section.querySelectorAll(".head")];
    this.playing = false;
    this.listening = new AbortController();
    this.range.max = String(this.frames - 1);
    this.bar.hidden = false;
    this.setUpVideos();
    this.setUpControls();
    this.show(0);
    Player.all.push(this);
  }

  on(target, event, action) {
    target.addEventListener(event, action, { signal: this.listening.signal });
  }

  setUpVideos() {
    this.videos.forEach((video) => {
      if (video.dataset.same) video.src = document.getElementById(video.dataset.same).src;
      video.controls = false;
      Player.watcher.observe(video);
      this.on(video, "click", () => this.toggle());
    });
    this.on(this.leader, "ended", () => this.ended());
  }

  setUpControls() {
    this.on(this.button, "click", () => this.toggle());
    this.on(this.bar.querySelector("[data-do=back]"), "click", () => this.step(-1));
    this.on(this.bar.querySelector("[data-do=on]"), "click", () => this.step(1));
    this.on(this.range, "input", () => { this.pause(); this.seek(Number(this.range.value)); });
    this.on(this.speed, "change", () => this.videos.forEach((video) => { video.playbackRate = this.rate; }));
    this.section.querySelectorAll(".bar, .plot .track").forEach((track) => {
      this.on(track, "click", (event) => {
        const box = track.getBoundingClientRect();
        this.pause();
        this.seek(Math.floor(((event.clientX - box.left) / box.width) * this.frames));
      });
    });
    this.section.querySelectorAll("[data-frame]").forEach((mark) => {
      this.on(mark, "click", () => {
        this.pause();
        this.seek(Number(mark.dataset.frame));
        this.section.querySelector(".videos").scrollIntoView({ block: "nearest" });
      });
    });
  }

  get rate() { return Number(this.speed.value); }

  get frame() {
    return Math.min(this.frames - 1, Math.max(0, Math.floor(this.leader.currentTime * this.fps + 1e-3)));
  }

  show(frame) {
    this.range.value = String(frame);
    const time = (frame / this.fps).toFixed(2);
    this.output.textContent = `frame ${frame + 1} of ${this.frames}, ${time} s`;
    this.range.setAttribute("aria-valuetext", `frame ${frame + 1}, ${time} seconds`);
    const left = `${(100 * (frame + 0.5)) / this.frames}%`;
    this.heads.forEach((head) => { head.style.left = left; });
  }

  seek(frame) {
    const target = Math.min(this.frames - 1, Math.max(0, frame));
    const time = (target + 0.5) / this.fps;
    this.videos.forEach((video) => {
      if (video.readyState) { video.currentTime = time; return; }
      video.preload = "auto";
      video.addEventListener("loadedmetadata", () => { video.currentTime = time; }, { once: true });
    });
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
    Player.all.forEach((player) => { if (player !== this) player.pause(); });
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

  ended() {
    if (!this.playing) return;
    if (this.loop.checked) { this.seek(0); this.start(); } else this.pause();
  }

  follow() {
    if (!this.playing) return;
    this.show(this.frame);
    for (const video of this.videos) {
      if (video === this.leader || video.seeking) continue;
      if (Math.abs(video.currentTime - this.leader.currentTime) > 1.5 / this.fps) {
        video.currentTime = Math.min(this.leader.currentTime, video.duration || Infinity);
      }
      if (video.paused && !video.ended) video.play().catch(() => {});
    }
    requestAnimationFrame(() => this.follow());
  }

  remove() {
    this.pause();
    this.listening.abort();
    Player.all = Player.all.filter((player) => player !== this);
  }

  // The player that keys go to: the one with the focus, else the one nearest to the middle of the screen.
  static nearest() {
    const focused = Player.all.find((player) => player.section.contains(document.activeElement));
    if (focused) return focused;
    const middle = window.innerHeight / 2;
    const distance = (player) => {
      const box = player.section.getBoundingClientRect();
      return Math.max(box.top - middle, middle - box.bottom, 0);
    };
    return Player.all.slice().sort((a, b) => distance(a) - distance(b))[0];
  }

  static key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || Player.all.length === 0) return;
    const slides = event.target.matches("input[type=range]");
    const control = event.target.closest("button, select, summary, a, input, textarea, .scroll");
    const keepsArrows = control && !slides && control.matches("select, input, textarea, .scroll");
    const player = Player.nearest();
    const many = event.shiftKey ? 10 : 1;
    if (event.key === " " && (!control || slides)) player.toggle();
    else if (event.key === "ArrowLeft" && !keepsArrows) player.step(-many);
    else if (event.key === "ArrowRight" && !keepsArrows) player.step(many);
    else if (event.key === "Home" && player.section.contains(event.target) && !keepsArrows) player.seek(0);
    else if (event.key === "End" && player.section.contains(event.target) && !keepsArrows) player.seek(player.frames - 1);
    else return;
    event.preventDefault();
  }
}

document.querySelectorAll(".result").forEach((section) => {
  if (section.querySelector("video")) new Player(section);
});
document.addEventListener("keydown", Player.key);
