"""The end of the interpreter: no crash, no hang, nothing on stderr, no report lost."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scripted import APP_KEY, GRANT, Scripted

PROGRAMS = Path(__file__).resolve().parent / "programs"
RUNS = 200


def run(program: str, server: Scripted) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROGRAMS / program), server.url, APP_KEY, GRANT]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ))


def run_often(program: str, server: Scripted, runs: int) -> list[tuple[int, str]]:
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        finished = pool.map(lambda _: run(program, server), range(runs))
        return [(done.returncode, done.stderr) for done in finished]


def test_a_program_that_falls_off_its_end(server: Scripted) -> None:
    assert run_often("fall_off_the_end.py", server, RUNS) == [(0, "")] * RUNS


def test_a_program_that_ends_in_mid_call(server: Scripted) -> None:
    server.answer("/p/", {}, hold=True)
    assert run_often("end_in_mid_call.py", server, 20) == [(0, "")] * 20


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_getters_cancellation_threads_and_a_fork_in_one_life(server: Scripted) -> None:
    assert run_often("getter_cancel_fork_end.py", server, 40) == [(0, "")] * 40


def test_the_last_reports_are_sent_before_the_end(server: Scripted) -> None:
    done = run("fall_off_the_end.py", server)
    assert (done.returncode, done.stderr) == (0, "")
    reported = {report.json()["url"] for report in server.requests("/sdk/oauth/audit/api-call")}
    assert reported >= {f"{server.url}/p/{n}" for n in range(1, 50, 2)}


@pytest.mark.skipif(sys.platform == "win32", reason="signals work differently there")
def test_an_interrupted_program_ends_at_once(server: Scripted) -> None:
    import signal

    server.answer("/p/", {}, hold=True)
    command = [sys.executable, str(PROGRAMS / "end_in_mid_call.py"), server.url, APP_KEY, GRANT]
    program = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    server.wait_for_requests("/p/", 1)
    program.send_signal(signal.SIGINT)
    assert program.wait(timeout=30) in (0, 1, -signal.SIGINT)


AFTER_THE_ENGINE = """
import asyncio, atexit

atexit.register(lambda: asyncio.run(call()))  # before the package's own, and so called after it
from alter_sdk import App

app = App(KEY)


async def call():
    try:
        await app.request("GET", URL + "/p/1", grant_id=GRANT)
    except RuntimeError as refused:
        print(refused)


asyncio.run(call())
"""


def test_a_call_after_the_end_of_the_engine_is_refused(server: Scripted) -> None:
    program = f"KEY, GRANT, URL = {APP_KEY!r}, {GRANT!r}, {server.url!r}\n{AFTER_THE_ENGINE}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    told = "the Python interpreter is shutting down, so no call can be started\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, told, "")
