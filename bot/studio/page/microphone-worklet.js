/** In the audio thread: turns what the microphone gives, at any rate, into blocks of 512 samples of 16 bits at 16 kHz. */

const RATE_HZ = 16_000;
const BLOCK = 512;
const ZERO_CROSSINGS = 12;
const PHASES = 256;
/** Where the low pass begins, as a part of half our rate: beyond it what would fold back into speech is taken away. */
const PASS = 0.92;

class MicrophoneProcessor extends AudioWorkletProcessor {
  constructor() {
    super();
    this.step = sampleRate / RATE_HZ;
    const cutoff = PASS * Math.min(1, 1 / this.step);
    this.reach = Math.ceil(ZERO_CROSSINGS / cutoff);
    this.kernel = Float32Array.from({ length: this.reach * PHASES + 1 }, (_, i) => {
      const x = i / PHASES;
      const sinc = i === 0 ? 1 : Math.sin(Math.PI * cutoff * x) / (Math.PI * cutoff * x);
      return cutoff * sinc * Math.cos((Math.PI / 2) * (x / this.reach)) ** 2;
    });
    this.held = new Float32Array(2 * this.reach + 4096);
    this.count = this.reach;
    this.at = this.reach;
    this.block = new Int16Array(BLOCK);
    this.filled = 0;
  }

  process([channels]) {
    if (channels.length === 0) return true;
    const length = channels[0].length;
    for (let i = 0; i < length; i += 1) {
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      this.held[this.count + i] = sum / channels.length;
    }
    this.count += length;
    for (; this.at + this.reach < this.count; this.at += this.step) this.put(this.sampleAt(this.at));
    const done = Math.floor(this.at) - this.reach;
    this.held.copyWithin(0, done, this.count);
    this.count -= done;
    this.at -= done;
    return true;
  }

  sampleAt(at) {
    const first = Math.ceil(at - this.reach);
    const last = Math.floor(at + this.reach);
    let sum = 0;
    for (let i = first; i <= last; i += 1) sum += this.held[i] * this.kernel[Math.round(Math.abs(at - i) * PHASES)];
    return sum;
  }

  put(sample) {
    this.block[this.filled] = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
    this.filled += 1;
    if (this.filled < BLOCK) return;
    this.port.postMessage(this.block.buffer, [this.block.buffer]);
    this.block = new Int16Array(BLOCK);
    this.filled = 0;
  }
}

registerProcessor("microphone", MicrophoneProcessor);
