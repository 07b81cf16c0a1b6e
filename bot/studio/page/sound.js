/** Where her sound goes and, when she is silent, why; with the button that brings it to this page. */

import { byId, showText } from "./dom.js";
import { languageOfServer, onLanguage, text } from "./language.js";

/** Mounts the line. `stage` is the mounted stage view, or null when the page could not show her. */
export function mountSound() {
  const button = byId("sound-here");
  let sound = { output: "none", why: "" };
  let view = { sounding: false, canSound: false };
  let stage = null;

  function place() {
    if (sound.output !== "browser") return text(`sound.${sound.output}`);
    return text(view.sounding ? "sound.here" : "sound.browser");
  }

  function draw() {
    byId("sound-place").textContent = place();
    byId("sound-line").dataset.output = sound.output;
    byId("sound-why").lang = languageOfServer();
    showText(byId("sound-why"), sound.why);
    const asleep = view.sounding && !view.canSound;
    button.textContent = text(asleep ? "sound.wake" : "sound.take");
    button.hidden = !stage || sound.output !== "browser" || (view.sounding && view.canSound);
  }

  button.addEventListener("click", () => stage.takeSound());
  onLanguage(draw);
  return {
    /** Takes the server's `{output, why}`. */
    show(next) {
      sound = next;
      draw();
    },
    /** Takes the stage view's snapshot. */
    showView(snapshot) {
      view = snapshot;
      draw();
    },
    attach(mounted) {
      stage = mounted;
      draw();
    },
  };
}
