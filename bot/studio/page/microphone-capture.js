/**
 * This browser's microphone, with echo cancellation, on its way to the server: binary messages of 512 samples of 16 bits
 * at 16 kHz. It comes back by itself when the connection or the device does.
 */

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 2_000;
/** What may wait for a slow connection: one second. Sound that is later than that is of no use. */
const LATE_BYTES = 32_000;
const TAKEN_OVER = 4001;
/** Why a browser gives no sound, by the name of its error. */
const REFUSALS = { NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "missing", OverconstrainedError: "missing" };

/**
 * Returns `{start(deviceId), stop()}`. `onStatus` takes `idle`, `asking`, `open`, `blocked` (the page wants a click first),
 * `denied`, `missing`, `busy`, `insecure`, `lost` (unplugged) or `taken` (another page is the microphone now).
 */
export function mountCapture(onStatus) {
  let wanted = null;
  let parts = null;
  let socket = null;
  let wait = FIRST_WAIT_MS;

  async function start(deviceId) {
    stop("asking");
    const mine = (wanted = {});
    if (!navigator.mediaDevices) return stop("insecure");
    try {
      const made = await record(deviceId);
      if (wanted !== mine) return release(made);
      parts = made;
    } catch (error) {
      if (wanted === mine) stop(REFUSALS[error.name] ?? "busy");
      return;
    }
    const { track, context, node } = parts;
    track.addEventListener("ended", () => wanted === mine && stop("lost"));
    context.addEventListener("statechange", () => wanted === mine && tell());
    node.port.onmessage = ({ data }) => {
      if (socket?.readyState === WebSocket.OPEN && socket.bufferedAmount < LATE_BYTES) socket.send(data);
    };
    connect(mine);
    tell();
  }

  async function record(deviceId) {
    const wishes = { deviceId: deviceId || undefined, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    const stream = await navigator.mediaDevices.getUserMedia({ audio: wishes });
    const track = stream.getAudioTracks()[0];
    const context = new AudioContext({ latencyHint: "interactive" });
    try {
      await context.audioWorklet.addModule("/static/studio/microphone-worklet.js");
    } catch (error) {
      release({ track, context });
      throw error;
    }
    const node = new AudioWorkletNode(context, "microphone");
    // Its output is silence, and must lead somewhere, or a browser need not run it.
    context.createMediaStreamSource(stream).connect(node).connect(context.destination);
    return { track, context, node };
  }

  function connect(mine) {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    socket = new WebSocket(`${scheme}://${location.host}/api/microphone`);
    socket.addEventListener("open", () => {
      wait = FIRST_WAIT_MS;
      socket.send(JSON.stringify({ label: parts.track.label }));
    });
    socket.addEventListener("close", ({ code }) => {
      if (wanted !== mine) return;
      if (code === TAKEN_OVER) return stop("taken");
      setTimeout(() => wanted === mine && connect(mine), wait);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    });
  }

  const tell = () => onStatus(parts.context.state === "running" ? "open" : "blocked");

  function release({ track, context }) {
    track.stop();
    context.close();
  }

  function stop(status = "idle") {
    wanted = null;
    if (parts) release(parts);
    parts = null;
    socket?.close();
    socket = null;
    onStatus(status);
  }

  for (const sign of ["pointerdown", "keydown"]) document.addEventListener(sign, () => parts?.context.resume());
  return { start, stop: () => stop() };
}
