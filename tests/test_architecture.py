"""Who may import whom, and who may change the history: rules of the house, read from the files."""

import ast
from collections.abc import Iterator, Set as AbstractSet
from pathlib import Path
import subprocess
import sys

import pytest

from custom_components import joulo

ROOT = Path(joulo.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

GROUND = {"const", "api"}
PURE = {"der_connect", "sessions"}
TOOLS = {"clients", "devices", "helpers", "issues", "localizer"}
HISTORY = {"history"}
READERS = {"coordinator", "sync", "statistics"}
PLATFORMS = {"binary_sensor", "button", "calendar", "event", "sensor"}

MAY_IMPORT: dict[str, AbstractSet[str]] = {
    "const": set(),
    "api": set(),
    "der_connect": {"api"},
    "sessions": GROUND | {"der_connect"},
    **dict.fromkeys(TOOLS, GROUND),
    "clients": GROUND | {"der_connect"},
    "dashboard": GROUND,
    "rest_sensors": GROUND | TOOLS,
    "switching": GROUND | TOOLS,
    "vehicles": GROUND | PURE | {"price"},
    "price": set(),
    "price_sensor": GROUND | PURE | {"price"},
    "unknown_tags": GROUND | PURE | TOOLS | HISTORY,
    "history": GROUND | PURE | TOOLS,
    "statement": GROUND | PURE | TOOLS,
    "config_flow": GROUND
    | PURE
    | TOOLS
    | {"options_flow", "switching", "vehicle_flow", "vehicles"},
    "options_flow": GROUND | {"price", "price_sensor"},
    "vehicle_flow": GROUND | PURE | TOOLS | {"price", "vehicles"},
    **dict.fromkeys(
        READERS, GROUND | PURE | TOOLS | HISTORY | {"price", "price_sensor", "vehicles"}
    ),
    "data": GROUND | PURE | TOOLS | HISTORY | READERS,
    "entity": GROUND | PURE | TOOLS | HISTORY | READERS | {"data"},
    **dict.fromkeys(PLATFORMS, GROUND | PURE | TOOLS | HISTORY | READERS | {"data", "entity"}),
    "repairs": GROUND | PURE | TOOLS | HISTORY | READERS | {"data", "switching", "vehicles"},
    "diagnostics": GROUND | PURE | TOOLS | HISTORY | READERS | {"data", "vehicles"},
    "services": GROUND | PURE | TOOLS | HISTORY | READERS | {"data", "statement"},
}
"""By module or package: those of the others that it may import. `__init__` may import all of them.

Imports under `if TYPE_CHECKING:` are for annotations, and are exempt. The parts of a package may import one another.
"""

WITHOUT_HOME_ASSISTANT = ("api", "der_connect", "sessions", "const.py", "statistics/series.py")


@pytest.fixture(autouse=True)
def _custom_integrations() -> None:
    """Start no Home Assistant."""


def part_of(file: Path) -> str:
    """Return the module or package of the integration that a file is, or belongs to."""
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(file: Path) -> Iterator[tuple[str, ...]]:
    """Yield what a file imports when it runs: dotted names in parts, those of our own from `joulo` on."""
    package = ("joulo", *file.relative_to(ROOT).parent.parts)
    for node in _running(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            module = (*base, *(node.module.split(".") if node.module else ()))
            yield from ((*module, alias.name) for alias in node.names)


def _running(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from _running(child)


def own_imports(file: Path) -> set[str]:
    """Return the other parts of the integration that a file imports."""
    found = {name[1] for name in imports(file) if name[0] == "joulo" and len(name) > 1}
    return found - {part_of(file)}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_part_imports_only_those_below_it(file: Path) -> None:
    part = part_of(file)
    allowed = MAY_IMPORT.keys() if part == "__init__" else MAY_IMPORT[part]
    assert own_imports(file) <= allowed


def test_every_part_is_in_the_table() -> None:
    assert {part_of(file) for file in FILES} - {"__init__"} == MAY_IMPORT.keys()


def test_the_client_of_der_connect_shares_only_what_is_of_no_service() -> None:
    shared = {"errors", "parsing", "rate_limiter", "transport"}
    for file in (ROOT / "der_connect").rglob("*.py"):
        parts = {name[2] for name in imports(file) if name[:2] == ("joulo", "api")}
        assert parts <= shared


def test_the_table_has_no_circle() -> None:
    known: set[str] = set()
    while ready := {part for part, below in MAY_IMPORT.items() if below <= known} - known:
        known |= ready
    assert known == MAY_IMPORT.keys()


def test_the_series_is_as_pure_as_the_sessions() -> None:
    assert own_imports(ROOT / "statistics" / "series.py") <= {"const", "api", "sessions"}


# Without Home Assistant


def pure_files() -> list[Path]:
    """Return the files that have to do without Home Assistant."""
    paths = [ROOT / name for name in WITHOUT_HOME_ASSISTANT]
    return [file for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path])]


@pytest.mark.parametrize("file", pure_files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_a_pure_file_imports_nothing_of_home_assistant(file: Path) -> None:
    assert "homeassistant" not in {name[0] for name in imports(file)}
    assert "homeassistant" not in file.read_text()


# Imports the integration's folder as a package whose own `__init__` does not run, with Home Assistant blocked.
_IMPORT = """
import importlib, pathlib, sys, types

class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("homeassistant", "custom_components"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Nowhere())
folder = pathlib.Path(sys.argv[1])
package = types.ModuleType("joulo")
package.__path__ = [str(folder)]
sys.modules["joulo"] = package
for name in sys.argv[2:]:
    importlib.import_module(name)
print(*sorted(each for each in sys.modules if each.startswith("joulo.")))
"""


def _run(*names: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the code is the constant above
        [sys.executable, "-I", "-c", _IMPORT, str(ROOT), *names],
        capture_output=True,
        check=False,
        text=True,
    )


def test_the_core_imports_with_home_assistant_blocked() -> None:
    names = {
        ".".join(("joulo", *file.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        for file in pure_files()
    }
    done = _run(*sorted(names))
    assert done.stderr == ""
    assert set(done.stdout.split()) == names | {"joulo.statistics"}


def test_the_block_holds() -> None:
    assert "ModuleNotFoundError: homeassistant" in _run("joulo.history").stderr


# The entry and the history


def annotations(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the annotations of a file: of parameters, results and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            yield node.annotation
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None:
            yield node.returns


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_signature_has_the_typed_entry(file: Path) -> None:
    names = [
        node.id
        for annotation in annotations(ast.parse(file.read_text()))
        for node in ast.walk(annotation)
        if isinstance(node, ast.Name)
    ]
    assert "ConfigEntry" not in names


PARTS_OF_THE_STATE = {"_state", "chargers", "records", "announced", "missing_since"}


def changed(node: ast.AST) -> Iterator[ast.expr]:
    """Yield what a statement assigns to or deletes, and what a call changes in place."""
    match node:
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            yield from targets
        case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
            yield target
        case ast.Call(
            func=ast.Attribute(
                value=value, attr="pop" | "update" | "clear" | "setdefault" | "append" | "add"
            )
        ):
            yield value


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_only_the_shell_and_the_transitions_change_the_history(file: Path) -> None:
    if file in (ROOT / "history.py", ROOT / "sessions" / "transitions.py"):
        return
    tree = ast.parse(file.read_text())
    touched = [
        ast.unparse(target)
        for node in ast.walk(tree)
        for target in changed(node)
        for part in ast.walk(target)
        if isinstance(part, ast.Attribute) and part.attr in PARTS_OF_THE_STATE
        # The state's own parts, not what others call the same.
        if not (isinstance(part.value, ast.Name) and part.value.id == "self")
    ]
    assert touched == []
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not {"_state", "__setattr__"} & attributes
