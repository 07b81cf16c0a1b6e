/** The addresses for OBS. Their token is copied, never shown: this page may be on stream itself. */

import { byId, el } from "./dom.js";
import { onLanguage, text } from "./language.js";
import { toast } from "./toasts.js";

const HIDDEN = "••••••••";

async function copy(address) {
  try {
    await navigator.clipboard.writeText(address);
  } catch {
    // Browsers offer the clipboard on secure pages only; plain http in the local network still has the old command.
    const field = el("textarea", { class: "sr-only" });
    field.value = address;
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    if (!copied) return toast("error", text("obs.not_copied"), text("obs.not_copied_hint"));
  }
  toast("done", text("obs.copied"), text("obs.copied_hint"));
}

/** Mounts the list; `show(obs)` takes `{stage, captions}`. */
export function mountAddresses() {
  let obs = {};

  function drawAddress([name, address]) {
    const url = new URL(address, location.href);
    const shown = `${url.host}${url.pathname}${url.searchParams.has("token") ? `?token=${HIDDEN}` : ""}`;
    const button = el("button", { type: "button", id: `obs-copy-${name}` }, text("obs.copy"));
    button.setAttribute("aria-label", text("obs.copy_of", { name: text(`obs.${name}`) }));
    button.addEventListener("click", () => copy(url.href));
    return el("li", {}, el("div", {}, el("strong", {}, text(`obs.${name}`)), el("code", {}, shown)), button);
  }

  function draw() {
    byId("obs-rows").replaceChildren(...Object.entries(obs).map(drawAddress));
  }

  onLanguage(draw);
  return {
    show(next) {
      obs = next ?? {};
      draw();
    },
  };
}
