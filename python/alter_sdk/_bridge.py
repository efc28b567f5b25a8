"""The Python half of the bridge to the engine.

The engine's threads never touch Python. What they finish waits in the queue of the event loop that asked for it; the
loop watches the queue's descriptor, and its own thread resolves the futures. This module gives each loop its queue, and
ends the engine before the interpreter ends.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import threading
import weakref
from importlib import import_module
from typing import TYPE_CHECKING, Any

from alter_sdk import _engine
from alter_sdk._telemetry import current_span

if TYPE_CHECKING:
    from collections.abc import Callable

    Starter = Callable[[_engine.Queue, asyncio.Future[Any]], _engine.Operation]

_queues: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _engine.Queue] = weakref.WeakKeyDictionary()
_pumps: dict[_engine.Queue, threading.Thread] = {}

# These versions count the threads of a process that forks, in order to warn of them, only after the functions that may
# start them again have run (https://github.com/python/cpython/issues/137109).
_THREADS_COUNTED_LATE = (3, 13) <= sys.version_info < (3, 13, 10) or (3, 14) <= sys.version_info < (3, 14, 1)

# Queues inherited through a fork. Closing their descriptors in the child would take them out of a selector that the
# child may share with its parent, so they are kept and never used.
_inherited: list[Any] = []


def queue_of(loop: asyncio.AbstractEventLoop) -> _engine.Queue:
    """The completion queue of a running loop, made at its first call."""
    queue = _queues.get(loop)
    if queue is None:
        queue = _engine.Queue()
        _watch(loop, queue)
        _queues[loop] = queue
    return queue


def _watch(loop: asyncio.AbstractEventLoop, queue: _engine.Queue) -> None:
    descriptor = queue.fileno()
    if descriptor is not None:
        try:
            loop.add_reader(descriptor, queue.drain)
        except NotImplementedError:
            pass  # a loop that waits for completions of the system's, not for descriptors
        else:
            return
    thread = threading.Thread(target=_pump, args=(weakref.ref(loop), queue), name="alter-completions", daemon=True)
    _pumps[queue] = thread
    weakref.finalize(loop, queue.close).atexit = False
    thread.start()


def _pump(loop_ref: weakref.ref[asyncio.AbstractEventLoop], queue: _engine.Queue) -> None:
    """Wakes a loop that cannot watch a descriptor: one call into it for each batch of completions."""
    while queue.wait():
        loop = loop_ref()
        try:
            if loop is not None:
                loop.call_soon_threadsafe(queue.drain)
        except RuntimeError:
            break  # the loop is closed
        finally:
            del loop
    _pumps.pop(queue, None)


async def run(start: Starter) -> Any:
    """Runs one operation of the engine and returns its result.

    Cancelling the awaiting task gives the operation up, which closes its connection.
    """
    loop = asyncio.get_running_loop()
    queue = queue_of(loop)
    future: asyncio.Future[Any] = loop.create_future()
    operation = start(queue, future)
    try:
        return await future
    except BaseException:
        operation.cancel()
        raise


def _shutdown() -> None:
    """Ends the engine while the interpreter is still whole: afterwards no thread of ours exists."""
    _engine.shutdown()
    for queue, thread in list(_pumps.items()):
        queue.close()
        thread.join()


def _before_fork() -> None:
    # Another thread may be about to import these for its first response. The child would inherit the lock and wait
    # for ever for a thread that it does not have, so they are imported before any fork of several threads.
    if len(sys._current_frames()) > 1:  # pyright: ignore[reportPrivateUsage] - documented, and the only count that has all
        for name in ("alter_sdk._response", "alter_sdk.models", "alter_sdk._operations"):
            import_module(name)
        current_span()
    _engine.before_fork()


def _after_fork_in_parent() -> None:
    queues = [queue for loop, queue in list(_queues.items()) if not loop.is_closed()] if _THREADS_COUNTED_LATE else []
    _engine.after_fork_in_parent(not queues)
    for queue in queues:
        queue.go_on()


def _after_fork_in_child() -> None:
    _engine.after_fork_in_child()
    _inherited.extend((dict(_queues), dict(_pumps)))
    _queues.clear()
    _pumps.clear()


atexit.register(_shutdown)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
