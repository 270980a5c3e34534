"""Coroutines from where there is no event loop, or one that is under way already."""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Coroutine, Tuple, TypeVar

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a thread of its own, for notebooks have a loop under way.

    Examples:
        >>> run(client.owner())[0]["access_roles"]
        ['administrator']
    """
    begun: Future[Tuple[asyncio.AbstractEventLoop, Any]] = Future()

    async def main() -> T:
        begun.set_result((asyncio.get_running_loop(), asyncio.current_task()))
        return await coroutine

    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(asyncio.run, main())
        try:
            return done.result()
        except BaseException:
            if not done.done():
                loop, task = begun.result()
                loop.call_soon_threadsafe(task.cancel)
            raise
