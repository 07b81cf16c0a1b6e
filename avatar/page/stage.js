/**
 * The OBS page. In its address, behind the token: `mirror=1`, `scale=0.8`, `x=120` and `y=-40` (pixels) place her,
 * `captions=0` leaves the captions out.
 */

import { mountStage } from "./stage-view.js";

const wishes = new URLSearchParams(location.search);
const token = wishes.has("token") ? `?token=${encodeURIComponent(wishes.get("token"))}` : "";
const view = mountStage(document.body, { kind: "stage", token, captions: wishes.get("captions") !== "0" });

const number = (name, usual) => (Number.isFinite(parseFloat(wishes.get(name))) ? parseFloat(wishes.get(name)) : usual);
view.place({ x: number("x", 0), y: number("y", 0), scale: number("scale", 1), mirror: wishes.get("mirror") === "1" });
