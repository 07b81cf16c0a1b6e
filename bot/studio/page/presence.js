/** Tells the server that the operator is there, when she falls silent without them: at most every few seconds. */

const TELL_EVERY_MS = 10_000;
const SIGNS = ["pointerdown", "pointermove", "keydown", "wheel"];

/** Mounts it; `watch(minutes)` takes `safety.away_minutes`, 0 when nobody asks. */
export function mountPresence() {
  let minutes = 0;
  let toldAt = -Infinity;

  function tell() {
    const now = performance.now();
    if (minutes === 0 || now - toldAt < TELL_EVERY_MS) return;
    toldAt = now;
    fetch("/api/present", { method: "POST", credentials: "same-origin" }).catch(() => (toldAt = -Infinity));
  }

  for (const sign of SIGNS) document.addEventListener(sign, tell, { passive: true });
  return {
    watch(next) {
      minutes = next;
    },
  };
}
