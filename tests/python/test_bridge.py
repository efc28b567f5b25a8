"""The bridge: loops, threads, cancellation and forks."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import pytest

from alter_sdk import App, _bridge, _engine
from scripted import APP_KEY, GRANT, WAIT, Scripted


async def call(app: App, server: Scripted, n: int = 1) -> Any:
    response = await app.request("GET", f"{server.url}/p/{n}", grant_id=GRANT)
    return response.json()


def test_many_calls_at_once(server: Scripted) -> None:
    async def main() -> None:
        async with App(APP_KEY) as app:
            answers = await asyncio.gather(*(call(app, server, n) for n in range(200)))
        assert answers == [{"hello": 1}] * 200

    asyncio.run(main())
    assert sorted(s.target for s in server.requests("/p/")) == sorted(f"/p/{n}" for n in range(200))


def test_a_cancelled_call_closes_its_socket(server: Scripted) -> None:
    server.answer("/p/", {}, hold=True)

    async def main() -> None:
        async with App(APP_KEY) as app:
            tasks = [asyncio.create_task(call(app, server, n)) for n in range(5)]
            await asyncio.to_thread(server.wait_for_requests, "/p/", 5)
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
            await asyncio.to_thread(server.wait_for_closed_while_held, 5)

    asyncio.run(main())
    assert server.requests("/sdk/oauth/audit") == []


def test_a_timeout_of_asyncio_closes_the_socket(server: Scripted) -> None:
    server.answer("/sdk/token", {}, hold=True)

    async def main() -> None:
        async with App(APP_KEY) as app:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(call(app, server), 0.2)
            await asyncio.to_thread(server.wait_for_closed_while_held, 1)

    asyncio.run(main())


def test_one_client_in_two_runs_of_asyncio(server: Scripted) -> None:
    app = App(APP_KEY)
    assert asyncio.run(call(app, server)) == {"hello": 1}
    assert asyncio.run(call(app, server)) == {"hello": 1}
    asyncio.run(app.close())


def test_one_client_on_loops_of_several_threads(server: Scripted) -> None:
    app = App(APP_KEY)
    answers: list[Any] = []

    def work() -> None:
        async def main() -> None:
            answers.extend(await asyncio.gather(*(call(app, server, n) for n in range(20))))

        asyncio.run(main())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [{"hello": 1}] * 80
    asyncio.run(app.close())


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop does not exist there")
def test_uvloop(server: Scripted) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def main() -> None:
        async with App(APP_KEY) as app:
            assert await asyncio.gather(*(call(app, server, n) for n in range(20))) == [{"hello": 1}] * 20
            server.answer("/p/", {}, hold=True)
            task = asyncio.create_task(call(app, server))
            await asyncio.to_thread(server.wait_for_requests, "/p/", 21)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await asyncio.to_thread(server.wait_for_closed_while_held, 1)

    loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


class NoReaders(asyncio.SelectorEventLoop):
    """A loop like Windows' proactor: it cannot watch a descriptor for us."""

    def __init__(self) -> None:
        super().__init__()
        self.refusing = True
        self.woken_from_outside = 0

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        raise NotImplementedError

    def call_soon_threadsafe(self, *args: Any, **kwargs: Any) -> Any:
        self.woken_from_outside += 1
        return super().call_soon_threadsafe(*args, **kwargs)


def test_a_loop_without_add_reader(server: Scripted) -> None:
    async def main() -> None:
        async with App(APP_KEY) as app:
            assert await asyncio.gather(*(call(app, server, n) for n in range(20))) == [{"hello": 1}] * 20

    loop = NoReaders()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
    assert loop.woken_from_outside > 0
    (pump,) = [thread for thread in threading.enumerate() if thread.name == "alter-completions"]
    del loop
    gc.collect()
    pump.join(WAIT)
    assert not pump.is_alive(), "the thread outlives its loop"


