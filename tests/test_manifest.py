"""What Home Assistant and HACS read before they run a line of the integration."""

from importlib.metadata import version
import json
from pathlib import Path
import re
from typing import Any

from awesomeversion import AwesomeVersion
from homeassistant.const import __version__ as home_assistant
from homeassistant.util.yaml import load_yaml_dict
from packaging.requirements import Requirement
from PIL import Image
import pytest

ROOT = Path(__file__).parent.parent
ROOM = ROOT / "custom_components" / "joulo"
MANIFEST: dict[str, Any] = json.loads((ROOM / "manifest.json").read_text(encoding="utf-8"))
QUALITY: dict[str, Any] = load_yaml_dict(str(ROOM / "quality_scale.yaml"))["rules"]

# https://developers.home-assistant.io/docs/core/integration-quality-scale
RULES = {
    "bronze": """
        action-setup appropriate-polling brands common-modules config-flow
        config-flow-test-coverage dependency-transparency docs-actions docs-conditions
        docs-high-level-description docs-installation-instructions docs-removal-instructions
        docs-triggers entity-event-setup entity-unique-id has-entity-name runtime-data
        test-before-configure test-before-setup unique-config-entry
    """,
    "silver": """
        action-exceptions config-entry-unloading docs-configuration-parameters
        docs-installation-parameters entity-unavailable integration-owner log-when-unavailable
        parallel-updates reauthentication-flow test-coverage
    """,
    "gold": """
        devices diagnostics discovery discovery-update-info docs-data-update docs-examples
        docs-known-limitations docs-supported-devices docs-supported-functions
        docs-troubleshooting docs-use-cases dynamic-devices entity-category entity-device-class
        entity-disabled-by-default entity-translations exception-translations icon-translations
        reconfiguration-flow repair-issues stale-devices
    """,
    "platinum": "async-dependency inject-websession strict-typing",
}


def status(rule: str) -> str:
    """Return where the integration stands with a rule."""
    value = QUALITY[rule]
    return str(value["status"] if isinstance(value, dict) else value)


def test_the_manifest_is_in_the_order_that_home_assistant_asks_for() -> None:
    assert list(MANIFEST)[:2] == ["domain", "name"]
    assert list(MANIFEST)[2:] == sorted(list(MANIFEST)[2:])


def test_the_manifest_says_what_a_custom_integration_has_to() -> None:
    needed = {"domain", "documentation", "issue_tracker", "codeowners", "name", "version"}
    assert needed <= MANIFEST.keys()
    assert MANIFEST["domain"] == ROOM.name
    assert AwesomeVersion(MANIFEST["version"]).valid
    assert MANIFEST["config_flow"]
    assert MANIFEST["iot_class"] == "cloud_polling"
    assert MANIFEST["integration_type"] == "hub"


def test_what_is_imported_beside_home_assistant_is_declared_and_comes_with_it() -> None:
    assert [Requirement(each).name for each in MANIFEST["requirements"]] == ["mashumaro"]
    for requirement in map(Requirement, MANIFEST["requirements"]):
        assert version(requirement.name) in requirement.specifier


def test_hacs_asks_for_the_home_assistant_that_the_code_needs() -> None:
    hacs = json.loads((ROOT / "hacs.json").read_text(encoding="utf-8"))
    assert hacs["name"] == MANIFEST["name"]
    assert hacs["homeassistant"] == "2026.10.0"
    assert AwesomeVersion(hacs["homeassistant"]) <= AwesomeVersion(home_assistant)


def test_every_rule_of_the_quality_scale_is_answered() -> None:
    rules = [rule for tier in RULES.values() for rule in tier.split()]
    assert len(rules) == 54
    assert set(QUALITY) == set(rules)


@pytest.mark.parametrize("rule", QUALITY)
def test_a_rule_is_kept_or_there_is_a_reason(rule: str) -> None:
    assert status(rule) in {"done", "exempt", "todo"}
    if status(rule) != "done":
        assert QUALITY[rule]["comment"]


def test_the_tier_is_claimed_once_all_its_rules_are_kept() -> None:
    tiers = list(RULES)
    claimed = tiers[: tiers.index(MANIFEST["quality_scale"]) + 1]
    owed = [rule for tier in claimed for rule in RULES[tier].split() if status(rule) == "todo"]
    assert owed == []


@pytest.mark.parametrize(("name", "size"), [("icon.png", 256), ("icon@2x.png", 512)])
def test_the_icon_has_the_size_that_brands_have(name: str, size: int) -> None:
    with Image.open(ROOM / "brand" / name) as icon:
        assert icon.format == "PNG"
        assert icon.size == (size, size)
        assert icon.has_transparency_data


def test_every_image_is_one_that_home_assistant_looks_for() -> None:
    allowed = re.compile(r"(dark_)?(icon|logo)(@2x)?\.png")
    assert all(allowed.fullmatch(path.name) for path in (ROOM / "brand").iterdir())
