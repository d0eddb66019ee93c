"""Run the simulator by itself: `python -m tests.simulator`."""

from argparse import ArgumentDefaultsHelpFormatter, ArgumentParser, Namespace
import asyncio
import signal

from .account import DEMO_TOKEN, SimulatedAccount
from .clock import ScaledClock, system_clock
from .cloud import SimulatedCloud
from .der_connect import SimulatedDerConnect, serve_der_connect
from .history import CARD_OF_CAR, lively, seeded_account, seeded_car
from .server import serve


def main() -> None:
    """Serve a demo account until SIGINT or SIGTERM."""
    asyncio.run(_run(_arguments()))


def _arguments() -> Namespace:
    parser = ArgumentParser(
        prog="python -m tests.simulator",
        description="A Joulo cloud on 127.0.0.1 with two years of charging sessions, and a DER Connect with a car.",
        formatter_class=ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=8765, help="port to listen on, 0 for any")
    parser.add_argument(
        "--der-connect-port", type=int, default=0, help="port of DER Connect, 0 for any"
    )
    parser.add_argument("--prefix", default="", help="path before the API, as /functions/v1/api")
    parser.add_argument("--token", default=DEMO_TOKEN, help="API token of the account")
    parser.add_argument("--seed", type=int, default=2026, help="seed of the past sessions")
    parser.add_argument("--speed", type=float, default=1, help="pace of the simulated world")
    parser.add_argument(
        "--running", type=float, default=4, help="minutes the first session goes on"
    )
    parser.add_argument("--empty", action="store_true", help="an account without chargers")
    return parser.parse_args()


async def _run(arguments: Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    account = _account(arguments)
    service = SimulatedDerConnect(seeded_car(account, CARD_OF_CAR))
    async with (
        serve(SimulatedCloud(account), arguments.port, prefix=arguments.prefix) as url,
        serve_der_connect(service, arguments.der_connect_port) as der_connect_url,
    ):
        print(f"DER Connect simulator on {der_connect_url}", flush=True)
        print(f"Joulo simulator on {url}", flush=True)
        await stop.wait()


def _account(arguments: Namespace) -> SimulatedAccount:
    now = system_clock()
    clock = ScaledClock(arguments.speed, now)
    if arguments.empty:
        return SimulatedAccount(token=arguments.token, clock=clock)
    account = seeded_account(now, arguments.seed, token=arguments.token, clock=clock)
    lively(account, arguments.running)
    return account


if __name__ == "__main__":
    main()
