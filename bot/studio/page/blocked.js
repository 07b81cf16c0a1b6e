/** The viewers whom the operator has blocked, with the way back. */

import { send } from "./api.js";
import { byId, el } from "./dom.js";
import { onLanguage, text } from "./language.js";

/** Mounts the list; `show(blocked)` takes the server's `[{user_id, name}]`. */
export function mountBlocked() {
  let viewers = [];

  function drawViewer({ user_id: userId, name }) {
    const button = el("button", { type: "button", "aria-label": text("viewers.unblock_of", { user: name }) }, text("viewers.unblock"));
    button.addEventListener("click", () => send("POST", "/api/viewers/unblock", { user_id: userId }));
    return el("li", {}, el("bdi", { class: "user" }, name), button);
  }

  function draw() {
    byId("viewers").hidden = viewers.length === 0;
    byId("blocked-rows").replaceChildren(...viewers.map(drawViewer));
  }

  onLanguage(draw);
  return {
    show(blocked) {
      viewers = blocked;
      draw();
    },
  };
}
