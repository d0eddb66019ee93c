"""What a tag is made into for HACS, which tags are refused, and what GitHub is told to do."""

from io import BytesIO
import json
import os
from pathlib import Path
import shutil
import subprocess
from typing import Any
from zipfile import ZipFile

from homeassistant.util.yaml import load_yaml_dict
import pytest

ROOT = Path(__file__).parent.parent
ROOM = Path("custom_components", "joulo")
HACS: dict[str, Any] = json.loads((ROOT / "hacs.json").read_text(encoding="utf-8"))
FORMS = ROOT / ".github" / "ISSUE_TEMPLATE"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").iterdir())

# As someone, and without what a hook or this machine has set for another repository.
ENVIRONMENT = (
    {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    | {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
)

CHANGELOG = """# Changelog

## [Unreleased]

- What is yet to come.

## [1.2.3] - 2026-06-15

### Added

- A point that is so long that it goes on
  in the next line.
- Another point:
  - one below it.

  ```yaml
  joulo:
    as: it stands
  ```

## [1.2.2] - 2026-06-01

- What was before.

[1.2.3]: https://example.com/v1.2.3
"""
NOTES = """### Added

- A point that is so long that it goes on in the next line.
- Another point:
  - one below it.

  ```yaml
  joulo:
    as: it stands
  ```
"""


class Repository:
    """A repository with this integration in version 1.2.3, in which a tag can be set and released."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / ROOM, folder / ROOM, ignore=ignored)
        manifest = folder / ROOM / "manifest.json"
        texts = json.loads(manifest.read_text(encoding="utf-8"))
        manifest.write_text(json.dumps(texts | {"version": "1.2.3"}, indent=2), encoding="utf-8")
        (folder / "scripts").mkdir()
        shutil.copy(ROOT / "scripts" / "release", folder / "scripts")
        (folder / "CHANGELOG.md").write_text(CHANGELOG, encoding="utf-8")
        self.git("init", "--quiet")
        self.commit()

    def git(self, *arguments: str) -> None:
        """Run git."""
        subprocess.run(["git", *arguments], cwd=self.folder, env=ENVIRONMENT, check=True)  # noqa: S603, S607

    def commit(self) -> None:
        """Commit everything."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "Change")

    def release(self, tag: str, *, zone: str = "UTC") -> subprocess.CompletedProcess[str]:
        """Run the script on a tag."""
        return subprocess.run(  # noqa: S603
            [self.folder / "scripts" / "release", tag, "dist"],
            cwd=self.folder,
            env=ENVIRONMENT | {"TZ": zone},
            check=False,
            capture_output=True,
            text=True,
        )

    def made(self, name: str) -> bytes:
        """Return a file that the script has made."""
        return (self.folder / "dist" / name).read_bytes()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Return such a repository, with the tag v1.2.3."""
    repository = Repository(tmp_path)
    repository.git("tag", "v1.2.3")
    return repository


# The zip and the notes


def test_the_zip_has_the_content_of_the_folder_at_its_root(repository: Repository) -> None:
    stray = repository.folder / ROOM / "__pycache__" / "stray.pyc"
    stray.parent.mkdir()
    stray.touch()
    assert repository.release("v1.2.3").returncode == 0
    with ZipFile(BytesIO(repository.made("joulo.zip"))) as archive:
        files = {name for name in archive.namelist() if not name.endswith("/")}
        assert json.loads(archive.read("manifest.json"))["version"] == "1.2.3"
    here = {
        path.relative_to(ROOT / ROOM).as_posix()
        for path in (ROOT / ROOM).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files == here
    assert {"translations/nl.json", "brand/icon.png", "api/client.py"} <= files


def test_the_same_tag_makes_the_same_zip(repository: Repository) -> None:
    repository.release("v1.2.3")
    before = repository.made("joulo.zip")
    manifest = repository.folder / ROOM / "manifest.json"
    manifest.write_text("{}", encoding="utf-8")
    repository.release("v1.2.3", zone="Europe/Amsterdam")
    assert repository.made("joulo.zip") == before


def test_the_notes_are_the_section_of_the_version(repository: Repository) -> None:
    assert repository.release("v1.2.3").returncode == 0
    assert repository.made("notes.md").decode() == NOTES


# What is refused


@pytest.mark.parametrize("tag", ["v1.2.4", "1.2.3", "v1.2.3-beta.1"])
def test_a_tag_that_disagrees_with_the_manifest_is_refused(
    repository: Repository, tag: str
) -> None:
    repository.git("tag", tag)
    refused = repository.release(tag)
    assert refused.returncode != 0
    assert f"The tag {tag} disagrees with the manifest, which says 1.2.3." in refused.stderr
    assert not (repository.folder / "dist").exists()


def test_a_version_that_the_changelog_tells_nothing_of_is_refused(repository: Repository) -> None:
    changelog = CHANGELOG.replace("## [1.2.3]", "## [1.2.30]")
    (repository.folder / "CHANGELOG.md").write_text(changelog, encoding="utf-8")
    repository.commit()
    repository.git("tag", "--force", "v1.2.3")
    refused = repository.release("v1.2.3")
    assert refused.returncode != 0
    assert "CHANGELOG.md tells nothing of 1.2.3." in refused.stderr
    assert not (repository.folder / "dist").exists()


def test_a_tag_that_does_not_exist_is_refused(repository: Repository) -> None:
    refused = repository.release("v9.9.9")
    assert refused.returncode != 0
    assert "There is no tag v9.9.9." in refused.stderr


# What HACS and GitHub read


def test_hacs_looks_for_the_zip_that_is_made(repository: Repository) -> None:
    assert HACS["zip_release"]
    assert HACS["hide_default_branch"], "it has no zip"
    repository.release("v1.2.3")
    assert repository.made(HACS["filename"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_do_nothing_that_a_job_does_not_ask_for(path: Path) -> None:
    workflow = load_yaml_dict(str(path))
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        write = {scope for scope, level in job.get("permissions", {}).items() if level == "write"}
        assert write <= ({"contents"} if path.stem == "release" else set())
        assert job["timeout-minutes"]


@pytest.mark.parametrize("name", ["bug_report", "feature_request"])
def test_a_form_is_one_that_github_accepts(name: str) -> None:
    form = load_yaml_dict(str(FORMS / f"{name}.yaml"))
    assert {"name", "description", "body"} <= form.keys()
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in fields} <= {"dropdown", "input", "textarea"}
    assert all(field["attributes"]["label"] for field in fields)
    ids = [field["id"] for field in fields]
    assert len(ids) == len(set(ids))


def test_a_bug_report_comes_with_diagnostics() -> None:
    form = load_yaml_dict(str(FORMS / "bug_report.yaml"))
    required = {
        field["id"] for field in form["body"] if field.get("validations", {}).get("required")
    }
    assert required == {"problem", "steps", "home-assistant", "joulo", "diagnostics"}
