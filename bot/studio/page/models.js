/** Real brains to choose from: what this machine can bear, a button, and how far the download is. */

import { send } from "./api.js";
import { announce, byId, el, showText } from "./dom.js";
import { languageOfServer, number, onLanguage, text, textOr } from "./language.js";

const GB = 1e9;
const MB = 1e6;
const MEMORY_GB = 2 ** 30;
const BUSY = ["downloading", "checking", "starting"];
const NOT_REAL = ["demo", "understudy"];

const amount = (bytes) => (bytes >= GB ? `${number(bytes / GB, 1)} GB` : `${number(bytes / MB, bytes < 10 * MB ? 1 : 0)} MB`);
const memory = (bytes) => `${number(bytes / MEMORY_GB, bytes % MEMORY_GB ? 1 : 0)} GB`;

function duration(seconds) {
  if (seconds < 90) return `${number(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Builds one model's row; `update(model)` writes what changed into it, so that a focused button stays. */
function buildRow(name) {
  const title = el("strong");
  const recommended = el("span", { class: "chip-text" });
  const facts = el("p", { class: "facts" });
  const bar = el("progress", { max: "1", value: "0" });
  const how = el("p", { class: "how" });
  const error = el("p", { class: "error", role: "alert" });
  const begin = el("button", { type: "button", "data-do": "pull" });
  const cancel = el("button", { type: "button", "data-do": "cancel" });
  begin.addEventListener("click", () => send("POST", `/api/models/${name}/pull`, {}));
  cancel.addEventListener("click", () => send("POST", `/api/models/${name}/cancel`, {}));
  const head = el("div", { class: "model-head" }, title, recommended);
  const row = el("li", { class: "model", "data-model": name }, head, facts, bar, how, error, el("div", { class: "model-buttons" }, begin, cancel));

  function beginWord({ state, error: failed }) {
    if (state === "ready") return text("models.use");
    if (state === "partial") return text("models.resume");
    return text(failed ? "models.retry" : "models.pull");
  }

  function progressWords({ state, done_bytes: done, total_bytes: total, bytes_per_s: speed, left_s: left }) {
    if (state === "downloading" || state === "partial") {
      const words = text("models.progress", { done: amount(done), total: amount(total), percent: Math.floor((100 * done) / total) });
      return state === "partial" || left === null ? words : `${words} · ${text("models.pace", { speed: amount(speed), left: duration(left) })}`;
    }
    return state === "absent" ? "" : text(`models.${state}`);
  }

  return {
    row,
    update(model) {
      const busy = BUSY.includes(model.state);
      row.dataset.state = model.state;
      title.textContent = model.title;
      showText(recommended, model.recommended ? text("models.recommended") : "");
      facts.textContent = [amount(model.size_bytes), model.licence, text(`models.fit_${model.fit}`)].join(" · ");
      facts.dataset.fit = model.fit;
      bar.hidden = !["downloading", "checking", "partial"].includes(model.state);
      bar.max = model.total_bytes || 1;
      bar.value = model.done_bytes;
      bar.setAttribute("aria-label", text("models.bar", { title: model.title }));
      showText(how, progressWords(model));
      error.lang = languageOfServer();
      showText(error, [model.error, model.hint].filter(Boolean).join(" "));
      begin.textContent = beginWord(model);
      begin.setAttribute("aria-label", `${begin.textContent}: ${model.title}`);
      begin.classList.toggle("primary", model.recommended);
      begin.hidden = busy || model.state === "in_use";
      cancel.textContent = text("models.cancel");
      cancel.setAttribute("aria-label", `${cancel.textContent}: ${model.title}`);
      cancel.hidden = !busy;
    },
  };
}

/** Mounts the panel. */
export function mountModels() {
  const models = new Map();
  const rows = new Map();
  let machine = null;
  let configDecides = false;
  let brain = "";

  function machineWords() {
    if (!machine) return "";
    const ram = machine.ram_bytes ? memory(machine.ram_bytes) : "?";
    const card = machine.card ? `, ${machine.card}${machine.card_bytes ? ` (${memory(machine.card_bytes)})` : ""}` : "";
    return text("models.machine", { ram, card, free: amount(machine.free_bytes) });
  }

  /** Shows the recommended model openly while no real one thinks; the others are a click away. */
  function place() {
    const all = [...models.values()];
    const best = all.filter((model) => model.recommended && NOT_REAL.includes(brain));
    const others = all.filter((model) => !best.includes(model));
    byId("models-best").replaceChildren(...best.map(({ name }) => rows.get(name).row));
    byId("models-rows").replaceChildren(...others.map(({ name }) => rows.get(name).row));
    byId("models-more").open ||= others.some(({ state }) => BUSY.includes(state));
  }

  function draw() {
    const used = [...models.values()].find((model) => model.state === "in_use");
    const real = !NOT_REAL.includes(brain);
    byId("models-now").textContent = text("models.now", { brain: real && used ? used.title : textOr("engine", brain) });
    byId("models-why").hidden = brain !== "demo";
    byId("models-config").hidden = !configDecides;
    byId("models-machine").textContent = machineWords();
    for (const [name, model] of models) rows.get(name).update(model);
  }

  onLanguage(draw);
  return {
    /** Asks the server what there is; `serving` is who thinks now. */
    async restore(serving) {
      brain = serving;
      const shelf = await send("GET", "/api/models");
      if (!shelf) return;
      machine = shelf.machine;
      configDecides = shelf.config_decides;
      for (const model of shelf.models) {
        models.set(model.name, model);
        if (!rows.has(model.name)) rows.set(model.name, buildRow(model.name));
      }
      place();
      draw();
    },
    /** Takes a live `model` message. */
    update({ type, ...state }) {
      const before = models.get(state.name);
      if (!before) return;
      const now = { ...before, ...state };
      models.set(state.name, now);
      if (now.state === "in_use") {
        for (const other of models.values()) if (other !== now && other.state === "in_use") models.set(other.name, { ...other, state: "ready" });
      }
      if (now.state !== before.state && now.state === "in_use") announce(text("models.now", { brain: now.title }));
      draw();
    },
    /** Takes a live `health` message: another brain may serve now. */
    serving({ part, serving }) {
      if (part !== "brain") return;
      brain = serving;
      draw();
    },
  };
}
