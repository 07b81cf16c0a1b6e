/**
 * Plays one reply at a time on the audio thread and counts the samples that it really rendered.
 *
 * In:  {do: "begin", serial}, {do: "write", bytes} (8-byte header, int16 mono), {do: "cut"} (fade, then silence)
 * Out: {is: "clock", serial, position, time, running}: `position` is reached at context time `time`, and grows from
 *      there if `running`; {is: "stopped", serial, position} after a cut.
 *
 * The position starts at the first sample that arrives, so that a page may join in the middle of a reply. A hole in
 * the numbering is played as silence; having nothing to play stops the position until more comes.
 */

const HELD_S = 30;
const FADE_S = 0.004;
const HEADER_BYTES = 8;
const BLOCKS_PER_REPORT = 8; // 21 ms at 48 kHz
const REPORTS_AFTER_LAST = 50; // the device still plays what was rendered: up to a second through Bluetooth

class ReplyPlayer extends AudioWorkletProcessor {
  ring = new Int16Array(HELD_S * sampleRate);
  serial = -1;
  read = 0;
  end = 0;
  empty = true;
  fade = -1;
  running = false;
  last = 0;
  blocks = 0;
  reportsLeft = 0;

  constructor() {
    super();
    this.fadeStep = 1 / (FADE_S * sampleRate);
    this.port.onmessage = ({ data }) => {
      if (data.do === "begin") this.begin(data.serial);
      else if (data.do === "write") this.write(data.bytes);
      else if (data.do === "cut") this.cut();
    };
  }

  begin(serial) {
    this.serial = serial;
    this.read = this.end = 0;
    this.empty = true;
    this.running = false;
    this.fade = -1;
    this.reportsLeft = 0;
  }

  write(bytes) {
    const header = new DataView(bytes);
    if (header.getUint32(0, true) !== this.serial || this.fade >= 0) return;
    const first = header.getUint32(4, true);
    const samples = new Int16Array(bytes, HEADER_BYTES, (bytes.byteLength - HEADER_BYTES) >> 1);
    if (this.empty) {
      this.read = this.end = first;
      this.empty = false;
    }
    const size = this.ring.length;
    const stop = Math.min(first + samples.length, this.read + size);
    while (this.end < Math.min(first, stop)) this.ring[this.end++ % size] = 0;
    while (this.end < stop) {
      this.ring[this.end % size] = samples[this.end - first];
      this.end++;
    }
  }

  cut() {
    if (this.running) this.fade = 1;
    else this.stopped();
  }

  stopped() {
    this.port.postMessage({ is: "stopped", serial: this.serial, position: this.read });
    this.begin(-1);
  }

  report(time, running) {
    this.running = running;
    this.blocks = 0;
    this.reportsLeft = running ? REPORTS_AFTER_LAST : this.reportsLeft - 1;
    this.port.postMessage({ is: "clock", serial: this.serial, position: this.read, time, running });
  }

  process(_inputs, [[out]]) {
    const ready = Math.min(this.end - this.read, out.length);
    if (ready > 0 && !this.running) this.report(currentTime, true);
    else if (this.reportsLeft > 0 && ++this.blocks >= BLOCKS_PER_REPORT) this.report(currentTime, this.running);

    for (let i = 0; i < ready && this.fade !== 0; i++) {
      out[i] = this.ring[this.read++ % this.ring.length] / 32768;
      if (this.fade > 0) out[i] *= this.fade = Math.max(this.fade - this.fadeStep, 0);
      this.last = out[i];
    }
    if (this.fade === 0 || (this.fade > 0 && ready < out.length)) {
      this.last = 0;
      this.stopped();
    } else if (ready < out.length) {
      // Running dry must not click: the last value leans out to zero.
      for (let i = ready; i < out.length; i++) out[i] = this.last *= 0.97;
      if (this.running) this.report(currentTime + ready / sampleRate, false);
    }
    return true;
  }
}

registerProcessor("reply-player", ReplyPlayer);
