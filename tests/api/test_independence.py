"""The client needs neither Home Assistant nor the rest of the integration, and can be published as it is."""

from pathlib import Path
import subprocess
import sys

import pytest

from custom_components.joulo import api

# Imports the folder under another package name, while every import of Home Assistant fails.
_IMPORT = """
import importlib.util, pathlib, sys

class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("homeassistant", "custom_components"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Nowhere())
folder = pathlib.Path(sys.argv[1])
spec = importlib.util.spec_from_file_location("joulo_api", folder / "__init__.py")
package = importlib.util.module_from_spec(spec)
sys.modules["joulo_api"] = package
spec.loader.exec_module(package)
for file in folder.glob("*.py"):
    importlib.import_module(f"joulo_api.{file.stem}")
"""


def _run(code: str) -> subprocess.CompletedProcess[str]:
    folder = str(Path(api.__file__).parent)
    return subprocess.run(  # noqa: S603 - the code is the constant above
        [sys.executable, "-I", "-c", _IMPORT + code, folder],
        capture_output=True,
        check=False,
        text=True,
    )


def test_the_client_imports_with_home_assistant_blocked() -> None:
    done = _run("print(*package.__all__)")
    assert done.stderr == ""
    assert done.stdout.split() == api.__all__


def test_the_client_reads_without_home_assistant() -> None:
    done = _run("print(package.Charger.from_dict({'id': 'one'}).id)")
    assert (done.stdout, done.stderr) == ("one\n", "")


@pytest.mark.parametrize("blocked", ["homeassistant", "custom_components.joulo"])
def test_the_block_holds(blocked: str) -> None:
    assert f"ModuleNotFoundError: {blocked.partition('.')[0]}" in _run(f"import {blocked}").stderr


def test_every_public_name_is_there() -> None:
    assert api.__all__ == sorted(api.__all__, key=lambda name: (not name.isupper(), name))
    assert all(hasattr(api, name) for name in api.__all__)
