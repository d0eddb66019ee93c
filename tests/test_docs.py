"""The documentation leads where it says, in the order it says, and leaves out nothing that users see."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
import re

from homeassistant.const import Platform
from homeassistant.helpers.entity import EntityDescription
from homeassistant.util.yaml import load_yaml_dict, parse_yaml
import pytest

from custom_components.joulo.binary_sensor import (
    CHARGER_BINARY_SENSORS,
    VEHICLE_BINARY_SENSORS,
)
from custom_components.joulo.button import CHARGER_BUTTONS
from custom_components.joulo.calendar import CHARGER_CALENDARS, VEHICLE_CALENDARS
from custom_components.joulo.event import CHARGER_EVENTS
from custom_components.joulo.sensor import (
    ACCOUNT_SENSORS,
    CAR_SENSORS,
    CHARGER_SENSORS,
    LAST_SESSION_SENSORS,
    VEHICLE_SENSORS,
)
from tests.test_translations import DESCRIPTIONS, DUTCH, ENGLISH, Texts

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
READMES = [ROOT / "README.md", ROOT / "README.nl.md"]
DOCUMENTS = [
    *READMES,
    *(ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    *sorted(DOCS.rglob("*.md")),
]

REPOSITORY = "https://github.com/ha-joulo/ha-joulo"
FILES = (f"{REPOSITORY}/blob/main/", "https://raw.githubusercontent.com/ha-joulo/ha-joulo/main/")
KEPT_BY_GITHUB = {"/issues", "/releases/latest", "/commits/main", "/security/advisories/new"}
"""Pages of the repository that are not in it."""

ADDRESS = re.compile(
    r"https://(?:raw\.githubusercontent|github)\.com/ha-joulo/ha-joulo[^\s\"'`)>|]*"
)
MARK_OF_DISABLED = " ○"

type Entities = set[tuple[Platform, str, bool]]
"""Each with its name, and whether it is enabled by default."""


@dataclass(frozen=True, kw_only=True)
class Language:
    """The documentation in a language: where it lies, where its twin lies from there, and the words that tests look for."""

    readme: Path
    folder: Path
    twin: str
    texts: Texts
    contents: str
    unknown_when: str
    field: str
    headings: tuple[str, str, str]
    """Of the entities of a charger, of a vehicle, and of the account."""
    platforms: Mapping[str, Platform]
    """By the first word of a row or the head of a table."""


LANGUAGES = {
    "en": Language(
        readme=READMES[0],
        folder=DOCS,
        twin="[Nederlands](nl/{page})",
        texts=ENGLISH,
        contents="Contents",
        unknown_when="Unknown when",
        field="Field",
        headings=("Each charger", "Each vehicle", "The account"),
        platforms={
            "Sensor": Platform.SENSOR,
            "Binary sensor": Platform.BINARY_SENSOR,
            "Event": Platform.EVENT,
            "Calendar": Platform.CALENDAR,
            "Button": Platform.BUTTON,
        },
    ),
    "nl": Language(
        readme=READMES[1],
        folder=DOCS / "nl",
        twin="[English](../{page})",
        texts=DUTCH,
        contents="Inhoud",
        unknown_when="Onbekend als",
        field="Veld",
        headings=("Elke laadpaal", "Elk voertuig", "Het account"),
        platforms={
            "Sensor": Platform.SENSOR,
            "Binaire sensor": Platform.BINARY_SENSOR,
            "Gebeurtenis": Platform.EVENT,
            "Agenda": Platform.CALENDAR,
            "Knop": Platform.BUTTON,
        },
    ),
}

in_each_language = pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)


def read(path: Path) -> str:
    """Return a text."""
    return path.read_text(encoding="utf-8")


def prose(path: Path) -> str:
    """Return a document without its blocks of code."""
    return re.sub(r"^( *)```.*?^\1```$", "", read(path), flags=re.DOTALL | re.MULTILINE)


def headings(path: Path) -> list[str]:
    """Return the headings of a document, the title first."""
    return re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """Return what GitHub calls the headings in an address."""
    found: list[str] = []
    for heading in headings(path):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        again = sum(re.fullmatch(rf"{anchor}(-\d+)?", other) is not None for other in found)
        found.append(f"{anchor}-{again}" if again else anchor)
    return set(found)


def targets(text: str) -> Iterator[str]:
    """Yield where the links and pictures of a text lead, those of a badge both."""
    for link in re.findall(
        r"\]\(([^)\s]+)(?:\s[^)]*)?\)|^\[[^\]]+\]: (\S+)|(?:src|href)=[\"']([^\"']+)[\"']",
        text,
        re.MULTILINE,
    ):
        yield next(filter(None, link))


def relative(path: Path) -> list[str]:
    """Return the links of a document that stay in the repository."""
    return [target for target in targets(prose(path)) if "://" not in target]


def leads_somewhere(base: Path, target: str) -> bool:
    """Return whether a file, and the heading in it if one is named, exist."""
    name, _, anchor = target.partition("#")
    path = (base.parent / name).resolve() if name else base
    return path.is_relative_to(ROOT) and path.is_file() and (not anchor or anchor in anchors(path))


def is_there(address: str) -> bool:
    """Return whether an address of this repository leads to something in it."""
    for prefix in FILES:
        if address.startswith(prefix):
            return leads_somewhere(READMES[0], address.removeprefix(prefix))
    rest = address.removeprefix(REPOSITORY)
    if rest in KEPT_BY_GITHUB or not rest:
        return True
    return rest.startswith("#") and leads_somewhere(READMES[0], rest)


def texts_with_addresses() -> Iterator[Path]:
    """Yield the files that people may follow an address from."""
    for folder in (ROOT / ".github", ROOT / "custom_components" / "joulo", ROOT / "blueprints"):
        for path in sorted(folder.rglob("*")):
            if path.suffix in {".js", ".json", ".py", ".yaml", ".yml"} and REPOSITORY in read(path):
                yield path


def in_repository(path: Path) -> str:
    """Return how a test is called that is about a file."""
    return str(path.relative_to(ROOT))


# Links


@pytest.mark.parametrize("document", DOCUMENTS, ids=in_repository)
def test_every_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    astray = [target for target in relative(document) if not leads_somewhere(document, target)]
    assert astray == []


@pytest.mark.parametrize("path", [*DOCUMENTS, *texts_with_addresses()], ids=in_repository)
def test_every_address_of_this_repository_exists(path: Path) -> None:
    found = [address.rstrip(".,;:") for address in ADDRESS.findall(read(path))]
    assert [address for address in found if not is_there(address)] == []


IN_DUTCH = LANGUAGES["nl"]


@pytest.mark.parametrize(
    "document", [IN_DUTCH.readme, *sorted(IN_DUTCH.folder.iterdir())], ids=in_repository
)
def test_what_is_in_dutch_leads_to_english_only_where_there_is_no_dutch(document: Path) -> None:
    """But for the first link, which leads to the twin."""
    names = [target.partition("#")[0] for target in relative(document)[1:] if target[0] != "#"]
    linked = {(document.parent / name).resolve() for name in names}
    in_english = {DOCS / page.name for page in IN_DUTCH.folder.iterdir()} | {ROOT / "README.md"}
    assert linked & in_english == set()


# The order


def contents(language: Language) -> dict[str, str]:
    """Return the titles of the pages by their names, as the table of contents has them."""
    rows = re.findall(
        r"^\d+\. \[(?P<title>[^\]]+)\]\((?P<page>[^)]+)\): \S",
        read(language.folder / "README.md"),
        re.MULTILINE,
    )
    return {page: title for title, page in rows}


PAGES = list(contents(LANGUAGES["en"]))
of_each_page = pytest.mark.parametrize("page", PAGES)


def test_the_contents_have_every_page_once() -> None:
    assert sorted(PAGES) == sorted({page.name for page in DOCS.glob("*.md")} - {"README.md"})
    elsewhere = {path.parent.name for path in DOCS.rglob("*.md")} - {DOCS.name}
    assert elsewhere == {"decisions", "nl"}, (
        "the former are for contributors, with their own contents"
    )


def test_the_contents_are_the_same_in_dutch() -> None:
    dutch = LANGUAGES["nl"]
    assert list(contents(dutch)) == PAGES
    assert sorted(page.name for page in dutch.folder.iterdir()) == sorted([*PAGES, "README.md"])


def test_the_contents_of_the_decisions_have_each_of_them_once() -> None:
    linked = re.findall(r"\((\d{4}-[\w-]+\.md)\)", read(DOCS / "decisions" / "README.md"))
    assert linked == sorted(path.name for path in (DOCS / "decisions").glob("0*.md"))


@in_each_language
@of_each_page
def test_a_page_begins_with_its_title_and_the_way_to_its_twin(
    language: Language, page: str
) -> None:
    title = contents(language)[page]
    twin = language.twin.format(page=page)
    assert read(language.folder / page).startswith(f"# {title}\n\n{twin}\n\n")


@in_each_language
@of_each_page
def test_a_page_ends_with_the_way_to_the_previous_and_the_next(
    language: Language, page: str
) -> None:
    place, titles = PAGES.index(page), contents(language)
    way = [f"[{language.contents}](README.md)"]
    if place > 0:
        way.insert(0, f"[← {titles[PAGES[place - 1]]}]({PAGES[place - 1]})")
    if place < len(PAGES) - 1:
        way.append(f"[{titles[PAGES[place + 1]]} →]({PAGES[place + 1]})")
    assert read(language.folder / page).endswith(f"\n\n---\n\n{' · '.join(way)}\n")


# The README


@in_each_language
def test_a_readme_lists_the_pages_in_their_order(language: Language) -> None:
    folder = language.folder.relative_to(ROOT)
    rows = re.findall(
        rf"^\| .+ \| \[(.+)\]\({folder}/(.+)\) \|$", read(language.readme), re.MULTILINE
    )
    assert {page: title for title, page in rows} == contents(language)
    assert [page for _, page in rows] == PAGES


def test_both_readmes_link_to_the_same_and_to_each_other_at_once() -> None:
    english, dutch = READMES
    assert relative(english)[0] == dutch.name
    assert relative(dutch)[0] == english.name
    # Each has pictures and pages in its own language, and headings with them.
    in_dutch = [
        target.replace("-nl.png", ".png").replace("docs/nl/", "docs/")
        for target in relative(dutch)[1:]
    ]
    assert [target.partition("#")[0] for target in in_dutch] == [
        target.partition("#")[0] for target in relative(english)[1:]
    ]


def test_hacs_finds_what_the_readme_links_to() -> None:
    """HACS makes a relative link absolute only if it stands on one line, alone or among its like."""
    readme = prose(READMES[0])
    for line in readme.splitlines():
        found = list(targets(line))
        assert len({"://" in target for target in found}) <= 1, line
        assert not any(target.startswith("#") for target in found), line
        for text in re.findall(r"\[([^\]]*)\]\((?!https:)", line):
            assert "(" not in text, line
    on_one_line = [target for line in readme.splitlines() for target in targets(line)]
    assert on_one_line == list(targets(readme))
    assert all("://" in source for source in re.findall(r"(?:src|href)=\"([^\"]+)\"", readme))
    assert "<picture" not in readme


# Entities and actions


def section(page: Path, heading: str) -> str:
    """Return what stands below a heading of the second level."""
    _, text = read(page).split(f"\n## {heading}\n", 1)
    return re.split(r"^## ", text, maxsplit=1, flags=re.MULTILINE)[0]


def tables(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """Yield for each table its heads, and its first column."""
    for head, body in re.findall(r"^\| (.+) \|\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE):
        heads = [cell.strip() for cell in head.split("|")]
        yield heads, [row.split("|")[1].strip() for row in body.splitlines()]


def fields(language: Language, text: str) -> list[str]:
    """Return the fields that the tables of a text describe."""
    return [
        cell for (head, *_), column in tables(text) if head == language.field for cell in column
    ]


def in_the_tables(language: Language, heading: str) -> Entities:
    """Return the entities that a section of their page has."""
    found: Entities = set()
    for (head, *_), column in tables(section(language.folder / "entities.md", heading)):
        for cell in column:
            # A table of various entities says in each row what it is.
            kind, names = head, cell
            if head not in language.platforms:
                kind, _, names = cell.replace("*", "").partition(" ")
            for name in names.split(", "):
                enabled = not name.endswith(MARK_OF_DISABLED)
                platform = language.platforms[kind]
                found.add((platform, name.removesuffix(MARK_OF_DISABLED), enabled))
    return found


type Descriptions = Mapping[Platform, tuple[EntityDescription, ...]]

OF_A_CHARGER: Descriptions = {
    Platform.SENSOR: (*CHARGER_SENSORS, *LAST_SESSION_SENSORS),
    Platform.BINARY_SENSOR: CHARGER_BINARY_SENSORS,
    Platform.BUTTON: CHARGER_BUTTONS,
    Platform.CALENDAR: CHARGER_CALENDARS,
    Platform.EVENT: CHARGER_EVENTS,
}
OF_A_VEHICLE: Descriptions = {
    Platform.SENSOR: (*VEHICLE_SENSORS, *CAR_SENSORS),
    Platform.BINARY_SENSOR: VEHICLE_BINARY_SENSORS,
    Platform.CALENDAR: VEHICLE_CALENDARS,
}
OF_THE_ACCOUNT: Descriptions = {Platform.SENSOR: ACCOUNT_SENSORS}


def described(descriptions: Descriptions, texts: Texts) -> Entities:
    """Return entities as the tables should have them."""
    return {
        (
            platform,
            texts["entity"][platform][each.key]["name"],
            each.entity_registry_enabled_default,
        )
        for platform, of_platform in descriptions.items()
        for each in of_platform
    }


@in_each_language
@pytest.mark.parametrize(
    ("place", "descriptions"), enumerate((OF_A_CHARGER, OF_A_VEHICLE, OF_THE_ACCOUNT))
)
def test_the_tables_have_every_entity_and_whether_it_is_enabled(
    language: Language, place: int, descriptions: Descriptions
) -> None:
    found = in_the_tables(language, language.headings[place])
    assert found == described(descriptions, language.texts)


@in_each_language
def test_every_table_of_sensors_says_when_they_are_unknown(language: Language) -> None:
    for heading in language.headings:
        for heads, _ in tables(section(language.folder / "entities.md", heading)):
            if heads[0] in language.platforms:
                assert heads[-1] == language.unknown_when


def test_every_entity_belongs_to_a_charger_a_vehicle_or_the_account() -> None:
    everything: Entities = set()
    for descriptions in (OF_A_CHARGER, OF_A_VEHICLE, OF_THE_ACCOUNT):
        everything |= described(descriptions, ENGLISH)
    assert {
        entity
        for platform, description in DESCRIPTIONS
        for entity in described({platform: (description,)}, ENGLISH)
    } == everything


ACTIONS = load_yaml_dict(str(ROOT / "custom_components" / "joulo" / "services.yaml"))


@in_each_language
def test_every_action_is_described_with_its_fields(language: Language) -> None:
    for action, form in ACTIONS.items():
        name = language.texts["services"][action]["name"]
        text = section(language.folder / "actions.md", f"{name} (`joulo.{action}`)")
        assert fields(language, text) == [f"`{field}`" for field in form["fields"]]


# Forms


@in_each_language
@pytest.mark.parametrize(
    ("page", "step"),
    [
        ("vehicles.md", "config_subentries.vehicle.step.user"),
        ("der-connect.md", "config_subentries.vehicle.step.der_connect"),
        ("costs.md", "options.step.init.sections.price"),
    ],
)
def test_the_fields_of_a_form_are_described_by_their_names(
    language: Language, page: str, step: str
) -> None:
    form = reduce(lambda texts, key: texts[key], step.split("."), language.texts)
    assert fields(language, read(language.folder / page)) == list(form["data"].values())


# Examples


def shape(part: object) -> object:
    """Return an example without its words: what is called how, and how much there is of it."""
    match part:
        case dict():
            return {key: shape(each) for key, each in part.items()}
        case list():
            return [shape(each) for each in part]
        case str():
            return str
        case _:
            return part


def examples(path: Path) -> list[object]:
    """Return the shapes of the YAML in a document."""
    blocks = re.findall(r"^```yaml\n(.*?)^```$", read(path), re.DOTALL | re.MULTILINE)
    # There are no secrets to look up here.
    return [shape(parse_yaml(block.replace("!secret ", ""))) for block in blocks]


@pytest.mark.parametrize("page", [page for page in PAGES if examples(DOCS / page)])
def test_the_examples_in_dutch_differ_in_their_words_only(page: str) -> None:
    english, dutch = (examples(language.folder / page) for language in LANGUAGES.values())
    assert dutch == english
