"""Home Assistant's own start, without the default integrations that the demo has no use for.

Voice, cameras and the like would have it install packages, some of which need a compiler.
"""

import os
import sys

from homeassistant import __main__, bootstrap
from homeassistant.const import RESTART_EXIT_CODE, Platform

bootstrap.DEFAULT_INTEGRATIONS.difference_update(Platform)

if (exit_code := __main__.main()) == RESTART_EXIT_CODE:
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - the same command again
sys.exit(exit_code)
