/** Requests to the studio's server. Its errors become notices; a lost login becomes the `locked` event. */

import { text } from "./language.js";
import { toast } from "./toasts.js";

/** Fires `locked` when the server does not know this browser (401). */
export const login = new EventTarget();

/** Sends a request and returns the answer; on failure shows why and returns null. */
export async function request(method, path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      credentials: "same-origin",
      headers: { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    toast("error", text("error.unreachable"), text("error.unreachable_hint"));
    return null;
  }
  if (answer.ok) return answer;
  const content = await answer.json().catch(() => ({}));
  if (answer.status === 401) login.dispatchEvent(new Event("locked"));
  else toast("error", content.error || text("error.status", { status: answer.status }), content.hint);
  return null;
}

/** Sends a request and returns the answer's JSON (`{}` without a body); on failure shows why and returns null. */
export async function send(method, path, body) {
  const answer = await request(method, path, body);
  return answer && answer.json().catch(() => ({}));
}

/** Asks whether the server is there and knows us: `open`, `locked` or `away`. Shows nothing. */
export async function probe() {
  try {
    const answer = await fetch("/api/state", { credentials: "same-origin", cache: "no-store" });
    return answer.status === 401 ? "locked" : "open";
  } catch {
    return "away";
  }
}
