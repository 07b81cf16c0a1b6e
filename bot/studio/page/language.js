/** Spanish and English: the tables in texts-es.json and texts-en.json, and the switch between them. */

import { el } from "./dom.js";
import { keep, recall } from "./store.js";

export const LANGUAGES = ["es", "en"];

const tables = {};
const listeners = [];
let chosen = "es";
let serverLanguage = "es";

async function load(language) {
  const answer = await fetch(`/static/studio/texts-${language}.json`);
  tables[language] = await answer.json();
}

/** Loads both tables and applies the language that was last chosen here, else the browser's. */
export async function loadTexts() {
  await Promise.all(LANGUAGES.map(load));
  use(recall("language", navigator.language.startsWith("en") ? "en" : "es"));
}

/** Returns the sentence of a key with its `{names}` filled in. */
export function text(key, values = {}) {
  return tables[chosen][key].replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** Like `text`, for words that the server may extend: an unknown `name` is shown as words, or as `otherwise`. */
export function textOr(room, name, otherwise = String(name ?? "").replaceAll("_", " ")) {
  return tables[chosen][`${room}.${name}`] ?? otherwise;
}

/** Formats a number for the chosen language. */
export function number(value, digits = 0) {
  return value.toLocaleString(chosen, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Calls back at every change of language, so that a panel can write its words again. */
export function onLanguage(callback) {
  listeners.push(callback);
}

/** The language of sentences that the server wrote, for their `lang` attribute. */
export const languageOfServer = () => serverLanguage;

/** Takes the server's language as the default for who never pressed the switch. */
export function followServer(language) {
  if (!LANGUAGES.includes(language)) return;
  serverLanguage = language;
  if (recall("language", null) === null && language !== chosen) use(language);
}

/** Builds the switch. */
export function mountSwitch(container) {
  for (const language of LANGUAGES) {
    const button = el("button", { type: "button", lang: language, "data-language": language }, tables[language]["language.name"]);
    button.addEventListener("click", () => {
      keep("language", language);
      use(language);
    });
    container.append(button);
  }
  markSwitch();
}

function markSwitch() {
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === chosen));
  }
}

function use(language) {
  chosen = language;
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", text(element.dataset.label));
  for (const element of document.querySelectorAll("[data-placeholder]")) element.placeholder = text(element.dataset.placeholder);
  markSwitch();
  for (const listener of listeners) listener();
}
