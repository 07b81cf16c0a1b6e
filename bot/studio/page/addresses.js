/** The addresses for OBS, and the key for a stream deck. Keys are copied, never shown: this page may be on stream itself. */

import { send } from "./api.js";
import { byId, el } from "./dom.js";
import { onLanguage, text } from "./language.js";
import { toast } from "./toasts.js";

const HIDDEN = "••••••••";

async function copy(words, what) {
  try {
    await navigator.clipboard.writeText(words);
  } catch {
    // Browsers offer the clipboard on secure pages only; plain http in the local network still has the old command.
    const field = el("textarea", { class: "sr-only" });
    field.value = words;
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    if (!copied) return toast("error", text("obs.not_copied"), text("obs.not_copied_hint"));
  }
  toast("done", text(`${what}.copied`), text(`${what}.copied_hint`));
}

async function copyKey() {
  const answer = await send("GET", "/api/deck-key");
  if (answer) await copy(answer.key, "deck");
}

/** Mounts the list; `show(obs)` takes `{stage, captions}`. */
export function mountAddresses() {
  let obs = {};

  function drawAddress([name, address]) {
    const url = new URL(address, location.href);
    const shown = `${url.host}${url.pathname}${url.searchParams.has("token") ? `?token=${HIDDEN}` : ""}`;
    const button = el("button", { type: "button", id: `obs-copy-${name}` }, text("obs.copy"));
    button.setAttribute("aria-label", text("obs.copy_of", { name: text(`obs.${name}`) }));
    button.addEventListener("click", () => copy(url.href, "obs"));
    return el("li", {}, el("div", {}, el("strong", {}, text(`obs.${name}`)), el("code", {}, shown)), button);
  }

  function draw() {
    byId("obs-rows").replaceChildren(...Object.entries(obs).map(drawAddress));
  }

  onLanguage(draw);
  byId("deck-copy").addEventListener("click", copyKey);
  return {
    show(next) {
      obs = next ?? {};
      draw();
    },
  };
}
