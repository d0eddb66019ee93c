"""The position of an account on the ERE market, as GET /ere-position tells it.

Joulo does not document this endpoint. Its fields are those that clients in the wild read; how the
figures hang together is invented here, so that they add up: a quarter is unsold while it runs and
goes through reserved and payable to paid, one step for each quarter that follows.
"""

import datetime as dt
from http import HTTPStatus
from itertools import groupby

from .account import Availability, SimulatedAccount
from .answers import Json, Query, Refusal
from .charging import SimulatedSession
from .clock import local
from .figures import total

_STAGES = ("unsold", "reserved", "payable", "paid")


def ere_position(account: SimulatedAccount, _query: Query) -> Json:
    """Answer GET /ere-position; Refusal 404 or 403 as the account's switch says."""
    match account.ere_position:
        case Availability.MISSING:
            raise Refusal(HTTPStatus.NOT_FOUND, "Not found")
        case Availability.FORBIDDEN:
            raise Refusal(HTTPStatus.FORBIDDEN, "Insufficient scope", "ere-position:read")
    return _Position(account).answer()


class _Position:
    """The figures of one moment: everything in ERE credits, EUR and EUR per ERE."""

    def __init__(self, account: SimulatedAccount) -> None:
        self.account = account
        self.now = account.clock()
        self.today = local(self.now).date()
        self.quarters = self._ere_by_quarter()

    def answer(self) -> Json:
        """Word the whole position."""
        account = self.account
        ytd = self._ere_in("unsold")
        future = self._forecast()
        sold = {stage: self._ere_in(stage) for stage in ("paid", "payable", "reserved")}
        earned = sum(sold.values()) + ytd
        return {
            "compliance_year": self.today.year,
            "effective_fee_pct": account.effective_fee_pct,
            "indicative_price_per_ere": account.ere_price_mid,
            "realized_avg_price": account.ere_price_mid if any(sold.values()) else None,
            "allocatable_ere": ytd,
            "pending_ere": self._running_ere(),
            "pending_forecast_net_eur": self._net(self._running_ere()),
            "ytd_expected_eur": self._net(earned),
            "total_expected_eur": self._net(earned + future),
            "forecast_confidence": "medium",
            "forecast_history_days": self._history_days(),
            **{stage: self._amount(ere) for stage, ere in sold.items()},
            "unsold": {
                "ere": round(ytd + future, 2),
                "ytd_ere": ytd,
                "future_ere": future,
                "forecast_net_eur": round(self._net(ytd) + self._net(future), 2),
                "ytd_forecast_net_eur": self._net(ytd),
                "future_forecast_net_eur": self._net(future),
            },
            "quarters": [self._quarter(quarter) for quarter in self.quarters],
        }

    def _ere_by_quarter(self) -> dict[int, float]:
        """Add the ERE of this year's completed sessions on MID-certified chargers, by quarter."""
        this_year = [
            session
            for session in self.account.completed(mid_only=True)
            if session.local_start.year == self.today.year
        ]
        return {
            quarter: float(total(session.ere_at(self.now) for session in sessions))
            for quarter, sessions in groupby(reversed(this_year), key=_quarter_of)
        }

    def _stage(self, quarter: int) -> str:
        age = (self.today.month - 1) // 3 + 1 - quarter
        return _STAGES[min(age, len(_STAGES) - 1)]

    def _ere_in(self, stage: str) -> float:
        ere = (ere for quarter, ere in self.quarters.items() if self._stage(quarter) == stage)
        return round(sum(ere, 0.0), 2)

    def _net(self, ere: float) -> float:
        fee = self.account.effective_fee_pct / 100
        return round(ere * self.account.ere_price_mid * (1 - fee), 2)

    def _amount(self, ere: float) -> Json:
        price = self.account.ere_price_mid
        return {"ere": ere, "net_eur": self._net(ere), "price_per_ere": price}

    def _quarter(self, quarter: int) -> Json:
        ere, stage = self.quarters[quarter], self._stage(quarter)
        is_sold = stage != "unsold"
        return {
            "quarter": f"{self.today.year}-Q{quarter}",
            "final": is_sold,
            "price_per_ere": self.account.ere_price_mid,
            "ere": ere,
            "sold_ere": ere if is_sold else 0.0,
            "unsold_ere": 0.0 if is_sold else ere,
            "realized_net_eur": self._net(ere) if is_sold else 0.0,
            "net_eur_by_status": {
                status: self._net(ere) if status == stage else 0.0
                for status in ("paid", "payable", "reserved")
            },
        }

    def _running_ere(self) -> float:
        running = (
            self.account.running_session(charger.id)
            for charger in self.account.chargers
            if charger.mid_certified
        )
        return float(total(session.ere_at(self.now) for session in running if session))

    def _forecast(self) -> float:
        """Carry this year's pace on to its end."""
        passed = self.today.timetuple().tm_yday
        ahead = (dt.date(self.today.year, 12, 31) - self.today).days
        return round(sum(self.quarters.values()) / passed * ahead, 2)

    def _history_days(self) -> int:
        sessions = self.account.sessions
        return (self.now - sessions[-1].started_at).days if sessions else 0


def _quarter_of(session: SimulatedSession) -> int:
    return (session.local_start.month - 1) // 3 + 1
