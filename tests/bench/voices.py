"""Voices that fail in mid-reply, in every way and at any moment: no word is lost or said twice, no pause is long.

``python -m tests.bench.voices --replies 200``; ends with an error at the first reply that is not as it should be. In
virtual time.
"""

from __future__ import annotations

import argparse

from tests.test_voice_ladder import lose_nothing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replies", type=int, default=200)
    replies = parser.parse_args().replies
    lose_nothing(replies)
    print(f"{replies} replies, nothing lost")


if __name__ == "__main__":
    main()
