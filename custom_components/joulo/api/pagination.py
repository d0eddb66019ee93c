"""Reads a whole range of charging sessions, a page at a time."""

from datetime import datetime

from .client import JouloClient
from .errors import JouloResponseError
from .models import ChargingSession, Cursor


class SessionPaginator:
    """Walks a range newest first by keyset: the next page ends where the last one began.

    Paging by offset alone would skip sessions when one is removed meanwhile. Between two pages the
    caller lets the rate limiter's interval pass; an error leaves the walk where it was.
    """

    def __init__(
        self, client: JouloClient, *, since: datetime | None = None, until: Cursor | None = None
    ) -> None:
        """Begin at the newest session, or at `until`; end at `since`, included."""
        self.complete = False
        self.truncated = False
        """Whether a page was empty that begins with a session known to be there: a hiccup, or it has just gone."""
        self._client = client
        self._since = since
        self.until = until
        """Where the next page begins: with it a walk can be taken up again."""
        self._offset = 0
        self._brought: set[str] = set()
        self.seen: set[str] = set()
        """The ids of all sessions so far, readable or not."""

    async def read_page(self) -> tuple[ChargingSession, ...]:
        """Return the next page's sessions that no page brought before; then `complete` may be true."""
        response = await self._client.session_page(
            since=self._since, until=self.until, offset=self._offset
        )
        page = response.data
        fresh = tuple(session for session in page.sessions if session.id not in self._brought)
        self._brought.update(session.id for session in fresh)
        has_news = not page.ids <= self.seen
        self.seen |= page.ids
        if not page.full:
            self.complete = True
            self.truncated = self.until is not None and not self._offset and not page.rows
        elif has_news and page.oldest not in {None, self.until}:
            self.until, self._offset = page.oldest, 0
        elif has_news or not self._offset:
            # More sessions share this moment than fit on a page: step on inside it.
            self._offset += page.rows
        else:
            raise JouloResponseError("its pages repeat themselves")
        return fresh
