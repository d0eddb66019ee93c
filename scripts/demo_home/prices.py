"""The price sensor of the demo: prices by the quarter of an hour, and two years of them in the recorder."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from .service import DemoError

if TYPE_CHECKING:
    from .home import Connection, Json

SENSOR = "sensor.electricity_price"
_AMSTERDAM = ZoneInfo("Europe/Amsterdam")
_HOUR = timedelta(hours=1)
_PAST = timedelta(days=731)
_PATIENCE = 240  # quarters of a second

_CENTS = (
    22,
    21,
    20,
    20,
    20,
    21,
    25,
    29,
    30,
    27,
    23,
    19,
    17,
    16,
    17,
    20,
    25,
    31,
    34,
    33,
    31,
    28,
    26,
    24,
)
"""By the hour of the day: dear in the morning and the evening, cheap when the sun shines."""
_OF_QUARTERS = (1.5, 0.5, -0.5, -1.5)
"""Cents by which the quarters of an hour differ from it."""

CONFIGURATION = f"""\
template:
  - sensor:
      - name: Electricity price
        unique_id: electricity_price
        unit_of_measurement: EUR/kWh
        state_class: measurement
        state: >-
          {{% set cents, of_quarters = {_CENTS}, {_OF_QUARTERS} %}}
          {{{{ (cents[now().hour] + of_quarters[now().minute // 15]) / 100 }}}}
"""


def hourly_price(hour: datetime) -> float:
    """Return the EUR per kWh of an hour, on average."""
    return _CENTS[hour.astimezone(_AMSTERDAM).hour] / 100


async def record(connection: Connection) -> None:
    """Give the recorder the prices of two years, up to the hour before this one, and wait until it has them."""
    metadata = {
        "has_sum": False,
        "mean_type": 1,
        "name": None,
        "source": "recorder",
        "statistic_id": SENSOR,
        "unit_class": None,
        "unit_of_measurement": "EUR/kWh",
    }
    means = [*_means()]
    await connection.ask("recorder/import_statistics", metadata=metadata, stats=means)
    for _ in range(_PATIENCE):
        found = await connection.ask(
            "recorder/statistics_during_period",
            start_time=means[-1]["start"],
            statistic_ids=[SENSOR],
            period="hour",
            types=["mean"],
        )
        if found:
            return
        await asyncio.sleep(0.25)
    raise DemoError("The recorder does not take the prices.")


def _means() -> Iterator[Json]:
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    hour = end - _PAST
    while hour < end:
        price = hourly_price(hour)
        yield {
            "start": hour.isoformat(),
            "mean": price,
            "min": price - 0.015,
            "max": price + 0.015,
        }
        hour += _HOUR