def test_a_loop_that_is_closed_in_mid_call_drops_the_call(server: Scripted) -> None:
    server.answer("/p/", {}, hold=True)
    app = App(APP_KEY)
    loop = asyncio.new_event_loop()
    task = loop.create_task(call(app, server))

    async def until_it_hangs() -> None:
        await asyncio.to_thread(server.wait_for_requests, "/p/", 1)

    loop.run_until_complete(until_it_hangs())
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()
    server.wait_for_closed_while_held(1)
    asyncio.run(app.close())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_client_made_before_a_fork_works_on_both_sides(server: Scripted) -> None:
    app = App(APP_KEY)
    assert asyncio.run(call(app, server, 0)) == {"hello": 1}

    child = os.fork()
    if child == 0:
        # Nothing of pytest may run here: the exit status is the verdict.
        status = 1
        try:

            async def in_child() -> bool:
                answers = await asyncio.gather(*(call(app, server, n) for n in range(10)))
                await app.close()
                return answers == [{"hello": 1}] * 10

            status = 0 if asyncio.run(in_child()) else 2
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert asyncio.run(call(app, server, 1)) == {"hello": 1}
    asyncio.run(app.close())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_in_mid_call_leaves_the_call_to_the_parent(server: Scripted) -> None:
    server.answer("/p/", {"late": True}, hold=True)

    async def main() -> None:
        async with App(APP_KEY) as app:
            task = asyncio.create_task(call(app, server))
            await asyncio.to_thread(server.wait_for_requests, "/p/", 1)
            child = os.fork()
            if child == 0:
                os._exit(0)
            _, status = await asyncio.to_thread(os.waitpid, child, 0)
            assert status == 0
            server.release()
            assert await task == {"late": True}

    asyncio.run(main())


needs_thread_list = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="the platform has no such list")


def engine_threads() -> int:
    tasks = Path("/proc/self/task").iterdir()
    return [(task / "comm").read_text().strip() for task in tasks].count("alter-engine")


@needs_thread_list
def test_while_forks_are_made_the_engine_has_no_thread(server: Scripted) -> None:
    async def main() -> None:
        async with App(APP_KEY) as app:
            assert await call(app, server, 0) == {"hello": 1}
            assert engine_threads() == 1
            _engine.before_fork()
            _engine.before_fork()  # another thread forks at the same time
            assert engine_threads() == 0
            begun = asyncio.create_task(call(app, server, 1))
            await asyncio.sleep(0)
            _engine.after_fork_in_parent()
            assert engine_threads() == 0
            _engine.after_fork_in_parent()
            assert await begun == {"hello": 1}

    asyncio.run(main())


@needs_thread_list
def test_where_python_counts_late_the_engine_goes_on_in_the_next_turn_of_a_loop(
    server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_bridge, "_THREADS_COUNTED_LATE", True)
    server.answer("/p/", {"late": True}, hold=True)

    async def main() -> None:
        async with App(APP_KEY) as app:
            task = asyncio.create_task(call(app, server))
            await asyncio.to_thread(server.wait_for_requests, "/p/", 1)
            _engine.before_fork()
            _bridge._after_fork_in_parent()
            assert engine_threads() == 0
            server.release()
            assert await task == {"late": True}

    asyncio.run(main())


@needs_thread_list
def test_where_python_counts_late_and_no_loop_is_left_the_engine_goes_on_at_once(
    server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_bridge, "_THREADS_COUNTED_LATE", True)
    monkeypatch.setattr(_bridge, "_queues", weakref.WeakKeyDictionary())

    async def main() -> None:
        async with App(APP_KEY) as app:
            assert await call(app, server) == {"hello": 1}

    asyncio.run(main())
    _engine.before_fork()
    assert engine_threads() == 0
    _bridge._after_fork_in_parent()
    deadline = time.monotonic() + WAIT
    while engine_threads() != 1:  # a new thread is listed before it has its name
        assert time.monotonic() < deadline


def test_forks_from_several_threads_while_calls_run(server: Scripted) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("the platform has no fork")
    statuses: list[int] = []

    def fork_often() -> None:
        for _ in range(5):
            child = os.fork()
            if child == 0:
                os._exit(0)
            statuses.append(os.waitpid(child, 0)[1])

    async def main() -> None:
        async with App(APP_KEY) as app:
            forks = [asyncio.to_thread(fork_often) for _ in range(3)]
            calls = [call(app, server, n) for n in range(100)]
            answers = await asyncio.gather(*calls, *forks)
            assert answers[:100] == [{"hello": 1}] * 100

    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        asyncio.run(main())
    assert statuses == [0] * 15
