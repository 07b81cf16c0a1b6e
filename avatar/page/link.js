/** The WebSocket to the server: JSON both ways, sound as bytes; it comes back by itself, for ever. */

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 2000;

export class Link {
  /**
   * @param {string} token query string of this page, handed on as it is
   * @param {{open: () => void, message: (m: object) => void, sound: (b: ArrayBuffer) => void, close: () => void}} on
   * @param {{host?: string, path?: string}} where to connect, if not to the stage's own line
   */
  constructor(token, on, { host = location.host, path = "/api/stage" } = {}) {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.address = `${scheme}//${host}${path}${token}`;
    this.on = on;
    this.wait = FIRST_WAIT_MS;
    this.closed = false;
    this.#connect();
  }

  get connected() {
    return this.socket.readyState === WebSocket.OPEN;
  }

  send(message) {
    if (this.connected) this.socket.send(JSON.stringify(message));
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    this.socket.close();
  }

  #connect() {
    const socket = new WebSocket(this.address);
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.wait = FIRST_WAIT_MS;
      this.on.open();
    };
    socket.onmessage = ({ data }) => {
      if (typeof data !== "string") return this.on.sound(data);
      const message = readMessage(data);
      if (message) this.on.message(message);
    };
    socket.onclose = () => {
      this.on.close();
      if (this.closed) return;
      this.timer = setTimeout(() => this.#connect(), this.wait);
      this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
    };
  }
}

function readMessage(text) {
  try {
    const message = JSON.parse(text);
    return typeof message?.type === "string" ? message : null;
  } catch {
    return null;
  }
}
