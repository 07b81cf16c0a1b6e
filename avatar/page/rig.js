/**
 * Bends the drawing: points of a layer turn about the middle of the head according to their depth, and hanging parts
 * follow their springs. Writes only what changed.
 */

const MIDDLE = { x: 500, y: 410 };
const RADIUS = { x: 190, y: 240 };
const SILHOUETTE_GIVES = 0.55; // a drawn head narrows less in a turn than a ball would
const FURTHEST = 20; // degrees: beyond, a drawing from the front would show its edges
const JAW = { from: 548, to: 634 };

/** Sets an attribute unless it has that value already. */
export function write(element, name, value) {
  const known = (element.written ??= {});
  if (known[name] === value) return;
  known[name] = value;
  element.setAttribute(name, value);
}

export class Rig {
  turn = { yaw: 0, pitch: 0, jaw: 0 };
  sways = {};
  #key = "";

  constructor(svg) {
    this.paths = [...svg.querySelectorAll("[data-depth] path, path[data-depth]")]
      .filter((path) => path.hasAttribute("d"))
      .map(readPath);
    this.#aim();
  }

  /** Bends every path of the drawing. Angles in degrees, jaw and sways in units of the drawing. */
  bend({ yaw, pitch, jaw, sways }) {
    const rounded = [yaw, pitch].map((v) => Math.round(v * 20) / 20);
    const hung = Object.entries(sways).map(([name, { x, y }]) => [name, { x: Math.round(x * 5) / 5, y: Math.round(y * 5) / 5 }]);
    const turned = { yaw: rounded[0], pitch: rounded[1], jaw: Math.round(jaw * 2) / 2 };
    const changed = new Set(hung.filter(([name, s]) => this.sways[name]?.x !== s.x || this.sways[name]?.y !== s.y).map(([name]) => name));
    const turnChanged = turned.yaw !== this.turn.yaw || turned.pitch !== this.turn.pitch || this.#key === "";
    const jawChanged = turned.jaw !== this.turn.jaw;
    this.turn = turned;
    this.sways = Object.fromEntries(hung);
    this.#key = "bent";
    this.#aim();
    for (const path of this.paths) {
      if (turnChanged || (jawChanged && path.jaw) || changed.has(path.sway)) this.#draw(path);
    }
  }

  /** Where a point of depth `z` on the round of the face goes: [x, y]. */
  place(x, y, depth, bulge = 0) {
    const dx = x - MIDDLE.x;
    const dy = y - MIDDLE.y;
    const round = 1 - (dx / RADIUS.x) ** 2 - (dy / RADIUS.y) ** 2;
    const z = depth + (round > 0 ? bulge * Math.sqrt(round) : 0);
    return [MIDDLE.x + dx * this.narrow + z * this.sinYaw, MIDDLE.y + dy * this.low - z * this.sinPitch];
  }

  #aim() {
    const yaw = (FURTHEST * Math.tanh(this.turn.yaw / FURTHEST) * Math.PI) / 180;
    const pitch = (FURTHEST * Math.tanh(this.turn.pitch / FURTHEST) * Math.PI) / 180;
    this.sinYaw = Math.sin(yaw);
    this.sinPitch = Math.sin(pitch);
    this.narrow = 1 - (1 - Math.cos(yaw)) * SILHOUETTE_GIVES;
    this.low = 1 - (1 - Math.cos(pitch)) * SILHOUETTE_GIVES;
  }

  #draw(path) {
    const { element, parts, depth, bulge, sway, root, tip, jaw, chin } = path;
    const hang = this.sways[sway];
    let d = "";
    for (const part of parts) {
      if (typeof part === "string") {
        d += part;
        continue;
      }
      let [x, y] = part;
      let z = depth;
      if (jaw) {
        const share = Math.min(Math.max((y - JAW.from) / (JAW.to - JAW.from), 0), 1);
        z += chin * share;
        y += this.turn.jaw * share;
      }
      [x, y] = this.place(x, y, z, bulge);
      if (hang) {
        const share = Math.min(Math.max((part[1] - root) / (tip - root), 0), 1) ** 2;
        x += hang.x * share;
        y += hang.y * share;
      }
      d += `${Math.round(x * 10) / 10} ${Math.round(y * 10) / 10} `;
    }
    write(element, "d", d);
  }
}

function readPath(element) {
  const inherited = (name) => element.closest(`[data-${name}]`)?.dataset[name];
  const parts = [];
  for (const [, letter, numbers] of element.getAttribute("d").matchAll(/([MLCQZ])([^MLCQZ]*)/g)) {
    parts.push(letter);
    const values = numbers.trim().split(/[\s,]+/).filter(Boolean).map(Number);
    for (let i = 0; i < values.length; i += 2) parts.push([values[i], values[i + 1]]);
  }
  return {
    element,
    parts,
    depth: Number(inherited("depth")),
    bulge: Number(inherited("bulge") ?? 0),
    sway: inherited("sway"),
    root: Number(inherited("root") ?? 0),
    tip: Number(inherited("tip") ?? 1),
    jaw: element.dataset.jaw === "1",
    chin: Number(element.dataset.chin ?? 0),
  };
}
