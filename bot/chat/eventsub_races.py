"""Three ways to run several coroutines at once and to leave none behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def first_to_end(*works: Coroutine[Any, Any, T]) -> T:
    """Run all until one ends, end the others, and return or raise what it did; of several, the first named counts."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _end(tasks)
    return next(task for task in tasks if task in done).result()


async def until_one_fails(*works: Coroutine[Any, Any, None]) -> None:
    """Run all until they have ended; when one raises, end the others and raise the same."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        await _end(tasks)


async def hedged(
    start: Callable[[], Coroutine[Any, Any, T]], again_s: float, limit_s: float, drop: Callable[[T], None]
) -> T:
    """Start something that may hang, again every ``again_s`` seconds, until one try ends; it decides.

    ``drop`` gets the result of a try that was not needed. Raises ``TimeoutError`` after ``limit_s``.
    """
    tries: list[asyncio.Task[T]] = []
    winner: asyncio.Task[T] | None = None
    try:
        async with asyncio.timeout(limit_s):
            while winner is None:
                tries.append(asyncio.create_task(start()))
                done, _ = await asyncio.wait(tries, timeout=again_s, return_when=asyncio.FIRST_COMPLETED)
                winner = next((one for one in tries if one in done), None)
    finally:
        await _end(tries)
        for one in tries:
            if one is not winner and not one.cancelled() and one.exception() is None:
                drop(one.result())
    return winner.result()


async def _end(tasks: list[asyncio.Task[T]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
