"""A local Twitch for tests: EventSub socket, Helix, sign-in and IRC, as strict as Twitch's documents."""

from tests.local_twitch.garbage import GARBAGE
from tests.local_twitch.payloads import cheermote, emote, mention, text
from tests.local_twitch.server import LocalTwitch

__all__ = ["GARBAGE", "LocalTwitch", "cheermote", "emote", "mention", "text"]
