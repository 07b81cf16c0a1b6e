/** Building elements. Text from outside only ever enters the page as text nodes. */

/** Returns the element with this id. */
export const byId = (id) => document.getElementById(id);

/** Builds an element; `null` attributes and children are left out, strings become text nodes. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Shows `text` in the element, or hides the element when there is none. */
export function showText(element, text) {
  element.textContent = text || "";
  element.hidden = !text;
}

/** Speaks a short sentence to screen readers, after what they are saying now. */
export function announce(sentence) {
  byId("announcer").textContent = sentence;
}
