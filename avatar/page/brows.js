/** The brows: two tapering strokes that say most of what she feels. */

import { write } from "./rig.js";

const CENTRE = { x: 88, y: 374 };
const DEPTH = 70;
const BULGE = 88;
const LIFT = 11; // by the server's `brow`

export class Brows {
  constructor(group) {
    this.paths = [...group.querySelectorAll(".brow")];
  }

  draw(rig, { brow, mix }) {
    const up = mix.browY + brow * LIFT;
    const arch = mix.browArch;
    const line = [
      [-46, 8 - up - mix.browTilt],
      [-24, -6 - up - arch - mix.browTilt * 0.6],
      [18, -12 - up - arch + mix.browTilt * 0.2],
      [52, 5 - up + mix.browTilt * 0.45],
    ];
    const thickness = [9, 9, 7, 0];
    this.paths.forEach((path, i) => {
      const side = i === 0 ? -1 : 1;
      const skew = mix.browSkew * (side > 0 ? 1 : -0.5);
      const put = ([x, y]) => at(rig.place(500 + side * (CENTRE.x + x), CENTRE.y + y - skew, DEPTH, BULGE));
      const over = line.map(put);
      const under = line.map(([x, y], n) => put([x, y + thickness[n]]));
      write(path, "d", `M${over[0]}C${over.slice(1).join(" ")}C${[under[2], under[1], under[0]].join(" ")}Z`);
    });
  }
}

function at([x, y]) {
  return `${Math.round(x * 10) / 10} ${Math.round(y * 10) / 10}`;
}
