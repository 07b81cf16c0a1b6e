/**
 * Aneeka herself: avatar, sound and captions in one element. The OBS page and the studio both mount this very view.
 *
 *   import { mountStage } from "/static/page/stage-view.js";
 *   const stage = mountStage(element, { kind: "studio", token: location.search, captions: true, onState });
 *
 * Options
 *   kind      "stage" (OBS) or "studio"
 *   token     query string handed on to the WebSocket ("?token=…"), "" where a cookie does it
 *   captions  show what she says, word by word
 *   onState   called with a fresh snapshot whenever one of these changes:
 *             { connected, canSound, sounding, state, muted, paused, name, language }
 *               canSound  the browser lets this page play sound (false until the first click or key, see resumeSound)
 *               sounding  this page is the one that plays her sound
 *               state     "idle" | "listening" | "thinking" | "speaking" | "muted" | "paused"
 * Result
 *   takeSound()    ask the server to sound here; call it from a click, it resumes the sound as well
 *   resumeSound()  let the browser play; call it from a click or key; resolves to canSound
 *   snapshot()     what onState gets
 *   close()        leave: link, sound and picture are gone
 *
 * The element needs a size of its own; the view fills it, with a transparent background. The view brings its own style
 * sheet, and shows its own "click to hear her" hint. Tests read `window.aneeka`.
 */
export function mountStage(container, { kind, token, captions, onState }) {
  throw new Error("not written yet");
}
