"""The Spanish catalogue: whole, in step with the sources, and with the same placeholders."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.patient.names import ANGLES as ANGLE_NAMES
from app.patient.names import PARTS, REGIONS
from app.patient.words import page_words
from rtm.range_of_motion import load_movements
from rtm.session import ScoreParts
from tests.app.portal_texts import (
    ROOT,
    forms,
    keys_in_scripts,
    marked_texts,
    portal_scripts,
    portal_templates,
    spanish,
    unmarked_in_python,
    unmarked_in_script,
    unmarked_in_template,
)
from vision.kinematics import ANGLES

PLACEHOLDER = re.compile(r"%\(\w+\)s|%%|%")

# Where texts for patients are said by Python.
SPEAKING = (
    *sorted((ROOT / "app" / "patient").rglob("*.py")),
    *(ROOT / "app" / f"{name}.py" for name in ("sessions", "live_sessions", "range_tests")),
)


def places() -> dict[str, str]:
    """Where each marked text stands, by its singular."""
    return {text.singular: text.place for text in marked_texts()}


def test_every_marked_text_is_in_the_catalogue() -> None:
    known = {m.id[0] if isinstance(m.id, tuple) else m.id for m in spanish()}
    missing = {f"{text.place}: {text.singular}" for text in marked_texts()} - {
        f"{text.place}: {text.singular}" for text in marked_texts() if text.singular in known
    }
    assert not missing, "run `make words`, then translate: " + "\n".join(sorted(missing))


def test_the_catalogue_holds_nothing_that_is_gone() -> None:
    marked = {(text.singular, text.plural) for text in marked_texts()}
    ids = {m.id if isinstance(m.id, tuple) else (m.id, "") for m in spanish() if m.id}
    assert ids <= marked, "run `make words`"


def test_nothing_is_untranslated_or_fuzzy() -> None:
    where = places()
    open_ = [
        f"{where.get(m.id if isinstance(m.id, str) else m.id[0])}: {m.id}"
        for m in spanish()
        if m.id and (m.fuzzy or not all(text.strip() for text in forms(m)))
    ]
    assert not open_, "no Spanish yet for:\n" + "\n".join(open_)


def test_translations_have_the_placeholders_of_their_text() -> None:
    """A plural form may leave out none either: each is shown for many numbers."""
    different = []
    for message in spanish():
        singular = message.id if isinstance(message.id, str) else message.id[0]
        expected = sorted(PLACEHOLDER.findall(singular))
        different += [
            f"{singular!r} → {text!r}"
            for text in forms(message)
            if message.id and sorted(PLACEHOLDER.findall(text)) != expected
        ]
    assert not different, "\n".join(different)


@pytest.mark.parametrize("path", portal_templates(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_template_has_no_text_outside_gettext(path: Path) -> None:
    """Of every branch, so also of what no other test renders."""
    assert unmarked_in_template(path) == []


@pytest.mark.parametrize("path", SPEAKING, ids=lambda path: str(path.relative_to(ROOT)))
def test_python_says_nothing_to_patients_outside_gettext(path: Path) -> None:
    assert unmarked_in_python(path) == []


@pytest.mark.parametrize("path", portal_scripts(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_script_says_nothing_of_its_own(path: Path) -> None:
    assert unmarked_in_script(path) == []


def test_unmarked_texts_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        '{% extends "base_portal.html" %}<h1>Hello</h1>{{ _("Marked") }}'
        '<p>{% if x %}{{ "Do it" if y else "start" }}{% endif %}</p><a aria-label="Go {{ z }}">'
        '<b translate="no">Rosa</b><i class="muted big"></i></a>'
    )
    assert unmarked_in_template(page) == ["Do it", "Hello", "Go …"]
    code = tmp_path / "code.py"
    code.write_text(
        'abort(404, "Not there")\nabort(404, _("There"))\nraise XRefused(f"No {x} here")'
    )
    assert unmarked_in_python(code) == ["1: Not there", "3: No … here"]
    script = tmp_path / "script.ts"
    script.write_text('say("Well done");\nsay(words("live.done"));\nx.className = "card big";')
    assert unmarked_in_script(script) == ["1: Well done"]


def test_scripts_and_server_know_the_same_words() -> None:
    used, known = keys_in_scripts(), set(page_words())
    assert {key: file for key, file in used.items() if key not in known} == {}
    assert known - used.keys() == set(), "no script says these"


def test_everything_measured_has_a_name_for_patients() -> None:
    assert set(ANGLE_NAMES) == set(ANGLES)
    assert set(REGIONS) == {movement.region for movement in load_movements()}
    assert set(PARTS) == set(ScoreParts.__dataclass_fields__) - {"total"}
