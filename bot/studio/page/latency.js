/** The latency strip: one stacked bar for each of the last turns, its split on hover or focus, and the same as a table. */

import { byId, el } from "./dom.js";
import { number, onLanguage, text } from "./language.js";
import { median, readMarks } from "./marks.js";

const TURNS = 20;
const HIGHEST_PX = 84;
const WAIT_SHOWN_PX = 16;
const SMALLEST_SCALE_MS = 500;

/** Mounts the strip; `add(turn)` takes one turn record, `restore(turns)` many, oldest first. */
export function mountLatency() {
  const strip = byId("latency-bars");
  let turns = [];
  let active = null;

  const seconds = (ms) => text("latency.seconds", { s: number(ms / 1000, 2) });
  const split = (segments) => segments.map(({ mark, ms }) => text("latency.part", { name: text(`mark.${mark}`), ms: number(ms) })).join(" · ");

  function summary({ mode, reading }) {
    const head = reading.audible ? text("latency.reaction", { time: seconds(reading.reactionMs) }) : text("latency.unheard");
    return `${text(`mode.${mode}`)}: ${head}`;
  }

  function drawBar(turn, msPerPx) {
    const bar = el("span", { class: "bar", "aria-hidden": "true" });
    for (const { mark, ms } of turn.reading.segments) {
      const part = el("span", { class: "seg", "data-mark": mark });
      const height = ms / msPerPx;
      part.style.height = `${mark === "cue" ? Math.min(height, WAIT_SHOWN_PX) : height}px`;
      bar.prepend(part);
    }
    const attributes = { type: "button", class: "turn", tabindex: "-1", "data-turn": turn.id, "data-audible": String(turn.reading.audible) };
    return el("button", { ...attributes, "aria-label": `${summary(turn)}. ${split(turn.reading.segments)}` }, bar);
  }

  function draw() {
    const focused = strip.contains(document.activeElement);
    const heard = turns.filter(({ reading }) => reading.audible).map(({ reading }) => reading.reactionMs);
    const highest = Math.max(SMALLEST_SCALE_MS, ...turns.map(({ reading }) => reading.reactionMs));
    strip.replaceChildren(...turns.map((turn) => drawBar(turn, highest / (HIGHEST_PX - WAIT_SHOWN_PX))));
    byId("latency-empty").hidden = turns.length > 0;
    byId("latency-figures").textContent = heard.length
      ? text("latency.figures", { median: seconds(median(heard)), worst: seconds(Math.max(...heard)), n: heard.length })
      : "";
    byId("latency-table-rows").replaceChildren(...[...turns].reverse().map(drawTableRow));
    const shown = turns.find(({ id }) => id === active) ?? turns.at(-1);
    if (shown) choose(shown.id, focused);
  }

  function drawTableRow(turn) {
    const { reading } = turn;
    const cells = [reading.audible ? number(reading.reactionMs) : text("latency.unheard"), number(reading.waitedMs), split(reading.segments)];
    return el("tr", {}, el("th", { scope: "row" }, text(`mode.${turn.mode}`)), ...cells.map((cell) => el("td", {}, cell)));
  }

  function choose(id, focus) {
    active = id;
    for (const button of strip.children) {
      const on = button.dataset.turn === id;
      button.tabIndex = on ? 0 : -1;
      button.classList.toggle("chosen", on);
      if (on && focus) button.focus();
    }
    showDetail(turns.find((turn) => turn.id === id));
  }

  function showDetail(turn) {
    const parts = turn.reading.segments.map(({ mark, ms }) =>
      el("span", { class: "key" }, el("i", { class: "seg", "data-mark": mark, "aria-hidden": "true" }), text("latency.part", { name: text(`mark.${mark}`), ms: number(ms) })),
    );
    byId("latency-detail").replaceChildren(el("p", {}, summary(turn)), el("p", { class: "keys" }, ...parts));
  }

  function remember(turn) {
    turns = [...turns.filter(({ id }) => id !== turn.id), { id: turn.id, mode: turn.mode, reading: readMarks(turn.marks_ms) }].slice(-TURNS);
  }

  strip.addEventListener("pointerover", (event) => {
    const button = event.target.closest("[data-turn]");
    if (button) choose(button.dataset.turn, false);
  });
  strip.addEventListener("focusin", (event) => choose(event.target.dataset.turn, false));
  strip.addEventListener("keydown", (event) => {
    const at = document.activeElement;
    const next = { ArrowLeft: at.previousElementSibling, ArrowRight: at.nextElementSibling, Home: strip.firstElementChild, End: strip.lastElementChild }[event.key];
    if (!next) return;
    event.preventDefault();
    next.focus();
  });

  onLanguage(draw);
  return {
    add(turn) {
      remember(turn);
      // The newest bar is the one that matters, unless somebody is reading another.
      if (!strip.matches(":hover, :focus-within")) active = turn.id;
      draw();
    },
    restore(records) {
      turns = [];
      records.forEach(remember);
      draw();
    },
  };
}
