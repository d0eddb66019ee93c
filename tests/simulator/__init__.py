"""Faithful Joulo and DER Connect clouds for tests, demo and benchmarks; `python -m tests.simulator` runs it."""

from .account import DEMO_TOKEN, Availability, Dialect, Reboot, SimulatedAccount
from .charging import SimulatedCharger, SimulatedSession
from .clock import Clock, ScaledClock, standing_clock, system_clock
from .cloud import PATHS, RecordedRequest, SimulatedCloud
from .der_connect import (
    DER_CONNECT_ID,
    DER_CONNECT_SECRET,
    CarCharge,
    SimulatedCar,
    SimulatedDerConnect,
    serve_der_connect,
)
from .faults import ELSEWHERE, EVERYWHERE, Fault
from .history import (
    DEMO_CAR_ID,
    DOCUMENTED_NOW,
    GARAGE_ID,
    OPRIT_ID,
    SCHUUR_ID,
    TAGS,
    documented_account,
    lively,
    seeded_account,
    seeded_car,
)
from .server import create_app, serve

__all__ = [
    "DEMO_CAR_ID",
    "DEMO_TOKEN",
    "DER_CONNECT_ID",
    "DER_CONNECT_SECRET",
    "DOCUMENTED_NOW",
    "ELSEWHERE",
    "EVERYWHERE",
    "GARAGE_ID",
    "OPRIT_ID",
    "PATHS",
    "SCHUUR_ID",
    "TAGS",
    "Availability",
    "CarCharge",
    "Clock",
    "Dialect",
    "Fault",
    "Reboot",
    "RecordedRequest",
    "ScaledClock",
    "SimulatedAccount",
    "SimulatedCar",
    "SimulatedCharger",
    "SimulatedCloud",
    "SimulatedDerConnect",
    "SimulatedSession",
    "create_app",
    "documented_account",
    "lively",
    "seeded_account",
    "seeded_car",
    "serve",
    "serve_der_connect",
    "standing_clock",
    "system_clock",
]
