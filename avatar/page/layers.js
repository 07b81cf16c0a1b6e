/** The operator's own drawing: PNG or SVG layers on top of each other, which one is seen chosen from face and mouth. */

const BODY = ["back", "body"]; // the rest moves with the head
const ORDER = ["back", "body", "head", "brows", "eyes", "mouth", "front"];
const VOWELS = ["a", "i", "u", "e", "o"];
const PARTED = 0.07; // below, lips are seen as shut
const FORMED = 0.25; // from here on a vowel has a shape of its own
const BLINKS = 0.55;
const SHOWN = 0.35; // weight from which an expression has its own layers
const CALM = 0.25;

/** Fetches the names of the layers; an empty list means that there is no drawing but the built-in one. */
export async function layerNames() {
  const answer = await fetch("/static/layers");
  return answer.ok ? (await answer.json()).layers : [];
}

export class LayerAvatar {
  /** Loads every layer into `container` before any is shown, so that none flickers. */
  static async load(container, names) {
    const avatar = new LayerAvatar(names);
    await Promise.all(avatar.pictures.map((picture) => picture.decode().catch(() => {})));
    container.append(avatar.root);
    return avatar;
  }

  constructor(names) {
    this.root = group("aneeka-avatar");
    this.layers = new Map();
    this.shown = new Map();
    const body = group("aneeka-layers");
    const head = group("aneeka-layers");
    const sorted = [...names].sort((one, other) => place(one) - place(other));
    for (const name of sorted) {
      const picture = new Image();
      picture.src = `/static/layers/${name}`;
      picture.alt = "";
      picture.hidden = true;
      (BODY.includes(partOf(name)) ? body : head).append(picture);
      this.layers.set(name, picture);
    }
    this.body = body;
    this.head = head;
    this.root.append(body, head);
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
  }

  get pictures() {
    return [...this.layers.values()];
  }

  /** Poses her; the same arguments as `Avatar.draw`. */
  draw(face, row, { calm = false }) {
    const motion = this.calm.matches ? CALM : 1;
    const mood = (face.weights[face.expression] ?? 0) > SHOWN && face.expression !== "neutral" ? face.expression : "";
    for (const part of ["back", "body", "head", "brows", "front"]) this.#show(part, [part], mood);
    const shut = (face.blink[0] + face.blink[1]) / 2 > BLINKS;
    this.#show("eyes", [shut ? "eyes_closed" : "eyes_open"], mood);
    this.#show("mouth", mouthShapes(row), mood);
    this.#move(face, row[0] * (calm ? CALM : 1), motion);
  }

  /** Shows the first of the wished layers that there is, in this mood if it has one. */
  #show(part, wished, mood) {
    const names = mood ? [...wished.map((name) => `${name}_${mood}`), ...wished] : wished;
    const next = names.find((name) => this.layers.has(name));
    const before = this.shown.get(part);
    if (next === before) return;
    if (before) this.layers.get(before).hidden = true;
    if (next) this.layers.get(next).hidden = false;
    this.shown.set(part, next);
  }

  #move(face, open, motion) {
    const [yaw, pitch, roll] = face.head.map((angle) => angle * motion);
    const x = face.sway[0] * 1.2 * motion;
    const y = (face.sway[1] * 0.5 - face.breath * 0.5) * motion;
    this.body.style.transform = `translate(${fixed(x)}%, ${fixed(y)}%) rotate(${fixed(roll * 0.12)}deg)`;
    const up = y - pitch * 0.1 - open * 0.5 * motion;
    this.head.style.transform = `translate(${fixed(x + yaw * 0.16)}%, ${fixed(up)}%) rotate(${fixed(roll * 0.7)}deg)`;
  }
}

/** Layers for a row of the mouth, the best first: its vowel, an open mouth, any open vowel. */
function mouthShapes([open, , ...vowels]) {
  if (open < PARTED) return ["mouth_closed"];
  const strongest = vowels.indexOf(Math.max(...vowels));
  const formed = vowels[strongest] >= FORMED ? [`mouth_${VOWELS[strongest]}`] : [];
  return [...formed, "mouth_open", "mouth_a", "mouth_closed"];
}

function partOf(name) {
  return name.split("_")[0];
}

function place(name) {
  return ORDER.indexOf(partOf(name));
}

function group(name) {
  const element = document.createElement("div");
  element.className = name;
  return element;
}

function fixed(value) {
  return Math.round(value * 100) / 100;
}
