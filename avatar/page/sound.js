/**
 * Her voice in this page: one AudioContext, one worklet that plays the current reply, one meter.
 *
 * The worklet counts what it rendered; this side knows how late the device is, and so says what is audible now.
 */

import { TimeMap } from "./clock.js";

const HEADER_BYTES = 8; // serial and first sample, 32 bits each
const TELL_EVERY_MS = 40;
const KEPT_ANCHORS = 100; // two seconds of reports: more than any device's latency
const LONGEST_GUESS_S = 0.06;

export class Sound {
  #context;
  #player = null;
  #meter;
  #levels = new Float32Array(1024);
  #map = new TimeMap();
  #anchors = [];
  #serial = -1;
  #written = 0;
  #told = -1;
  #toldAt = -Infinity;
  #hushed = false;

  /**
   * @param {number} rateHz
   * @param {{change: () => void, played: (serial: number, samples: number, atMs: number) => void,
   *          stopped: (serial: number, samples: number) => void}} on
   */
  constructor(rateHz, on) {
    this.on = on;
    this.rateHz = rateHz;
    this.#context = new AudioContext({ sampleRate: rateHz, latencyHint: "interactive" });
    this.#context.onstatechange = () => {
      this.#map.reset();
      on.change();
    };
    this.#meter = this.#context.createAnalyser();
    this.#meter.fftSize = this.#levels.length;
    this.#meter.connect(this.#context.destination);
    this.#load();
  }

  async #load() {
    // Browsers offer worklets only to pages from this machine or over https.
    if (!this.#context.audioWorklet) return;
    await this.#context.audioWorklet.addModule(new URL("./sound-worklet.js", import.meta.url));
    this.#player = new AudioWorkletNode(this.#context, "reply-player", { numberOfInputs: 0, outputChannelCount: [1] });
    this.#player.port.onmessage = ({ data }) => this.#hear(data);
    this.#player.connect(this.#meter);
    if (this.#serial >= 0) this.begin(this.#serial); // a reply that was under way before the player was loaded
    this.on.change();
  }

  get canSound() {
    return this.#player !== null && this.#context.state === "running";
  }

  async resume() {
    await this.#context.resume();
    return this.canSound;
  }

  begin(serial) {
    this.#serial = serial;
    this.#written = 0;
    this.#anchors = [];
    this.#told = -1;
    this.#player?.port.postMessage({ do: "begin", serial });
  }

  /** @param {ArrayBuffer} bytes a message of the server, given away */
  write(bytes) {
    const header = new DataView(bytes);
    const end = header.getUint32(4, true) + ((bytes.byteLength - HEADER_BYTES) >> 1);
    if (this.#hushed) return;
    if (header.getUint32(0, true) === this.#serial) this.#written = Math.max(this.#written, end);
    this.#player?.port.postMessage({ do: "write", bytes }, [bytes]);
  }

  cut() {
    this.#player?.port.postMessage({ do: "cut" });
  }

  /** Falls silent and stays so, whatever is written, until it is lifted. */
  hush(hushed) {
    this.#hushed = hushed;
    if (hushed) this.cut();
  }

  /** Samples of the current reply that are audible at `nowMs`; 0 before the first. Never more than were written. */
  position(nowMs) {
    const anchors = this.#anchors;
    if (anchors.length === 0) return 0;
    const latency = this.#context.outputLatency || this.#context.baseLatency || 0;
    const newest = anchors.at(-1);
    const time = Math.min(this.#map.toTheirs(nowMs) / 1000 - latency, newest.time + LONGEST_GUESS_S);
    const i = anchors.findLastIndex((anchor) => anchor.time <= time);
    if (i < 0) return 0;
    const { position, time: from, running } = anchors[i];
    const guess = running ? position + (time - from) * this.rateHz : position;
    return Math.floor(Math.min(guess, anchors[i + 1]?.position ?? guess, this.#written));
  }

  /** Root mean square of what the page's sound graph puts out right now, 0..1. */
  get rms() {
    this.#meter.getFloatTimeDomainData(this.#levels);
    let sum = 0;
    for (const level of this.#levels) sum += level * level;
    return Math.sqrt(sum / this.#levels.length);
  }

  close() {
    this.#context.onstatechange = null;
    this.#context.close();
  }

  #hear(report) {
    if (report.is === "stopped") {
      this.on.stopped(report.serial, report.position);
      return;
    }
    const now = performance.now();
    this.#map.tell(report.time * 1000, now);
    if (report.serial !== this.#serial) return;
    if (this.#anchors.push(report) > KEPT_ANCHORS) this.#anchors.shift();
    if (this.#anchors.length === 1) this.#tellAtFirstSample(now);
    else this.#tell(now);
  }

  #tellAtFirstSample(now) {
    const latencyMs = 1000 * (this.#context.outputLatency || this.#context.baseLatency || 0);
    setTimeout(() => this.#tell(performance.now()), Math.max(latencyMs - (now - this.#anchors[0].time * 1000 - this.#map.offset), 0));
  }

  #tell(now) {
    const samples = this.position(now);
    const settled = !this.#anchors.at(-1)?.running && samples === this.#anchors.at(-1)?.position;
    if (samples <= this.#told || samples === 0) return;
    if (this.#told >= 0 && !settled && now - this.#toldAt < TELL_EVERY_MS - 2) return;
    this.#told = samples;
    this.#toldAt = now;
    this.on.played(this.#serial, samples, now);
  }
}
