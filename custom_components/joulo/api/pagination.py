"""Paginator of charging sessions: it reads a whole range, one page at a time."""

from datetime import datetime

from .client import JouloClient
from .errors import JouloResponseError
from .models import ChargingSession, Cursor, SessionPage
from .rate_limiter import Response


class SessionPaginator:
    """Reads a range of sessions newest first, by keyset: each page ends where the last one began.

    The range ends where a page brings nothing new. A page that is shorter than asked for proves no end:
    a server may filter or cap its pages. With an offset alone, a session that is removed between two
    pages would hide another one. Only a list that is not in that order is read by offset. The caller
    waits between two pages until the rate limiter allows the next. After an error, the same page can be
    fetched again.
    """

    def __init__(
        self, client: JouloClient, *, since: datetime | None = None, until: Cursor | None = None
    ) -> None:
        """Start at `until` or else at the newest session; end at `since` or else at the oldest one."""
        self.complete = False
        """True once a page has brought nothing new."""
        self.is_short = False
        """True if the last page was shorter than asked for: probably the range has no more sessions."""
        self.proves_absence = True
        """False if the read may have missed sessions.

        Either the server did not keep to the order or the cursor, or the page at the cursor came back
        empty, which should hold at least the cursor's own session.
        """
        self.until = until
        """Cursor of the next page. Another paginator can continue from it, if `by_offset` is False."""
        self.by_offset = False
        """True once a page has not been in order: the cursor stays, and the offset moves on."""
        self.seen: set[str] = set()
        """Ids of all sessions that were listed so far, also of rows that cannot be parsed."""
        self._client = client
        self._since = since
        self._offset = 0
        self._returned: set[str] = set()
        self._last_ids: frozenset[str] = frozenset()

    async def fetch_page(self) -> tuple[ChargingSession, ...]:
        """Return the sessions of the next page that no earlier page returned; update `complete`."""
        response = await self._client.session_page(
            since=self._since, until=self.until, offset=self._offset
        )
        page = response.data
        sessions = tuple(session for session in page.sessions if session.id not in self._returned)
        self._returned.update(session.id for session in sessions)
        self._proceed(response)
        return sessions

    def _proceed(self, response: Response[SessionPage]) -> None:
        """Move on to the next page, or note that there is none."""
        page = response.data
        has_new_ids = not page.ids <= self.seen
        self.seen |= page.ids
        self.is_short = not page.is_full
        if not self.by_offset and not self._is_by_keyset(page):
            self.by_offset, self.proves_absence = True, False
            # With an upper bound the pages may follow each other sooner than without.
            self.until = self.until or Cursor(
                response.sent_at, response.sent_at.isoformat().replace("+00:00", "Z")
            )
        if not page.row_count:
            self.complete = True
            self.proves_absence &= self.until is None or bool(self._offset)
        elif self.by_offset or (not has_new_ids and page.is_full):
            # Also where more sessions share one start than fit on a page.
            self._move_offset(page)
        elif not has_new_ids:
            self.complete = True
        elif page.oldest not in {None, self.until}:
            self.until, self._offset = page.oldest, 0
        else:
            self._move_offset(page)

    def _is_by_keyset(self, page: SessionPage) -> bool:
        """Whether the server heeds the cursor, and lists the newest session first."""
        is_bounded = self.until is None or page.newest is None or page.newest <= self.until.moment
        return page.is_newest_first and is_bounded

    def _move_offset(self, page: SessionPage) -> None:
        if self._offset and page.ids == self._last_ids:
            raise JouloResponseError("its pages repeat themselves")
        self._last_ids = page.ids
        self._offset += page.row_count
