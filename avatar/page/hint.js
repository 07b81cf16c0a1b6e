/** "Click to hear her": browsers play no sound before the first click. OBS does, so there it never shows. */

const PATIENCE_MS = 2000;

export class Hint {
  #silentSince = null;

  constructor(container, kind, onClick) {
    this.patience = kind === "studio" ? 0 : PATIENCE_MS;
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.className = "aneeka-hint";
    this.button.textContent = "Haz clic para oírla · Click to hear her";
    this.button.hidden = true;
    this.button.addEventListener("click", onClick);
    container.append(this.button);
  }

  draw(canSound, nowMs) {
    if (canSound) this.#silentSince = null;
    else this.#silentSince ??= nowMs;
    const due = this.#silentSince !== null && nowMs - this.#silentSince >= this.patience;
    const hidden = !due || window.obsstudio !== undefined;
    if (this.button.hidden !== hidden) this.button.hidden = hidden;
  }
}
