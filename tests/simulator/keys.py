"""The keys under which the application and its requests keep what belongs to them."""

import asyncio

from aiohttp import web

from .account import SimulatedAccount
from .cloud import SimulatedCloud

CLOUD = web.AppKey("cloud", SimulatedCloud)
STOPPING = web.AppKey("stopping", asyncio.Event)
ACCOUNT = web.RequestKey("account", SimulatedAccount)
