/** Captions alone, for an OBS scene of its own. */

import { CaptionsView } from "./captions-view.js";
import { Link } from "./link.js";
import { Playback } from "./playback.js";

const token = new URLSearchParams(location.search).get("token");
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
  const link = new Link(token ? `?token=${encodeURIComponent(token)}` : "", {
    open: () => link.send({ type: "ready", kind: "captions", can_sound: false }),
    message: (message) => playback.take(message, performance.now()),
    sound: () => {},
    close: () => playback.begin({ serial: -1 }),
  });
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
