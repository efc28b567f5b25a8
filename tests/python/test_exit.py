"""What a program waits for before it ends. How programs end in mid-call is what `cargo xtask endurance` looks at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scripted import APP_KEY, GRANT, Scripted

PROGRAMS = Path(__file__).resolve().parent / "programs" / "endurance"


def command(program: str, server: Scripted) -> list[str]:
    return [sys.executable, str(PROGRAMS / program), server.url, APP_KEY, GRANT, "0"]


def test_the_last_reports_are_sent_before_the_end(server: Scripted) -> None:
    program = command("fall_off_the_end.py", server)
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ))
    assert (done.returncode, done.stderr) == (0, "")
    reported = {report.json()["url"] for report in server.requests("/sdk/oauth/audit/api-call")}
    assert reported >= {f"{server.url}/p/{n}" for n in range(1, 20, 2)}


@pytest.mark.skipif(sys.platform == "win32", reason="signals work differently there")
def test_an_interrupted_program_ends_at_once(server: Scripted) -> None:
    server.answer("/held/", {}, hold=True)
    program = subprocess.Popen(command("end_in_mid_call.py", server), stderr=subprocess.DEVNULL)
    server.wait_for_requests("/held/", 1)
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
