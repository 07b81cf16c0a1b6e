"""What the studio's light says about VTube Studio: one reason and one repair line a state."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping

from avatar.vts_client import API_OFF, VtsError
from avatar.vts_discovery import Sightings
from avatar.vts_login import Asking
from avatar.vts_model import Model
from bot.texts import text
from bot.vocabulary import Health, State

log = logging.getLogger(__name__)

PART = "vtube_studio"
ABSENT = {"gone": "not_running", "off": "api_off", "on": "silent"}
"""Why no connection comes about, by what was heard of VTube Studio on the network."""


class Silent(ConnectionError):
    """Connected, but nothing is answered."""


class Light:
    """Tells ``on_health`` each change of the light once."""

    def __init__(self, on_health: Callable[[Health], None], sightings: Sightings) -> None:
        self.health = Health(PART, "off")
        self._on_health = on_health
        self._sightings = sightings

    def absent(self) -> None:
        """No connection comes about."""
        self._report("down", ABSENT[self._sightings.state()])

    def asking(self, asking: Asking, was_revoked: bool) -> None:
        """The user is being asked."""
        self._report("down", "revoked_asked" if asking == "asked" and was_revoked else asking)

    def unwanted(self, was_revoked: bool) -> None:
        """The user said no, or took the permission back."""
        self._report("down", "revoked" if was_revoked else "denied")

    def ended(self, error: Exception, was_in: bool) -> None:
        """A session has ended, after she was let in or before."""
        if isinstance(error, VtsError) and error.error_id == API_OFF:
            self._report("down", "api_off")
        elif isinstance(error, VtsError):
            self._report("down", "refused", code=error.error_id, message=error.message)
        elif isinstance(error, TimeoutError | Silent):
            self._report("down", "silent")
        elif isinstance(error, ConnectionError):
            self._report("down", "lost") if was_in else self.absent()
        else:
            log.error("the session with VTube Studio failed", exc_info=error)
            self._report("down", "failed", error=type(error).__name__)

    def works(
        self,
        model: Model,
        moods: Mapping[str, str],
        *,
        missing: Mapping[str, str],
        held: Collection[str],
        slow: bool,
    ) -> None:
        """She moves the model, though maybe not as well as she could."""
        if not model.name:
            self._report("degraded", "no_model")
        elif held:
            self._report("degraded", "held", names=", ".join(sorted(held)))
        elif slow:
            self._report("degraded", "slow")
        elif missing:
            offers = ", ".join([*model.expressions, *(key.name for key in model.hotkeys if key.name)]) or "-"
            names = ", ".join(f"{mood} = {target}" for mood, target in missing.items())
            self._report("degraded", "missing", names=names, model=model.name, offers=offers)
        else:
            self._report("ok", "moves", model=model.name, moods=", ".join(moods) or "-")

    def _report(self, state: State, why: str, **values: object) -> None:
        reason = text(f"vtube_studio.{why}", **values)
        repair = "" if state == "ok" else text(f"vtube_studio.{why}_repair", **values)
        health = Health(PART, state, reason, repair)
        if health != self.health:
            self.health = health
            self._on_health(health)
