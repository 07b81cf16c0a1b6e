/**
 * Listens for one turn: begins when called, ends by itself when the speaker has been silent for a while.
 * The level that counts as speech follows the room, so that a fan is no question.
 */

const RATE_HZ = 16_000;
const BLOCK_S = 512 / RATE_HZ;
/** A pause that ends a turn, and how long it may last in all. */
const PAUSE_S = 0.9;
const LONGEST_S = 55;
/** So long somebody may think before the first word. */
const PATIENCE_S = 8;
const BEFORE_S = 0.4;
const LOUDER_DB = 12;
const FAINTEST_DB = -50;
const FLOOR_RISES_DB = 0.05;
const BEGINS = 3;
export const REFUSALS = { NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "missing", OverconstrainedError: "missing" };

/**
 * Records until the speaker has finished. `onLevel(0..1)` follows the voice, `signal` gives up, `finish()` of the returned
 * object ends the turn now. `done` resolves to a WAV file, or to null when nobody spoke; it rejects with the browser's error.
 */
export function listen(context, { onLevel, signal }) {
  let end = () => {};
  const done = record(context, onLevel, signal, (how) => (end = how));
  return { done, finish: () => end() };
}

async function record(context, onLevel, signal, onEnd) {
  if (!navigator.mediaDevices) throw new DOMException("", "InsecureError");
  const wishes = { echoCancellation: true, noiseSuppression: false, autoGainControl: false };
  const stream = await navigator.mediaDevices.getUserMedia({ audio: wishes });
  const source = context.createMediaStreamSource(stream);
  const node = new AudioWorkletNode(context, "microphone");
  try {
    source.connect(node).connect(context.destination);
    return await new Promise((resolve, reject) => {
      const turn = new Turn();
      const finish = () => resolve(turn.sound());
      onEnd(finish);
      signal.addEventListener("abort", () => reject(signal.reason));
      if (signal.aborted) reject(signal.reason);
      stream.getAudioTracks()[0].addEventListener("ended", finish);
      node.port.onmessage = ({ data }) => {
        turn.add(new Int16Array(data));
        onLevel(turn.level());
        if (turn.isOver()) finish();
      };
    });
  } finally {
    node.port.onmessage = null;
    stream.getTracks().forEach((track) => track.stop());
    source.disconnect();
    node.disconnect();
    onLevel(0);
  }
}

/** One turn as it is heard, block by block of 512 samples. */
export class Turn {
  blocks = [];
  floor = -50;
  db = -100;
  began = -1;
  loudSince = 0;
  lastLoud = -1;

  add(block) {
    let power = 0;
    for (const sample of block) power += (sample / 32768) ** 2;
    this.db = 10 * Math.log10(power / block.length + 1e-10);
    this.floor = Math.min(this.floor + FLOOR_RISES_DB, Math.max(this.db, -80));
    const loud = this.db > Math.max(FAINTEST_DB, this.floor + LOUDER_DB);
    this.loudSince = loud ? this.loudSince + 1 : 0;
    if (this.began < 0 && this.loudSince >= BEGINS) this.began = this.blocks.length - BEGINS;
    if (loud && this.began >= 0) this.lastLoud = this.blocks.length;
    this.blocks.push(block);
  }

  level() {
    return Math.max(0, Math.min(1, (this.db - FAINTEST_DB) / -FAINTEST_DB));
  }

  isOver() {
    const count = this.blocks.length;
    if (this.began < 0) return count * BLOCK_S > PATIENCE_S;
    return (count - this.lastLoud) * BLOCK_S > PAUSE_S || count * BLOCK_S > LONGEST_S;
  }

  sound() {
    if (this.began < 0) return null;
    const first = Math.max(0, this.began - Math.round(BEFORE_S / BLOCK_S));
    return wav(this.blocks.slice(first));
  }
}

function wav(blocks) {
  const bytes = blocks.reduce((sum, block) => sum + block.byteLength, 0);
  const head = new DataView(new ArrayBuffer(44));
  const put = (at, letters) => [...letters].forEach((letter, i) => head.setUint8(at + i, letter.charCodeAt(0)));
  put(0, "RIFF");
  head.setUint32(4, 36 + bytes, true);
  put(8, "WAVEfmt ");
  [16, 0x10001, RATE_HZ, RATE_HZ * 2, 0x100002].forEach((value, i) => head.setUint32(16 + 4 * i, value, true));
  put(36, "data");
  head.setUint32(40, bytes, true);
  return new Blob([head, ...blocks], { type: "audio/wav" });
}
