/** The small bubble that says whom she is answering. Viewers' text is shown as text, whatever it holds. */

const LONGEST_TEXT = 140;

export class CardView {
  constructor(container) {
    this.root = document.createElement("div");
    this.root.className = "aneeka-card";
    this.user = document.createElement("b");
    this.text = document.createElement("span");
    this.root.append(this.user, this.text);
    this.root.hidden = true;
    container.append(this.root);
  }

  /** Shows a `card` message; one without a text takes the bubble away. */
  show({ user, text }) {
    this.user.textContent = user ? String(user) : "";
    this.text.textContent = shorten(String(text ?? ""));
    this.root.hidden = !text;
  }

  close() {
    this.root.remove();
  }
}

function shorten(text) {
  const letters = Array.from(text);
  return letters.length > LONGEST_TEXT ? letters.slice(0, LONGEST_TEXT - 1).join("") + "…" : text;
}
