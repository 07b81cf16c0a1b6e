/** Short notices in the corner: what went wrong and what to do, or that something was done. */

import { byId, el } from "./dom.js";
import { text } from "./language.js";

const SHOWN = 4;
const STAYS_MS = { error: 12_000, done: 4_000 };

/** Shows a notice; `kind` is `error` or `done`. It stays while the pointer or the focus is on it. */
export function toast(kind, sentence, hint = "") {
  const container = byId("toasts");
  const close = el("button", { type: "button", class: "quiet", "aria-label": text("toast.close") }, "✕");
  const body = el("div", {}, el("p", {}, sentence), hint ? el("p", { class: "hint" }, hint) : null);
  const notice = el("div", { class: "toast", "data-kind": kind }, el("span", { "aria-hidden": "true" }, kind === "error" ? "!" : "✓"), body, close);
  const leave = () => {
    if (notice.matches(":hover, :focus-within")) setTimeout(leave, 1_000);
    else notice.remove();
  };
  close.addEventListener("click", () => notice.remove());
  container.append(notice);
  while (container.children.length > SHOWN) container.firstElementChild.remove();
  setTimeout(leave, STAYS_MS[kind]);
}
