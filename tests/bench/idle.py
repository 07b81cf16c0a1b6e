"""Processor and memory while nothing happens and her page is open in a browser, her body moving at 60 Hz.

Counts the program alone and with its children; the browser is not counted. Resident memory counts what the processes
share once in each; on Linux ``pss_mb_of_all`` counts it once.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time

from playwright.sync_api import sync_playwright

from tests.bench.program import running


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    seconds = parser.parse_args().seconds
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with running("run", "--no-open", ANEEKA_STAGE__SOUND="auto") as program, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.goto(program.ask("GET", "/api/state")["obs"]["stage"])
        page.wait_for_timeout(5000)
        before = [(p.pid, sum(p.cpu_times()[:2])) for p in program.family()]
        started = time.monotonic()
        page.wait_for_timeout(seconds * 1000)
        took = time.monotonic() - started
        family = {p.pid: p for p in program.family()}
        shares = {pid: (sum(family[pid].cpu_times()[:2]) - spent) / took for pid, spent in before}
        own, *children = before
        print(
            json.dumps(
                {
                    "seconds": round(took, 1),
                    "cpu_share": round(shares[own[0]], 4),
                    "cpu_share_of_children": round(sum(shares[pid] for pid, _ in children), 4),
                    "rss_mb": round(family[own[0]].memory_info().rss / 2**20, 1),
                    "rss_mb_of_children": [round(family[pid].memory_info().rss / 2**20, 1) for pid, _ in children],
                    "pss_mb_of_all": round(
                        sum(getattr(one.memory_full_info(), "pss", 0) for one in family.values()) / 2**20, 1
                    ),
                }
            )
        )
        browser.close()


if __name__ == "__main__":
    main()
