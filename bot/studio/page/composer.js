/** The operator's two boxes: talk to her, and make her say exactly this. */

import { send } from "./api.js";
import { byId } from "./dom.js";

/** Mounts both boxes. What could not be sent stays in its box. */
export function mountComposer() {
  mount("operator-form", "operator-text", "/api/operator");
  mount("say-form", "say-text", "/api/say");
}

function mount(formId, inputId, path) {
  const input = byId(inputId);
  byId(formId).addEventListener("submit", async (event) => {
    event.preventDefault();
    const said = input.value.trim();
    input.focus();
    if (!said) return;
    input.value = "";
    const taken = await send("POST", path, { text: said });
    if (!taken && !input.value) input.value = said;
  });
}
