/** The mouth, drawn anew from numbers: how far open, how spread or pursed, which vowel. Shut is a line. */

import { write } from "./rig.js";

const MIDDLE = { x: 500, y: 572 };
const DEPTH = 52;
const BULGE = 66;
const TALLEST = 84;

/** Half width and roundness (0 pointed corners, 1 an ellipse) of the wide-open vowels. */
const VOWELS = {
  A: { width: 35, round: 0.5 },
  I: { width: 41, round: 0.2 },
  U: { width: 12, round: 1 },
  E: { width: 38, round: 0.32 },
  O: { width: 21, round: 1 },
};
const REST_WIDTH = 27;

export class Mouth {
  constructor(group) {
    const one = (name) => group.querySelector("." + name);
    this.holes = [...group.querySelectorAll(".hole")];
    this.tongue = one("tongue");
    this.upperTeeth = one("upper-teeth");
    this.lowerTeeth = one("lower-teeth");
    this.upperLip = one("upper-lip");
    this.lowerLip = one("lower-lip");
    this.shade = one("lip-shade");
  }

  /** `row` is [open, form, A, I, U, E, O]; `mix` a blend of expressions. */
  draw(rig, row, mix) {
    const shape = shapeOf(row, mix);
    const { left, right, top, bottom, height, width, round } = shape;
    const put = ([x, y]) => at(rig.place(MIDDLE.x + mix.shift + x, MIDDLE.y + y, DEPTH, BULGE));

    const lift = round * height * 0.3;
    const flat = width * (0.56 + 0.12 * (1 - round));
    const upper = [left, [left[0], left[1] - lift], [-flat, top], [0, top], [flat, top], [right[0], right[1] - lift], right].map(put);
    const lower = [right, [right[0], right[1] + lift], [flat, bottom], [0, bottom], [-flat, bottom], [left[0], left[1] + lift], left].map(put);
    const upperLine = `M${upper[0]}C${upper.slice(1, 4).join(" ")}C${upper.slice(4).join(" ")}`;
    const hole = `${upperLine}C${lower.slice(1, 4).join(" ")}C${lower.slice(4).join(" ")}Z`;
    for (const path of this.holes) write(path, "d", hole);
    write(this.upperLip, "d", upperLine);
    write(this.lowerLip, "d", `M${lower[0]}C${lower.slice(1, 4).join(" ")}C${lower.slice(4).join(" ")}`);
    write(this.lowerLip, "opacity", String(Math.min(Math.round(height * 8) / 100, 1)));
    const under = bottom + 13;
    write(this.shade, "d", `M${put([-width * 0.3, under])}C${put([-width * 0.1, under + 3])} ${put([width * 0.1, under + 3])} ${put([width * 0.3, under])}`);
    this.#drawInside(put, shape);
  }

  #drawInside(put, { left, right, top, bottom, height, width, teeth, lowerTeeth, tongue }) {
    const upperEdge = top + height * teeth;
    const high = Math.min(top, left[1], right[1]) - 8;
    const sag = height * 0.08 + 2;
    write(
      this.upperTeeth, "d",
      `M${put([-width - 6, high])}L${put([width + 6, high])}L${put([width + 6, upperEdge - sag])}Q${put([0, upperEdge + sag])} ${put([-width - 6, upperEdge - sag])}Z`,
    );
    const lowerEdge = bottom - height * lowerTeeth;
    write(
      this.lowerTeeth, "d",
      `M${put([-width - 6, bottom + 8])}L${put([width + 6, bottom + 8])}L${put([width + 6, lowerEdge - sag])}Q${put([0, lowerEdge + sag])} ${put([-width - 6, lowerEdge - sag])}Z`,
    );
    const crown = bottom - height * tongue;
    const wide = width * 0.78;
    write(
      this.tongue, "d",
      `M${put([-wide, bottom + 8])}C${put([-wide, crown])} ${put([-wide * 0.35, crown - 2])} ${put([0, crown + height * 0.05])}C${put([wide * 0.35, crown - 2])} ${put([wide, crown])} ${put([wide, bottom + 8])}Z`,
    );
  }
}

/** Corners, edges and what shows inside, in units of the drawing about the middle of the mouth. */
function shapeOf([open, form, ...weights], mix) {
  const vowels = Object.values(VOWELS);
  const sum = Math.min(weights.reduce((a, b) => a + b, 0), 1);
  const scale = sum / (weights.reduce((a, b) => a + b, 0) || 1);
  const spread = form > 0 ? REST_WIDTH + 11 * form : REST_WIDTH + 14 * form;
  let width = (1 - sum) * spread;
  let round = (1 - sum) * (form < 0 ? 0.35 - 0.65 * form : 0.3);
  weights.forEach((weight, i) => {
    width += weight * scale * vowels[i].width;
    round += weight * scale * vowels[i].round;
  });
  const [A, I, U, E, O] = weights;
  const parted = Math.min(open / 0.06, 1); // shut lips rest at their own width, whatever vowel is coming
  const height = TALLEST * open ** 0.85;
  width = mixed(REST_WIDTH + form * 6, width, parted) + mix.width * (1 - 0.6 * round * parted);
  round *= parted;

  const corner = Math.max(Math.min(mix.corner, 1.2), -1.2) * (1 - 0.55 * round);
  const top = -0.26 * height + corner * 6 * (1 - 0.6 * parted);
  const bottom = top + height;
  const rest = -corner * 8;
  const inOpen = top + height * (0.34 + 0.12 * round) - corner * (corner > 0 ? 0.3 * height + 3 : 0.36 * height + 3);
  const cornerY = mixed(rest, inOpen, Math.min(height / 14, 1));
  const slit = Math.max(form, 0) * Math.max(1 - open / 0.35, 0); // hissing: the teeth meet
  return {
    left: [-width, cornerY],
    right: [width, cornerY],
    top,
    bottom,
    height,
    width,
    round,
    teeth: (0.17 + 0.12 * E + 0.1 * I + 0.45 * slit + (open < 0.11 ? 0.35 : 0)) * (1 - 0.8 * Math.min(U + O, 1)),
    lowerTeeth: Math.min(0.7 * slit + 0.12 * I, 0.45),
    tongue: 0.36 + 0.12 * A + 0.1 * E - 0.14 * O - 0.2 * U - 0.3 * slit,
  };
}

function mixed(from, to, share) {
  return from + (to - from) * share;
}

function at([x, y]) {
  return `${Math.round(x * 10) / 10} ${Math.round(y * 10) / 10}`;
}
