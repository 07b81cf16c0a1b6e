"""How long she is heard after a moderator bans whom she is answering, in the living program.

``python -m tests.bench.moderation [--times N]``: each ban comes at a random moment of her answer. ``clock``: from just
before the request is sent until the last audible sample, by the turn record's marks. ``page``: the same in a browser
that plays her, from the click's time until the last frame whose sound level is not silence (a frame is 16 ms, and the
level looks 21 ms back).
"""

from __future__ import annotations

import argparse
import random
import shutil
import time
from typing import Any

from playwright.sync_api import Page, sync_playwright

from bot.timing import percentile
from tests.bench.program import Program, running
from tests.browser import OPTIONS

LISTEN = """() => {
  window.loudAt = 0;
  const look = () => {
    if (window.aneeka.rms > 0.001) window.loudAt = performance.now();
    requestAnimationFrame(look);
  };
  look();
}"""
BAN = """async (user) => {
  window.pressedAt = performance.now();
  await fetch(`/api/chat?user_id=${user}&seconds=0`, { method: "DELETE" });
}"""


def speak(program: Program, number: int) -> tuple[str, str]:
    """Have her answer a viewer; return the viewer and the message, some moments into the answer."""
    user = f"viewer{number}"
    words = ("".join(random.choices("aeiolmnrst", k=6)) for _ in range(6))  # nobody says it twice
    said = f"Aneeka, ¿qué es {' '.join(words)}?"
    heard = program.ask("POST", "/api/chat", {"user": user, "user_id": user, "text": said})["id"]
    program.until(lambda state: state["doing"] == "speaking")
    time.sleep(random.uniform(0.1, 1.0))
    return user, heard


def by_the_clock(program: Program, number: int) -> float | None:
    user, heard = speak(program, number)
    asked_s = time.monotonic()
    was = program.ask("DELETE", f"/api/chat?user_id={user}&seconds=0")["was"]
    turn = program.turn_of(heard)
    marks = turn["marks_ms"]
    if was != "speaking" or turn["cut"] != "withdrawn":
        return None
    last_s: float = turn["audible_at_s"] + (marks["last_audible"] - marks["first_audible"]) / 1000
    return (last_s - asked_s) * 1000


def by_the_page(program: Program, page: Page, number: int) -> float | None:
    user, heard = speak(program, number)
    page.evaluate(BAN, user)
    page.wait_for_timeout(700)
    if program.turn_of(heard)["cut"] != "withdrawn":
        return None
    late_ms: float = page.evaluate("window.loudAt - window.pressedAt")
    return late_ms


def show(name: str, found: list[float | None]) -> None:
    late = [one for one in found if one is not None]
    figures = " ".join(f"p{share} {percentile(late, share / 100):.1f}" for share in (50, 95, 100)) if late else "-"
    print(f"{name}: {len(late)} of {len(found)} in mid-answer, ms until silence: {figures}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=30)
    times = parser.parse_args().times
    engine: dict[str, Any] = {"ANEEKA_LLM__ENGINE": "understudy"}
    with running("run", "--no-open", **engine) as program:
        show("clock", [by_the_clock(program, number) for number in range(times)])
    browser_sounds = engine | {"ANEEKA_STAGE__SOUND": "browser"}
    with running("run", "--no-open", **browser_sounds) as program, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        page = browser.new_page()
        page.goto(program.address)
        program.until(lambda state: state["sound"]["output"] == "browser")
        page.evaluate(LISTEN)
        show("page", [by_the_page(program, page, number) for number in range(times)])
        browser.close()


if __name__ == "__main__":
    main()
