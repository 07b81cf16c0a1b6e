/** The top line: who she is, what she is doing, which brain and voice serve her, and whether the page is connected. */

import { announce, byId, el } from "./dom.js";
import { languageOfServer, onLanguage, text, textOr } from "./language.js";

/** Mounts the line. */
export function mountHeader() {
  let about = { name: "Aneeka", version: "", brain: "", voice: "" };
  let doing = { doing: "idle", muted: false, paused: false };
  let connection = "first";

  function draw() {
    const held = doing.paused ? "paused" : doing.muted ? "muted" : "idle";
    const word = doing.doing === "idle" ? held : doing.doing;
    byId("her-name").textContent = about.name;
    byId("doing").dataset.doing = connection === "open" ? word : "unknown";
    byId("doing-word").textContent = text(connection === "open" ? `doing.${word}` : "doing.unknown");
    byId("engines").replaceChildren(...["brain", "voice"].filter((name) => about[name]).map(drawEngine));
    byId("version").textContent = about.version;
    byId("connection").hidden = connection !== "lost";
    document.title = `${about.name} · ${text("page.title")}`;
  }

  function drawEngine(name) {
    const known = textOr("engine", about[name]);
    return el("span", { "data-engine": name }, el("b", {}, text(`engine_of.${name}`)), " ", el("span", { lang: languageOfServer() }, known));
  }

  onLanguage(draw);
  return {
    /** Takes `GET /api/state`. */
    restore(state) {
      const { name, version, brain, voice } = state;
      about = { name, version, brain, voice };
      doing = state;
      draw();
    },
    /** Takes a live `state` message. */
    show(state) {
      doing = state;
      draw();
    },
    /** Takes a live `health` message: another engine may serve now. */
    serving({ part, serving }) {
      if (!(part in about)) return;
      about = { ...about, [part]: serving };
      draw();
    },
    /** Takes `open` or `lost`. */
    connected(status) {
      if (connection === status) return;
      if (connection !== "first" || status === "lost") announce(text(`connection.${status}`));
      connection = status;
      draw();
    },
  };
}
