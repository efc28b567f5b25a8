"""Log lines and warnings: which logger gets them, and that none of them breaks a call."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import warnings
from typing import Any

import pytest

from alter_sdk import App
from scripted import APP_KEY, GRANT, Scripted


class Recorder:
    """The least that is a logger."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def warning(self, message: str, *args: Any) -> None:
        self.lines.append(message % args)


class Broken:
    def warning(self, *_: Any) -> None:
        raise RuntimeError("the logger is broken")


async def call(app: App, server: Scripted) -> int:
    return (await app.request("GET", f"{server.url}/p/x", grant_id=GRANT)).status_code


def test_a_report_that_the_vault_refuses_is_a_log_line(server: Scripted) -> None:
    server.answer("/sdk/oauth/audit", {"message": "needs 100% of a scope"}, status=403)
    logger = Recorder()

    async def main() -> None:
        async with App(APP_KEY, logger=logger) as app:  # type: ignore[arg-type]
            assert await call(app, server) == 200

    asyncio.run(main())
    assert any("needs 100% of a scope" in line and "403" in line for line in logger.lines), logger.lines


def test_the_package_has_a_logger_of_its_own(server: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    server.answer("/sdk/oauth/audit", {"message": "refused-here"}, status=403)

    async def main() -> None:
        async with App(APP_KEY) as app:
            await call(app, server)

    asyncio.run(main())
    assert any(record.name == "alter_sdk" and "refused-here" in record.getMessage() for record in caplog.records)


def test_a_broken_logger_breaks_nothing(server: Scripted) -> None:
    server.answer("/sdk/oauth/audit", {}, status=403)

    async def main() -> None:
        async with App(APP_KEY, logger=Broken()) as app:  # type: ignore[arg-type]
            assert await call(app, server) == 200

    asyncio.run(main())


def test_a_deprecated_key_warns_once_at_the_callers_line(server: Scripted) -> None:
    server.answer("/sdk/token", {"access_token": "t", "grant_id": GRANT}, headers={"X-Alter-Key-Deprecated": "true"})

    async def main() -> None:
        async with App(APP_KEY) as app:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                for _ in range(3):
                    await app.request("GET", f"{server.url}/p/x", grant_id=GRANT)
            (warning,) = caught
            assert warning.category is UserWarning
            assert warning.filename == __file__
            assert str(warning.message).startswith("alter_sdk: ")

    asyncio.run(main())


def test_where_warnings_are_errors_the_logger_gets_them(server: Scripted) -> None:
    server.answer("/sdk/token", {"access_token": "t", "grant_id": GRANT}, headers={"X-Alter-Key-Deprecated": "true"})
    logger = Recorder()

    async def main() -> None:
        async with App(APP_KEY, logger=logger) as app:  # type: ignore[arg-type]
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                assert await call(app, server) == 200

    asyncio.run(main())
    assert any(line.startswith("alter_sdk: ") for line in logger.lines)


def test_a_program_without_logging_gets_nothing_on_stderr(server: Scripted) -> None:
    program = f"""
import asyncio
from alter_sdk import App

async def main():
    async with App({APP_KEY!r}) as app:
        await app.request("GET", {server.url + "/p/x"!r}, grant_id={GRANT!r})

asyncio.run(main())
"""
    server.answer("/sdk/oauth/audit", {}, status=403)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
