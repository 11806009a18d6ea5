"""Clients that send a request drop by drop, or do not take the answer, and would hold a connection for ever."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE = 20.0
"""Seconds in which nothing may come, and in which a request has to come that is short."""
SLOWEST = 20_000.0
"""Bytes per second that a longer one has to reach on average."""
CHECK_SECONDS = 0.5


class ImpatientProtocol(H11Protocol):
    """HTTP that cuts clients off which are too slow; between two requests uvicorn itself does."""

    _began = _last = 0.0  # when the first and the last bytes of the request came
    _received = 0
    _full_since: float | None = None  # since when the client has not taken what was sent
    _check: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - as uvicorn has it
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._began = self._last = self.loop.time()
        self._check = self.loop.call_later(CHECK_SECONDS, self._cut_off_if_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        if self._check is not None:
            self._check.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Note how much has come, and when."""
        self._last = self.loop.time()
        if self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]:
            self._began, self._received = self._last, 0
        self._received += len(data)
        super().data_received(data)

    def pause_writing(self) -> None:
        """Note that the client does not keep up."""
        self._full_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that it has."""
        self._full_since = None
        super().resume_writing()

    def _cut_off_if_slow(self) -> None:
        now = self.loop.time()
        is_sending = self.conn.their_state in (h11.IDLE, h11.SEND_BODY) and not self._waits_between_requests()
        due = min(self._last, self._began + self._received / SLOWEST) + PATIENCE
        if (is_sending and now > due) or (self._full_since is not None and now > self._full_since + PATIENCE):
            self.transport.abort()
        else:
            self._check = self.loop.call_later(CHECK_SECONDS, self._cut_off_if_slow)

    def _waits_between_requests(self) -> bool:
        return self.timeout_keep_alive_task is not None and self.conn.their_state is h11.IDLE
