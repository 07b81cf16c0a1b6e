/** Where her sound goes and, when she is silent, why; with the button that brings it to this page. */

import { byId, showText } from "./dom.js";
import { languageOfServer, onLanguage, text } from "./language.js";

/** Mounts the line. Without a stage view (`attach`) it offers no button. */
export function mountSound() {
  const button = byId("sound-here");
  let sound = { output: "none", why: "" };
  let view = { sounding: false, canSound: false };
  let stage = null;

  function place() {
    if (sound.output !== "browser") return text(`sound.${sound.output}`);
    return text(view.sounding ? "sound.here" : "sound.browser");
  }

  /** Whether a click could bring her sound here: it is in another page, or nowhere because no page may play yet. */
  function helps() {
    if (sound.output === "browser") return !view.sounding || !view.canSound;
    return sound.output === "none" && !view.canSound;
  }

  function draw() {
    byId("sound-place").textContent = place();
    byId("sound-line").dataset.output = sound.output;
    byId("sound-why").lang = languageOfServer();
    showText(byId("sound-why"), sound.why);
    button.textContent = text(view.canSound ? "sound.take" : "sound.wake");
    button.hidden = !stage || !helps();
  }

  button.addEventListener("click", () => stage.takeSound());
  onLanguage(draw);
  return {
    /** Takes the server's `{output, why}`. */
    show(next) {
      sound = next;
      draw();
    },
    /** Takes a live `health` message: the sound may have moved. */
    serving({ part, serving, reason }) {
      if (part !== "sound") return;
      sound = { output: serving, why: reason };
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
