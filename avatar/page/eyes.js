/** The eyes: lids that close by bending, irises that look about. */

import { write } from "./rig.js";

const DEPTH = 62;
const BULGE = 92;
const CENTRE = { x: 84, y: 460 }; // from the middle of the face, and down

// The lids of her eye at the viewer's right, from the inner corner to the outer: two ends and two handles each.
const OPEN = [[-53, 18], [-46, -48], [24, -76], [60, -2]];
const CLOSED = [[-54, 26], [-26, 54], [30, 54], [60, 14]];
const SMILING = [[-54, 32], [-28, 4], [28, -4], [60, 20]];
const LOWER = [[-53, 18], [-32, 62], [40, 62], [60, -4]];
const SQUINTING = [[-53, 18], [-30, 36], [36, 36], [60, 2]];

const LAGS = 1.35;
const GAZE = { x: 17, y: 12 };

export class Eyes {
  constructor(group) {
    const right = group.querySelector(".eye");
    const left = right.cloneNode(true);
    left.querySelector("clipPath").id = "aneeka-lids-left";
    left.querySelector("[clip-path]").setAttribute("clip-path", "url(#aneeka-lids-left)");
    group.append(left);
    this.eyes = [partsOf(left, -1), partsOf(right, 1)];
  }

  /** `blink` and `gaze` as on the wire, `mix` a blend of expressions. */
  draw(rig, { blink, gaze, mix }) {
    this.eyes.forEach((eye, i) => drawEye(rig, eye, Math.min(Math.max(1 + mix.open, 0.3), 1.3) * (1 - blink[i]), gaze, mix));
  }
}

function partsOf(group, side) {
  const one = (name) => group.querySelector("." + name);
  return {
    side,
    openings: [...group.querySelectorAll(".opening")],
    iris: one("iris"),
    pupil: one("pupil"),
    star: one("star"),
    shadow: one("lid-shadow"),
    upper: one("upper-lash"),
    lower: one("lower-lash"),
    crease: one("crease"),
    tear: one("tear"),
  };
}

function drawEye(rig, eye, open, gaze, mix) {
  const shut = 1 - Math.min(open, 1);
  const closed = between(CLOSED, SMILING, Math.min(Math.max(mix.squint * 1.6, 0), 1));
  const wide = open > 1 ? (open - 1) * 26 : 0;
  const raised = mix.squint * (1 - shut);
  // The middle of a lid comes down last: a lid that is half down keeps its arch, a straight one would look stern.
  const falling = between(OPEN, closed, shut);
  const middle = between(OPEN, closed, shut ** LAGS);
  const upper = [falling[0], middle[1], middle[2], falling[3]].map(([x, y], i) => [x, y - (i === 1 || i === 2 ? wide : wide * 0.2)]);
  const slant = mix.slant * (1 - shut) * 20;
  for (const [i, share] of [[0, 0.25], [1, 1], [2, -0.5], [3, -0.35]]) upper[i][1] += slant * share * (mix.slant > 0 || i > 1 ? 1 : 0.4);
  const lower = between(between(LOWER, SQUINTING, raised), closed, shut);
  lower[0] = upper[0];
  lower[3] = upper[3];

  const put = ([x, y]) => rig.place(500 + eye.side * (CENTRE.x + x), CENTRE.y + y, DEPTH, BULGE);
  const up = upper.map(put);
  const low = lower.map(put);
  const opening = `M${at(up[0])}C${up.slice(1).map(at).join(" ")}C${[low[2], low[1], low[0]].map(at).join(" ")}Z`;
  for (const path of eye.openings) write(path, "d", opening);

  drawIris(rig, eye, gaze, mix, open);
  write(eye.shadow, "d", band(up, lower.length && upper.map(([x, y], i) => put([x, y + [2, 18, 20, 4][i]]))));
  write(eye.upper, "d", upperLash(upper, shut, put));
  write(eye.lower, "d", lowerLash(lower, shut, put));
  const fold = upper.map(([x, y], i) => put([x * 0.8 + 5, y - [16, 32, 40, 18][i]]));
  write(eye.crease, "d", `M${at(fold[0])}C${fold.slice(1).map(at).join(" ")}`);
  write(eye.crease, "opacity", number(0.75 * (1 - shut)));
  write(eye.tear, "d", band(low, lower.map(([x, y], i) => put([x * 0.96, y - [0, 13, 13, 0][i]]))));
  write(eye.tear, "opacity", number(mix.tear * (1 - shut)));
}

function drawIris(rig, eye, gaze, mix, open) {
  const x = 500 + eye.side * (CENTRE.x - 3) + gaze[0] * GAZE.x;
  const y = CENTRE.y + 2 - gaze[1] * GAZE.y + mix.squint * 3;
  const [px, py] = rig.place(x, y, DEPTH - 6, BULGE);
  const [ex] = rig.place(x + 20, y, DEPTH - 6, BULGE);
  const [wx] = rig.place(x - 20, y, DEPTH - 6, BULGE);
  const size = 1.05 + mix.iris;
  write(eye.iris, "transform", `translate(${number(px)} ${number(py)}) scale(${number(((ex - wx) / 40) * size, 3)} ${number(size, 3)})`);
  const pupil = Math.max(1 + mix.pupil, 0.3);
  write(eye.pupil, "rx", number(15 * pupil));
  write(eye.pupil, "ry", number(21 * pupil));
  write(eye.star, "opacity", number(Math.min(mix.sparkle, 1)));
  write(eye.iris, "visibility", open < 0.04 ? "hidden" : "visible");
}

/** A lash grows from nothing at the inner corner to a swung wing at the outer one. */
function upperLash(lid, shut, put) {
  const [a, b, c, d] = lid;
  const droop = shut * 10;
  const wing = [d[0] + 17, d[1] - 9 + droop * 2];
  const outer = [a, [b[0] - 5, b[1] - 17 + droop * 0.5], [c[0] + 10, c[1] - 30 + droop * 0.9], wing].map(put);
  const notch = put([d[0] + 5, d[1] + 1 + droop * 0.4]);
  const second = put([d[0] + 13, d[1] + 10 + droop]);
  const inner = [d, c, b, a].map(put);
  return `M${at(outer[0])}C${outer.slice(1).map(at).join(" ")}L${at(notch)}L${at(second)}L${at(inner[0])}C${inner.slice(1).map(at).join(" ")}Z`;
}

/** Only the outer two thirds of the lower lid carry a line. */
function lowerLash(lid, shut, put) {
  const [a, b, c, d] = lid;
  const start = [(a[0] + 2 * b[0]) / 3 + 6, (a[1] + b[1] * 1.6) / 2.6 + 4];
  const thick = 3.2 * (1 - shut);
  const line = [start, [b[0] + 20, b[1] - 6], [c[0] - 2, c[1] - 2], d];
  const over = line.map(put);
  const under = line.map(([x, y], i) => put([x + (i > 1 ? 2 : 0), y + (i === 0 || i === 3 ? 0 : thick)]));
  return band(over, under);
}

function band(one, other) {
  return `M${at(one[0])}C${one.slice(1).map(at).join(" ")}L${at(other[3])}C${[other[2], other[1], other[0]].map(at).join(" ")}Z`;
}

function between(from, to, share) {
  return from.map(([x, y], i) => [x + (to[i][0] - x) * share, y + (to[i][1] - y) * share]);
}

function at([x, y]) {
  return `${Math.round(x * 10) / 10} ${Math.round(y * 10) / 10}`;
}

function number(value, places = 2) {
  return String(Number(value.toFixed(places)));
}
