/** Captions alone, for an OBS scene of its own. */

import { CaptionsView } from "./captions-view.js";
import { GuardLink } from "./guard-link.js";
import { Link } from "./link.js";
import { Playback } from "./playback.js";

const given = new URLSearchParams(location.search).get("token");
const token = given ? `?token=${encodeURIComponent(given)}` : "";
const root = document.createElement("div");
root.className = "aneeka-view";
const style = document.createElement("link");
style.rel = "stylesheet";
style.href = "/static/page/stage-view.css";
style.onload = start;
document.head.append(style);
document.body.append(root);

function start() {
  const captions = new CaptionsView(root, false);
  const playback = new Playback();
  const guard = new GuardLink(token, (silenced) => {
    if (silenced) playback.take({ type: "cut", serial: playback.serial }, performance.now());
  });
  const link = new Link(token, {
    open: () => link.send({ type: "ready", kind: "captions", can_sound: false }),
    message: (message) => take(message),
    sound: () => {},
    close: () => playback.begin({ serial: -1 }),
  });
  function take(message) {
    if (message.type === "hello") guard.heed(message.guard);
    else if (message.type === "guard") guard.heed(message);
    else playback.take(message, performance.now());
  }

  window.aneeka = { caption: "", connected: false };
  const draw = () => {
    const now = performance.now();
    playback.advance(now, null);
    captions.draw(playback, now);
    Object.assign(window.aneeka, { caption: playback.text, connected: link.connected });
    requestAnimationFrame(draw);
  };
  requestAnimationFrame(draw);
}
