"""The exported documents as AsyncAPI's own parser and a JSON Schema validator see them."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ops import cli
from schemas.asyncapi import asyncapi
from tests.asyncapi.node import LOCK, problems

# The first test to run fetches the parser, which takes as long as the network does.
pytestmark = pytest.mark.timeout(600)


def test_the_exported_documents_are_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The parser finds no error and no warning; every example fits its message; every schema is 2020-12."""
    monkeypatch.setattr("sys.argv", ["ticketflow", "schemas", "export", str(tmp_path)])
    cli.main()
    files = sorted(tmp_path.iterdir())
    assert tmp_path / "asyncapi.json" in files
    assert len(files) > 20
    assert problems(files) == {path: [] for path in files}


def _unknown_setting(document: Any) -> None:
    document["channels"]["events"]["bindings"]["kafka"]["partition"] = 12


def _message_of_another_channel(document: Any) -> None:
    document["operations"]["readState"]["messages"][0]["$ref"] = (
        "#/channels/journal/messages/ticket.journal.v1"
    )


def _unknown_type(document: Any) -> None:
    document["components"]["schemas"]["sent.Client"]["type"] = "person"


def _leads_nowhere(document: Any) -> None:
    document["components"]["messages"]["ticket.created.v1"]["payload"]["allOf"][0]["$ref"] = "#/components/no"


def _payload_does_not_fit(document: Any) -> None:
    (example,) = document["components"]["messages"]["ticket.assigned.v1"]["examples"]
    example["payload"]["data"] = {"operator": 7}


def _header_is_missing(document: Any) -> None:
    (example,) = document["components"]["messages"]["ticket.assigned.v1.binary"]["examples"]
    del example["headers"]["ce_id"]


MISTAKES: dict[Callable[[Any], None], str] = {
    _unknown_setting: 'Property "partition" is not expected',
    _message_of_another_channel: "does not belong to the specified channel",
    _unknown_type: "must be equal to one of the allowed values",
    _leads_nowhere: "/components/no",
    _payload_does_not_fit: "ticket.assigned.v1 payload/data/operator must be string",
    _header_is_missing: "ticket.assigned.v1.binary headers must have required property 'ce_id'",
}
PLANTED_SCHEMAS = {
    "reference": ({"$ref": "urn:ticketflow:none"}, "urn:ticketflow:none"),
    "keyword": ({"maxLenght": 1}, "maxLenght"),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What is found in documents and schemas with one mistake each, by the mistake's name."""
    directory = tmp_path_factory.mktemp("planted")
    documents: dict[str, Any] = {
        name: {"$id": f"urn:planted:{name}", **schema} for name, (schema, _) in PLANTED_SCHEMAS.items()
    }
    for mistake in MISTAKES:
        documents[mistake.__name__] = copy.deepcopy(asyncapi("tickets", 12, "0.1.0"))
        mistake(documents[mistake.__name__])
    for name, document in documents.items():
        (directory / name).write_text(json.dumps(document))
    return {path.name: told for path, told in problems([directory / name for name in documents]).items()}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__.strip("_"))
def test_a_mistake_in_a_document_is_found(mistake: Callable[[Any], None], found: dict[str, list[str]]):
    """The check is awake: what is wrong in bindings, references, types and examples is a problem."""
    assert MISTAKES[mistake] in "\n".join(found[mistake.__name__])


@pytest.mark.parametrize("name", PLANTED_SCHEMAS)
def test_a_mistake_in_a_schema_is_found(name: str, found: dict[str, list[str]]):
    """A schema that refers to nothing, and one with a misspelt keyword, are problems, too."""
    assert PLANTED_SCHEMAS[name][1] in "\n".join(found[name])


def test_the_lock_says_what_and_never_where():
    """Every package has its digest and no address; what npm adds as `funding` is taken out by hand."""
    text = LOCK.read_text()
    packages = {name: package for name, package in json.loads(text)["packages"].items() if name}
    assert "://" not in text
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
