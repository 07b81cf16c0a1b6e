"""The recognisers in their order: whoever fails hands all of the sound to the next, and is taken back when it is well.

The sound of an utterance is kept until it is closed, so that nothing said is lost over a failure in the middle of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from bot.supervisor import Board
from bot.texts import text
from bot.vocabulary import EngineDown, Health, Pcm, Recogniser, Transcript, Utterance

log = logging.getLogger(__name__)

PROBES_S = (5.0, 15.0, 60.0)
"""How long one that failed is left alone before each trial; the last pause repeats."""
PROBE_S = 20.0
"""How long a trial may take."""
BACK_S = 6.0
"""How long what was said waits for the best recogniser to come back where no other is left: a child is loaded again."""


class Rung:
    """One recogniser with its state."""

    def __init__(self, recogniser: Recogniser) -> None:
        self.recogniser = recogniser
        self.own = Health("hearing", "ok")
        """What it says about itself."""
        self.failure: EngineDown | None = None
        """Why it was left; ``None``: it may serve."""
        self.probing: asyncio.Task[None] | None = None

    @property
    def health(self) -> Health:
        """What its light shows."""
        if self.failure is not None and self.own.state == "ok":
            return Health("hearing", "down", self.failure.reason, self.failure.repair)
        return self.own

    @property
    def able(self) -> bool:
        """Whether it is worth asking."""
        return self.failure is None and self.health.state == "ok"


class RecogniserLadder:
    """Implements ``vocabulary.Recogniser`` with as many recognisers as there are; with none it is off."""

    def __init__(self, recognisers: Sequence[Recogniser], board: Board) -> None:
        self._rungs = [Rung(recogniser) for recogniser in recognisers]
        self._board = board
        self.name = recognisers[0].name if recognisers else "off"
        self.served = self.name
        """Who wrote the newest transcript."""
        self._light()

    async def ready(self, timeout_s: float) -> bool:
        """Wait until any of them can listen."""
        tries = [asyncio.ensure_future(rung.recogniser.ready(timeout_s)) for rung in self._rungs]
        try:
            for ready in asyncio.as_completed(tries):
                if await ready:
                    return True
            return False
        finally:
            for ready in tries:
                ready.cancel()

    async def close(self) -> None:
        """End the trials."""
        probes = [rung.probing for rung in self._rungs if rung.probing]
        for probe in probes:
            probe.cancel()
        if probes:
            await asyncio.wait(probes)

    def begin(self, on_partial: Callable[[str], None]) -> LadderUtterance:
        """Begin an utterance with the best one that is able."""
        return LadderUtterance(self, on_partial)

    def on_health(self, recogniser: Recogniser, health: Health) -> None:
        """Take what a recogniser says about itself; one that says it is well is taken back."""
        for rung in self._rungs:
            if rung.recogniser is recogniser:
                rung.own = replace(health, part="hearing")
                if health.state == "ok":
                    rung.failure = None
        self._light()

    def order(self) -> list[Rung]:
        """Return all rungs, those that are able first."""
        return sorted(self._rungs, key=lambda rung: not rung.able)

    def failed(self, rung: Rung, down: EngineDown) -> None:
        """Leave a recogniser until a trial shows that it is well."""
        log.warning("recogniser %s failed: %s", rung.recogniser.name, down.reason)
        rung.failure = down
        if rung.probing is None or rung.probing.done():
            rung.probing = asyncio.get_running_loop().create_task(self._probe(rung))
        self._light()

    def succeeded(self, rung: Rung) -> None:
        """Note who serves."""
        self.served = rung.recogniser.name
        if rung.failure is not None:
            rung.failure = None
            self._light()

    async def _probe(self, rung: Rung) -> None:
        tried = 0
        while rung.failure is not None:
            await asyncio.sleep(PROBES_S[min(tried, len(PROBES_S) - 1)])
            tried += 1
            if rung.failure is not None and await rung.recogniser.ready(PROBE_S):
                rung.failure = None
        self._light()

    def _light(self) -> None:
        if not self._rungs:
            self._board.report(Health("hearing", "off", text("recognisers.off")))
            return
        if len(self._rungs) > 1:
            for rung in self._rungs:
                self._board.report(replace(rung.health, part=f"hearing_{rung.recogniser.name}"))
        first = self._rungs[0].health
        serving = next((rung.recogniser.name for rung in self._rungs if rung.able), "")
        state = "degraded" if serving not in (self.name, "") else first.state
        self._board.report(replace(first, state=state, serving=serving))


class LadderUtterance:
    """Implements ``vocabulary.Utterance`` on whichever recogniser is able."""

    def __init__(self, ladder: RecogniserLadder, on_partial: Callable[[str], None]) -> None:
        self._ladder = ladder
        self._on_partial = on_partial
        self._sound: list[Pcm] = []
        self._left: list[Rung] = ladder.order()
        self._best = self._left[0] if self._left else None
        """Who is waited for, once, when all have failed."""
        self._first_failure: EngineDown | None = None
        self._rung: Rung | None = None
        self._utterance: Utterance | None = None
        self._next()

    def feed(self, pcm: Pcm) -> None:
        """Append sound."""
        self._sound.append(pcm)
        if self._utterance is not None:
            self._utterance.feed(pcm)

    async def text_so_far(self) -> Transcript:
        """Return what was said in all that has been fed, by whoever can tell. Raises ``EngineDown`` when nobody can."""
        while self._utterance is not None or await self._comes_back():
            assert self._rung
            assert self._utterance
            rung, utterance = self._rung, self._utterance
            try:
                transcript = await utterance.text_so_far()
            except EngineDown as down:
                if utterance is self._utterance:
                    self._first_failure = self._first_failure or down
                    self._ladder.failed(rung, down)
                    self._next()
            else:
                self._ladder.succeeded(rung)
                return transcript
        raise self._first_failure or EngineDown(text("recognisers.off"), text("recognisers.off_repair"))

    def close(self) -> None:
        """Drop it."""
        if self._utterance is not None:
            self._utterance.close()
        self._utterance, self._best, self._sound, self._left = None, None, [], []

    async def _comes_back(self) -> bool:
        """Wait for the best one, and begin anew with it if it is well."""
        best = self._best
        if best is None or not await best.recogniser.ready(BACK_S):
            return False
        if best is self._best:
            self._best, self._left = None, [best]
            self._next()
        return self._utterance is not None

    def _next(self) -> None:
        """Go on with the next recogniser, from the first sample."""
        if self._utterance is not None:
            self._utterance.close()
        self._rung, self._utterance = None, None
        if self._left:
            self._rung = self._left.pop(0)
            begun = self._utterance = self._rung.recogniser.begin(lambda said: self._heard(begun, said))
            for pcm in self._sound:
                begun.feed(pcm)

    def _heard(self, source: Utterance, said: str) -> None:
        if source is self._utterance:
            self._on_partial(said)
