"""A faithful Joulo cloud for tests, demo and benchmarks; `python -m tests.simulator` runs it."""

from .account import DEMO_TOKEN, Availability, Dialect, Reboot, SimulatedAccount
from .charging import SimulatedCharger, SimulatedSession
from .clock import Clock, ScaledClock, standing_clock, system_clock
from .cloud import PATHS, RecordedRequest, SimulatedCloud
from .faults import ELSEWHERE, EVERYWHERE, Fault
from .history import (
    DOCUMENTED_NOW,
    GARAGE_ID,
    OPRIT_ID,
    SCHUUR_ID,
    TAGS,
    documented_account,
    lively,
    seeded_account,
)
from .server import create_app, serve

__all__ = [
    "DEMO_TOKEN",
    "DOCUMENTED_NOW",
    "ELSEWHERE",
    "EVERYWHERE",
    "GARAGE_ID",
    "OPRIT_ID",
    "PATHS",
    "SCHUUR_ID",
    "TAGS",
    "Availability",
    "Clock",
    "Dialect",
    "Fault",
    "Reboot",
    "RecordedRequest",
    "ScaledClock",
    "SimulatedAccount",
    "SimulatedCharger",
    "SimulatedCloud",
    "SimulatedSession",
    "create_app",
    "documented_account",
    "lively",
    "seeded_account",
    "serve",
    "standing_clock",
    "system_clock",
]
