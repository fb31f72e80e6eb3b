"""The audit packet as a person reads it: every fact is in its text, and differences come first."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from pypdf import PdfReader

from billing.account import Account
from billing.audit_model import AuditPacket, Evidence
from billing.audit_packet import audit_packet
from billing.audit_packet_pdf import audit_packet_pdf
from rtm.ledger import Correction
from tests.billing.audit_sample import (
    EXPORT,
    LEFT_AT,
    MADE,
    RULES,
    story_account,
    story_claim,
    story_evidence,
    story_ledger,
    story_packet,
)
from tests.billing.test_audit_packet import cases, changed, packets


def pages(packet: AuditPacket) -> list[str]:
    """The text of each page on one line."""
    reader = PdfReader(io.BytesIO(audit_packet_pdf(packet)))
    return [" ".join(page.extract_text().split()) for page in reader.pages]


def squeezed(text: str) -> str:
    """Without any space: a long id may be broken over two lines of its cell."""
    return re.sub(r"\s", "", text)


def test_every_fact_stands_in_the_text_with_its_id() -> None:
    packet = story_packet()
    text = squeezed(" ".join(pages(packet)))
    for record in packet.facts:
        assert squeezed(record.original.id) in text
        assert record.label in text


def test_each_time_entry_says_who_when_what_and_how_long() -> None:
    text = " ".join(pages(story_packet()))
    assert re.search(r"T2 2026-03-05 10:00:00 10:12:00 12 min 12 min Terry Álvarez, PT, NPI", text)
    assert re.search(r"T3 2026-03-05 10:05:00 10:15:00 10 min 3 min Zoë Łukasz, PTA", text)
    assert "review of the sessions" in text


def test_a_sound_packet_says_so_and_another_says_it_loudly_on_its_first_page() -> None:
    assert "as they stood when the claim left, gives every line" in pages(story_packet())[0]
    wrong = changed(story_claim(), "98981", units=3)
    first = pages(story_packet(wrong))[0]
    assert "FINDING: the facts do not give this claim as it was sent (1 difference)" in first
    assert "98981: units 3 on the claim, 1 by the recount" in first
    assert "gives every line" not in first


def test_each_page_bears_the_claims_id_and_its_number() -> None:
    shown = pages(story_packet())
    for number, text in enumerate(shown, start=1):
        assert "Claim HS-7: audit packet of 2026-11-24 16:00 UTC" in text
        assert f"page {number} of {len(shown)}" in text


def test_sums_are_those_of_the_claim() -> None:
    claim = story_claim()
    first = pages(story_packet())[0]
    assert f"Total of the claim: {claim.total}" in first
    assert all(f"{line.charge.code} " in first for line in claim.lines)


def test_consent_device_attestation_and_the_definition_of_a_day_are_there() -> None:
    text = " ".join(pages(story_packet()))
    for words in (
        "verbal, obtained by Terry Álvarez, text 2026-11",
        "Homestretch, version 0.1.0",
        "recorded for this test",
        "No: attested 2026-03-02 09:00:00",
        "prom, self_report, session (house policy: no source defines a day of data",
        "CarePlan/41, read back",
        "5e" * 32,
    ):
        assert words in text


def test_the_same_packet_gives_the_same_bytes() -> None:
    assert audit_packet_pdf(story_packet()) == audit_packet_pdf(story_packet())


def test_headings_are_bookmarks_and_the_language_is_named() -> None:
    reader = PdfReader(io.BytesIO(audit_packet_pdf(story_packet())))
    titles = [item.title for item in reader.outline if not isinstance(item, list)]
    assert "Corrections" in titles
    assert any(title and title.startswith("L3: 98980-GP") for title in titles)
    assert reader.trailer["/Root"]["/Lang"] == "en-US"


@pytest.mark.parametrize(
    ("family", "shown"),
    [
        ("Łukaszewicz-Ñandú", "Łukaszewicz-Ñandú"),
        ("Папандреу", "Папандреу"),
        ("中村", "[U+4E2D][U+6751]"),
    ],
)
def test_a_name_in_any_script_is_there_or_its_code_points_are(family: str, shown: str) -> None:
    claim = story_claim()
    named = replace(claim, subscriber=replace(claim.subscriber, family=family))
    assert f"Ana {shown}, born" in pages(story_packet(named))[0]


def test_a_reason_longer_than_a_page_goes_on_in_further_rows() -> None:
    ledger = story_ledger()
    words = " ".join(f"word{n}" for n in range(3000))
    long = Correction("fix:long", "timer:open", "Terry", words, LEFT_AT, None)
    ledger = replace(ledger, corrections=(*ledger.corrections, long))
    packet = audit_packet(
        story_claim(), story_account(ledger), EXPORT, story_evidence(), MADE, RULES
    )
    text = squeezed(" ".join(pages(packet)))
    assert "word0word1" in text
    assert "word2999" in text


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(cases())
def test_any_packet_can_be_printed_and_lacks_no_fact(case: tuple[Account, Evidence]) -> None:
    for packet, _ in packets(case):
        text = squeezed(" ".join(pages(packet)))
        for record in packet.facts:
            assert squeezed(record.original.id) in text
