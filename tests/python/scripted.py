"""A vault and a provider on loopback that answer what a test tells them to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from dataclasses import dataclass, field
from typing import Any

APP_KEY = "alter_rk_abcdefghijklmnopqrstuv_iwpykn"
AGENT_KEY = "alter_ak_k7q2mzt4yb6xw3n5p2adfh_4gj2vw"
GRANT = "11111111-1111-4111-8111-111111111111"
AGENT_ID = "22222222-2222-4222-8222-222222222222"

# Looked for wherever a credential must not be.
SECRET = "tok-canary-9f3b77"

TOKEN = {"access_token": SECRET, "grant_id": GRANT, "provider_id": "google"}

WAIT = 20.0


@dataclass
class Seen:
    """One request that arrived."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    """What requests whose target begins with `at` get."""

    at: str
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    hold: bool = False


class Scripted:
    """The server: its own thread and loop, so that a test may do what it likes with its own."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._answers: list[Answer] = []
        self._all: list[Seen] = []
        self._closed_while_held = 0
        self._connections = 0
        self._open = 0
        self._held: list[asyncio.Event] = []
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve_for_ever, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(WAIT)

    def _serve_for_ever(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def reset(self) -> None:
        """Forgets what came, and answers as a healthy vault and provider again."""
        self.release()
        with self._changed:
            self._all.clear()
            self._answers = [
                Answer("/sdk/token", body=json.dumps(TOKEN).encode()),
                Answer("/sdk/", body=b"{}"),
                Answer("/p/", body=b'{"hello": 1}'),
            ]
            self._closed_while_held = 0
            self._connections = 0

    def answer(self, at: str, payload: Any = None, *, raw: bytes | None = None, **more: Any) -> None:
        """Sets the answer of a target; a later one wins over an earlier one."""
        body = json.dumps(payload).encode() if raw is None else raw
        with self._changed:
            self._answers.insert(0, Answer(at, body=body, **more))

    def release(self) -> None:
        """Lets every held request have its answer."""
        with self._changed:
            held, self._held = self._held, []
            for answer in self._answers:
                answer.hold = False
        for event in held:
            self._loop.call_soon_threadsafe(event.set)

    def requests(self, at: str = "/") -> list[Seen]:
        with self._changed:
            return [seen for seen in self._all if seen.target.startswith(at)]

    def wait_for_requests(self, at: str, count: int) -> list[Seen]:
        with self._changed:
            enough = self._changed.wait_for(
                lambda: len([s for s in self._all if s.target.startswith(at)]) >= count, WAIT
            )
        assert enough, f"{count} requests to {at} did not come: {[s.target for s in self._all]}"
        return self.requests(at)

    def wait_for_closed_while_held(self, count: int) -> None:
        """Waits until that many connections were closed by the client in the middle of a held request."""
        with self._changed:
            enough = self._changed.wait_for(lambda: self._closed_while_held >= count, WAIT)
        assert enough, f"only {self._closed_while_held} of {count} held connections were closed"

    def wait_until_all_closed(self) -> None:
        """Waits until the clients have closed every connection."""
        with self._changed:
            closed = self._changed.wait_for(lambda: self._open == 0, WAIT)
        assert closed, f"{self._open} connections are still open"

    @property
    def connections(self) -> int:
        with self._changed:
            return self._connections

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with self._changed:
            self._connections += 1
            self._open += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                seen = await self._read(reader)
                answer = self._record(seen)
                if answer.hold and not await self._hold(reader):
                    break
                writer.write(_encode(answer, head=seen.method == "HEAD"))
                await writer.drain()
        writer.close()
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    async def _read(self, reader: asyncio.StreamReader) -> Seen:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ", 2)
        headers = [(k, v.strip()) for k, _, v in (line.partition(":") for line in head[1:] if line)]
        seen = Seen(method, target, headers, b"")
        seen.body = await reader.readexactly(int(seen.header("content-length") or 0))
        return seen

    def _record(self, seen: Seen) -> Answer:
        with self._changed:
            self._all.append(seen)
            self._changed.notify_all()
            return next((a for a in self._answers if seen.target.startswith(a.at)), Answer("/", status=404))

    async def _hold(self, reader: asyncio.StreamReader) -> bool:
        """Waits for the release; false if the client went away first."""
        event = asyncio.Event()
        with self._changed:
            self._held.append(event)
        released = asyncio.ensure_future(event.wait())
        gone = asyncio.ensure_future(reader.read(1))
        await asyncio.wait({released, gone}, return_when=asyncio.FIRST_COMPLETED)
        if released.done():
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await gone
            return True
        released.cancel()
        with self._changed:
            self._closed_while_held += 1
            self._changed.notify_all()
        return False


def _encode(answer: Answer, *, head: bool) -> bytes:
    bodiless = answer.status in (204, 304)
    headers = {"content-type": "application/json", **answer.headers}
    if not bodiless:
        headers["content-length"] = str(len(answer.body))
    text = f"HTTP/1.1 {answer.status} Fine\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n"
    return text.encode("latin-1") + (b"" if head or bodiless else answer.body)
