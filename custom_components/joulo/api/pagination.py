"""Paginator of charging sessions: it reads a whole range, one page at a time."""

from datetime import datetime

from .client import JouloClient
from .errors import JouloResponseError
from .models import ChargingSession, Cursor


class SessionPaginator:
    """Reads a range of sessions newest first, by keyset: each page ends where the last one began.

    With an offset alone, a session that is removed between two pages would hide another one. The caller
    waits between two pages until the rate limiter allows the next. After an error, the same page can be
    fetched again.
    """

    def __init__(
        self, client: JouloClient, *, since: datetime | None = None, until: Cursor | None = None
    ) -> None:
        """Start at `until` or else at the newest session; end at `since` or else at the oldest one."""
        self.complete = False
        """True once the last page has been read."""
        self.truncated = False
        """True if the page at the cursor came back empty.

        It should hold at least the cursor's own session, so the read proves nothing.
        """
        self.until = until
        """Cursor of the next page. Another paginator can continue from it."""
        self.seen: set[str] = set()
        """Ids of all sessions that were listed so far, also of rows that cannot be parsed."""
        self._client = client
        self._since = since
        self._offset = 0
        self._returned: set[str] = set()

    async def fetch_page(self) -> tuple[ChargingSession, ...]:
        """Return the sessions of the next page that no earlier page returned; update `complete`."""
        response = await self._client.session_page(
            since=self._since, until=self.until, offset=self._offset
        )
        page = response.data
        sessions = tuple(session for session in page.sessions if session.id not in self._returned)
        self._returned.update(session.id for session in sessions)
        has_new_ids = not page.ids <= self.seen
        self.seen |= page.ids
        if not page.is_full:
            self.complete = True
            self.truncated = self.until is not None and not self._offset and not page.row_count
        elif has_new_ids and page.oldest not in {None, self.until}:
            self.until, self._offset = page.oldest, 0
        elif has_new_ids or not self._offset:
            # More sessions share one start than fit on a page: continue inside that moment by offset.
            self._offset += page.row_count
        else:
            raise JouloResponseError("its pages repeat themselves")
        return sessions
