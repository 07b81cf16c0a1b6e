/** The box to type as a viewer: a remembered name, quick names, and several viewers at once. */

import { send } from "./api.js";
import { byId, el } from "./dom.js";
import { onLanguage, text } from "./language.js";
import { keep, recall } from "./store.js";

const NAMES = ["Ana", "Bruno", "Carla", "Dani", "Elena"];

/** Mounts the box. */
export function mountChatBox() {
  const form = byId("viewer-form");
  const name = byId("viewer-name");
  const words = byId("viewer-text");
  const chips = byId("viewer-names");
  let names = recall("viewer_names", NAMES);

  name.value = recall("viewer", names[0]);

  function drawChips() {
    chips.replaceChildren(
      ...names.map((each) => el("button", { type: "button", class: "chip", "data-name": each, "aria-pressed": String(each === name.value) }, each)),
    );
  }

  function choose(chosen) {
    name.value = chosen;
    keep("viewer", chosen);
    drawChips();
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const user = name.value.trim();
    const said = words.value.trim();
    if (!user || !said) return (user ? words : name).focus();
    words.value = "";
    if (!names.includes(user)) {
      names = [user, ...names].slice(0, NAMES.length);
      keep("viewer_names", names);
    }
    choose(user);
    const taken = await send("POST", "/api/chat", { user, text: said });
    if (!taken && !words.value) words.value = said;
  });
  name.addEventListener("change", () => choose(name.value.trim()));
  chips.addEventListener("click", (event) => {
    const chip = event.target.closest("[data-name]");
    if (!chip) return;
    choose(chip.dataset.name);
    words.focus();
  });
  byId("viewer-several").addEventListener("click", async () => {
    for (const [index, user] of NAMES.entries()) {
      if (!(await send("POST", "/api/chat", { user, text: text(`demo.${index + 1}`) }))) break;
    }
  });

  onLanguage(drawChips);
  drawChips();
}
