"""What every blueprint has."""

import json
from pathlib import Path
from urllib.parse import quote

from homeassistant.components.automation.config import AUTOMATION_BLUEPRINT_SCHEMA
from homeassistant.components.blueprint.importer import _get_github_import_url
from homeassistant.components.blueprint.models import Blueprint
from homeassistant.helpers.selector import selector
from homeassistant.util.yaml import load_yaml_dict, parse_yaml
import pytest

from .conftest import BLUEPRINTS, REPOSITORY

IN_ENGLISH = REPOSITORY / "docs" / "automations.md"
IN_DUTCH = REPOSITORY / "docs" / "nl" / "automations.md"
HOME = "https://github.com/ha-joulo/ha-joulo/blob/main"
BADGE = "https://my.home-assistant.io/badges/blueprint_import.svg"
IMPORT = "https://my.home-assistant.io/redirect/blueprint_import/?blueprint_url="

FILES = sorted(BLUEPRINTS.rglob("*.yaml"))

in_each_language = pytest.mark.parametrize("page", [IN_ENGLISH, IN_DUTCH], ids=["en", "nl"])
each_blueprint = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def load(file: Path) -> Blueprint:
    """Return a blueprint as Home Assistant reads it."""
    return Blueprint(
        load_yaml_dict(str(file)),
        path=str(file.relative_to(BLUEPRINTS / "automation")),
        expected_domain="automation",
        schema=AUTOMATION_BLUEPRINT_SCHEMA,
    )


def test_there_are_four() -> None:
    assert [file.stem for file in FILES] == [
        "charger_offline",
        "evcc_vehicle",
        "monthly_statement",
        "session_finished",
    ]


@each_blueprint
def test_home_assistant_accepts_a_blueprint(file: Path) -> None:
    assert load(file).validate() is None


@each_blueprint
def test_a_blueprint_says_where_it_comes_from_and_can_be_imported_from_there(file: Path) -> None:
    source = load(file).metadata["source_url"]
    path = file.relative_to(REPOSITORY)
    assert source == f"{HOME}/{path}"
    raw = f"https://raw.githubusercontent.com/ha-joulo/ha-joulo/main/{path}"
    assert str(_get_github_import_url(source)) == raw


@each_blueprint
def test_what_happens_while_a_run_lasts_waits_for_its_turn(file: Path) -> None:
    assert load(file).data["mode"] == "queued"


@each_blueprint
def test_an_imported_blueprint_is_the_same(file: Path) -> None:
    """Home Assistant does not keep the file, but writes it anew."""
    blueprint = load(file)
    assert parse_yaml(blueprint.yaml()) == blueprint.data


@each_blueprint
def test_a_blueprint_asks_for_the_same_home_assistant_as_the_integration(file: Path) -> None:
    hacs = json.loads((REPOSITORY / "hacs.json").read_text(encoding="utf-8"))
    assert load(file).metadata["homeassistant"] == {"min_version": hacs["homeassistant"]}


@in_each_language
@each_blueprint
def test_the_documentation_has_a_badge_that_imports_a_blueprint(page: Path, file: Path) -> None:
    source = load(file).metadata["source_url"]
    words = "Import the blueprint" if page == IN_ENGLISH else "Importeer de blueprint"
    link = f"[![{words}]({BADGE})]({IMPORT}{quote(source, safe='')})"
    assert link in page.read_text(encoding="utf-8")


@in_each_language
@each_blueprint
def test_the_documentation_names_everything_that_a_blueprint_asks(page: Path, file: Path) -> None:
    docs = page.read_text(encoding="utf-8")
    section = docs[docs.index(quote(load(file).metadata["source_url"], safe="")) :]
    section = section[: section.find("\n## ")]
    rows = " ".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| "))
    place = 0 if page == IN_ENGLISH else -1
    names = [each["name"].split(" · ")[place] for each in load(file).inputs.values()]
    assert [name for name in names if name not in rows] == []


@each_blueprint
def test_a_blueprint_and_what_it_asks_are_named_and_explained_in_both_languages(file: Path) -> None:
    """Home Assistant does not translate a blueprint."""
    metadata = load(file).metadata
    assert "\n**Nederlands.** " in metadata["description"]
    in_sections = [each for each in metadata["input"].values() if "input" in each]
    for named in (metadata, *in_sections, *load(file).inputs.values()):
        assert named["name"] == "Account" or named["name"].count(" · ") == 1
        description = named.get("description", "\n")
        assert "\n" in description or " · " in description


@each_blueprint
def test_a_blueprint_that_sends_messages_asks_in_which_language_and_takes_english(
    file: Path,
) -> None:
    """English is what it sent before it asked."""
    inputs = load(file).inputs
    assert ("language" in inputs) is ("recipients" in inputs)
    if asked := inputs.get("language"):
        assert asked["default"] == "en"
        assert [option["value"] for option in asked["selector"]["select"]["options"]] == [
            "en",
            "nl",
        ]


@each_blueprint
def test_nobody_has_to_write_a_regular_expression(file: Path) -> None:
    assert "regex" not in file.read_text(encoding="utf-8")


@each_blueprint
def test_a_default_is_something_that_could_be_chosen(file: Path) -> None:
    for asked in load(file).inputs.values():
        assert asked["name"]
        choose = selector(asked["selector"])
        if "default" in asked:
            choose(asked["default"])  # type: ignore[operator]


@each_blueprint
def test_every_input_is_used(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    for name in load(file).inputs:
        assert f"!input {name}\n" in text
