/** The live connection: everything that happens, one JSON message at a time. It comes back for ever, 0.25 s to 2 s apart. */

import { login, probe } from "./api.js";

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 2_000;

/** Connects; `onMessage(message)` for each message, `onStatus("open" | "lost")` at each change. */
export function connectLive({ onMessage, onStatus }) {
  let wait = FIRST_WAIT_MS;

  function open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/api/live`);
    socket.addEventListener("message", (event) => {
      const message = JSON.parse(event.data);
      if (message.type === "hello") {
        wait = FIRST_WAIT_MS;
        onStatus("open");
      }
      onMessage(message);
    });
    socket.addEventListener("close", lost);
  }

  async function lost() {
    onStatus("lost");
    // A refused socket does not say why; the same question over HTTP does.
    if ((await probe()) === "locked") {
      login.dispatchEvent(new Event("locked"));
      return;
    }
    setTimeout(open, wait);
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }

  open();
}
