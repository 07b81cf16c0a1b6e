/** The chat as it comes in: the newest rows, drawn at most once a frame, each with what became of it. */

import { send } from "./api.js";
import { drawRow } from "./chat-row.js";
import { byId } from "./dom.js";
import { onLanguage, text } from "./language.js";

const ROWS = 300;
const NEAR_END_PX = 48;

/** Mounts the list. Its methods take live messages; `find(id)` returns a row's `{user, text}`. */
export function mountChatList() {
  const scroller = byId("chat-scroller");
  const list = byId("chat-rows");
  const newer = byId("chat-newer");
  const rows = new Map();
  const early = new Map();
  const dirty = new Set();
  let scheduled = false;
  let following = true;
  let unread = 0;
  let active = null;

  function touch(row) {
    dirty.add(row);
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(draw);
  }

  function draw() {
    scheduled = false;
    const fresh = document.createDocumentFragment();
    for (const row of dirty) {
      const element = drawRow(row);
      if (row.element) replace(row, element);
      else fresh.append(element);
      row.element = element;
    }
    dirty.clear();
    if (!following) unread += fresh.childElementCount;
    list.append(fresh);
    while (list.childElementCount > ROWS) list.firstElementChild.remove();
    byId("chat-empty").hidden = rows.size > 0;
    if (following) scroller.scrollTop = scroller.scrollHeight;
    showUnread();
  }

  function replace(row, element) {
    const held = row.element.contains(document.activeElement);
    row.element.replaceWith(element);
    if (active === row.element) activate(element);
    if (held) element.focus({ preventScroll: true });
  }

  function showUnread() {
    newer.hidden = following || unread === 0;
    newer.textContent = text("chat.newer", { n: unread });
  }

  function settle(id, fate) {
    const row = rows.get(id);
    if (!row) {
      // What became of a message may be told before the message itself.
      early.set(id, fate);
      if (early.size > ROWS) early.delete(early.keys().next().value);
    } else if (row.fate.is !== "withdrawn") {
      row.fate = fate;
      touch(row);
    }
  }

  function add({ id, user, user_id: userId, bad_name: badName, blocked, roles, text: words, kind, at_ms: atMs }) {
    if (rows.has(id)) return;
    const fate = early.get(id) || (blocked ? { is: "dropped", reason: blocked } : { is: "waiting" });
    const row = { id, user: user || "", userId, badName: badName === true, roles: roles || [], text: words, kind: kind || "chat", atMs, fate, revealed: false, element: null };
    early.delete(id);
    if (row.fate.is === "withdrawn") row.text = "";
    rows.set(id, row);
    if (rows.size > ROWS) forget(rows.values().next().value);
    touch(row);
  }

  function forget(row) {
    rows.delete(row.id);
    dirty.delete(row);
    row.element?.remove();
  }

  /** Takes the server's picture after a (re)connect: what waits there waits here, what does not is lost. */
  function restore(waiting) {
    const ids = new Set(waiting.map((item) => item.id));
    for (const row of rows.values()) {
      if ((row.fate.is === "waiting" || row.fate.is === "chosen") && !ids.has(row.id)) settle(row.id, { is: "lost" });
    }
    for (const item of waiting) {
      add(item);
      settle(item.id, { is: "waiting" });
    }
  }

  function dropped({ id, reason }) {
    // A second delivery of a message says nothing about the first.
    if (reason === "withdrawn") takeBack(id);
    else if (reason !== "duplicate") settle(id, { is: "dropped", reason });
  }

  /** Single messages, all that a person wrote until then (`user_id`), or all of chat. */
  function withdrawn({ ids, user_id: userId, chat, at_ms: atMs }) {
    ids.forEach(takeBack);
    for (const row of rows.values()) {
      const theirs = (userId && row.userId === userId) || (chat && row.kind === "chat");
      if (theirs && row.atMs <= atMs) takeBack(row.id);
    }
  }

  function takeBack(id) {
    const row = rows.get(id);
    if (row) row.text = "";
    settle(id, { is: "withdrawn" });
  }

  function cue({ reply, heard }) {
    for (const id of heard) settle(id, { is: "chosen", reply });
  }

  /** A turn ended: what it answered was answered; what it never got to say waits again, unless the server drops it. */
  function turn({ id: reply, heard, spoken }) {
    for (const item of heard) {
      const row = rows.get(item.id);
      if (spoken) settle(item.id, { is: "answered", reply });
      else if (row?.fate.is === "chosen" && row.fate.reply === reply) settle(item.id, { is: "waiting" });
    }
  }

  function activate(element) {
    if (active) setTabbable(active, false);
    active = element;
    if (active) setTabbable(active, true);
  }

  function setTabbable(element, on) {
    for (const part of [element, ...element.querySelectorAll("[data-do]")]) part.tabIndex = on ? 0 : -1;
  }

  async function withdraw(id) {
    const row = rows.get(id);
    if (row?.kind === "chat") await send("DELETE", `/api/chat/${encodeURIComponent(id)}`);
  }

  function reveal(id) {
    const row = rows.get(id);
    if (!row) return;
    row.revealed = !row.revealed;
    touch(row);
  }

  async function block(id) {
    const row = rows.get(id);
    if (row?.userId) await send("POST", "/api/viewers/block", { user_id: row.userId, name: row.user });
  }

  const deeds = { withdraw, reveal, block };

  function follow() {
    following = true;
    unread = 0;
    scroller.scrollTop = scroller.scrollHeight;
    showUnread();
  }

  scroller.addEventListener("scroll", () => {
    following = scroller.scrollTop + scroller.clientHeight >= scroller.scrollHeight - NEAR_END_PX;
    if (following) unread = 0;
    showUnread();
  });
  newer.addEventListener("click", () => {
    follow();
    scroller.focus();
  });
  list.addEventListener("focusin", (event) => activate(event.target.closest(".row")));
  list.addEventListener("click", (event) => {
    const pressed = event.target.closest("[data-do]");
    deeds[pressed?.dataset.do]?.(pressed.closest(".row").dataset.id);
    if (pressed?.dataset.do === "show-answer") byId(pressed.hash.slice(1))?.focus();
  });
  scroller.addEventListener("keydown", (event) => {
    const row = document.activeElement.closest(".row");
    if (event.key === "Delete" && row) withdraw(row.dataset.id);
    const target = neighbour(event.key, row);
    if (!target) return;
    event.preventDefault();
    target.focus();
  });

  function neighbour(key, row) {
    if (key === "ArrowUp") return row ? row.previousElementSibling : list.lastElementChild;
    if (key === "ArrowDown") return row?.nextElementSibling;
    if (key === "End") return list.lastElementChild;
    return key === "Home" ? list.firstElementChild : null;
  }

  onLanguage(() => {
    for (const row of rows.values()) touch(row);
    showUnread();
  });

  return { add, dropped, withdrawn, cue, turn, restore, find: (id) => rows.get(id) };
}
