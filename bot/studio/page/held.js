/**
 * Answers that wait for approval. Rejecting is one press; approving is a press held down for a moment, or two presses
 * (for keyboards and screen readers that cannot hold) that are no double click, so that it never happens by accident.
 */

import { send } from "./api.js";
import { announce, byId, el } from "./dom.js";
import { languageOfServer, number, onLanguage, text, textOr } from "./language.js";

const HOLD_MS = 600;
const ARMED_MS = 3_000;
const DOUBLE_CLICK_MS = 400;
const KEYS = ["Enter", " "];

/** Mounts the panel; `restore(items)` takes the server's list, `add(item)` and `remove({id})` the live messages. */
export function mountHeld() {
  const list = byId("held-rows");
  const items = new Map();

  function add(item) {
    const until = performance.now() + item.expires_in_s * 1000;
    items.set(item.id, { ...item, until, edited: item.text, armedAt: -Infinity });
    list.append(draw(items.get(item.id)));
    announce(text("held.arrived", { user: who(item) }));
    drawPanel();
  }

  function remove({ id }) {
    if (!items.delete(id)) return;
    const row = byId(`held-${id}`);
    const held = row.contains(document.activeElement);
    row.remove();
    if (held) (list.querySelector("textarea") ?? byId("operator-text")).focus();
    drawPanel();
  }

  const who = ({ heard, mode }) => [...new Set(heard.map(({ user }) => user).filter(Boolean))].join(", ") || text(`mode.${mode}`);

  function draw(item) {
    const quotes = item.heard.filter(({ text: words }) => words);
    const heard = quotes.map(({ user, text: words }) => el("li", {}, user ? el("bdi", { class: "user" }, user) : null, el("q", {}, words)));
    const chips = [el("span", { class: "chip-text" }, text(`mode.${item.mode}`)), el("span", { class: "held-why", lang: languageOfServer() }, item.why)];
    for (const reason of item.blocked) chips.push(el("span", { class: "chip-text held-back" }, text("now.held", { reason: textOr("blocked", reason) })));
    const words = el("textarea", { rows: "2", maxlength: "2000", "aria-label": text("held.words") });
    words.value = item.edited;
    words.addEventListener("input", () => (item.edited = words.value));
    const reject = el("button", { type: "button", "data-do": "reject" }, text("held.reject"));
    reject.addEventListener("click", () => send("POST", `/api/held/${item.id}/reject`));
    const approve = el("button", { type: "button", class: "approve", "data-do": "approve" }, text("held.approve"));
    mountHold(approve, item);
    const left = el("span", { class: "figure held-left" });
    const row = el("li", { id: `held-${item.id}`, class: "held-answer" }, el("div", { class: "now-head" }, ...chips, left), el("ul", { class: "held-heard" }, ...heard), words, el("div", { class: "held-buttons" }, reject, approve));
    row.addEventListener("keydown", (event) => {
      if (event.key === "Delete" && event.target !== words) reject.click();
    });
    return row;
  }

  /** A press of `HOLD_MS`, by pointer or key; a shorter one arms the button for a second one. */
  function mountHold(button, item) {
    let timer = null;

    const down = () => {
      if (timer !== null) return;
      button.dataset.holding = "true";
      timer = setTimeout(() => {
        up();
        approve(item);
      }, HOLD_MS);
    };
    const up = () => {
      clearTimeout(timer);
      timer = null;
      delete button.dataset.holding;
    };
    button.addEventListener("pointerdown", down);
    button.addEventListener("keydown", (event) => {
      if (!KEYS.includes(event.key)) return;
      if (event.repeat) event.preventDefault();
      else down();
    });
    for (const end of ["pointerup", "pointerleave", "pointercancel", "keyup", "blur"]) button.addEventListener(end, up);
    button.addEventListener("click", () => {
      const since = performance.now() - item.armedAt;
      if (since < DOUBLE_CLICK_MS) return;
      if (since < ARMED_MS) return approve(item);
      item.armedAt = performance.now();
      button.textContent = text("held.again");
      announce(text("held.again"));
      setTimeout(() => (button.textContent = text("held.approve")), ARMED_MS);
    });
  }

  function approve(item) {
    if (!items.has(item.id)) return;
    const said = item.edited.trim();
    if (!said) return byId(`held-${item.id}`).querySelector("textarea").focus();
    send("POST", `/api/held/${item.id}/approve`, said === item.text ? undefined : { text: said });
  }

  function drawPanel() {
    byId("held-panel").hidden = items.size === 0;
    drawTimes();
  }

  function drawTimes() {
    for (const { id, until } of items.values()) {
      const left = Math.max(0, Math.ceil((until - performance.now()) / 1000));
      byId(`held-${id}`).querySelector(".held-left").textContent = text("held.left", { s: number(left) });
    }
  }

  setInterval(drawTimes, 1_000);
  onLanguage(() => {
    list.replaceChildren(...[...items.values()].map(draw));
    drawTimes();
  });
  return {
    add,
    remove,
    /** What still waits stays as it is: the operator may be writing in it. */
    restore(waiting) {
      const ids = waiting.map(({ id }) => id);
      for (const id of [...items.keys()]) if (!ids.includes(id)) remove({ id });
      waiting.filter(({ id }) => !items.has(id)).forEach(add);
      drawPanel();
    },
  };
}
