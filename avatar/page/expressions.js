/**
 * What each expression does to the drawing. All values are additions to the neutral face.
 *
 * Brows: `browY` up, `browTilt` inner end up (worried) or down (cross), `browArch`. Lids: `open` (1 = as drawn), `squint` raises the
 * lower lid, `slant` lowers the inner (positive) or outer end of the upper lid. `pupil`, `iris` scale. Mouth: `corner`
 * up, `width`. `browSkew` lifts one brow, `shift` moves the mouth aside, `lift` the whole of her up. The rest are
 * extras, 0..1.
 */

import { EXPRESSIONS } from "./face.js";

const NEUTRAL = {
  browY: 0, browTilt: 0, browArch: 0, open: 0, squint: 0, slant: 0, pupil: 0, iris: 0, corner: 0.42, width: 0,
  browSkew: 0, shift: 0, lift: 0, blush: 0.3, sparkle: 0, sweat: 0, cross: 0, tear: 0, bashful: 0, shock: 0,
};

const CHANGES = {
  neutral: {},
  happy: { browY: 9, browArch: 4, open: -0.12, squint: 0.62, corner: 0.7, width: 5, blush: 0.4, iris: 0.02, lift: 5 },
  excited: { browY: 17, browArch: 5, open: 0.12, squint: 0.18, pupil: 0.12, iris: 0.06, corner: 0.85, width: 9, blush: 0.5, sparkle: 1, lift: 12 },
  sad: { browY: 4, browTilt: 25, browArch: -4, open: -0.16, slant: -0.8, corner: -0.9, width: -3, tear: 1, pupil: 0.1, iris: 0.05, blush: -0.1, lift: -9 },
  angry: { browY: -11, browTilt: -19, browArch: -3, open: -0.1, slant: 1, squint: 0.25, corner: -0.75, width: -2, cross: 1, pupil: -0.14, iris: -0.04, blush: 0.05, lift: -3 },
  surprised: { browY: 26, browArch: 7, open: 0.26, pupil: -0.34, iris: -0.12, corner: -0.22, width: -12, shock: 1, lift: 14 },
  shy: { browY: 5, browTilt: 11, open: -0.24, squint: 0.2, slant: -0.25, corner: 0.12, width: -9, blush: 0.7, bashful: 1, sweat: 1, lift: -6 },
};

/** Blends the expressions by their weights into one set of values. */
export function blend(weights) {
  const mix = { ...NEUTRAL };
  for (const name of EXPRESSIONS) {
    const weight = weights[name];
    if (weight < 0.002) continue;
    for (const [key, change] of Object.entries(CHANGES[name])) mix[key] += change * weight;
  }
  return mix;
}
