"""The institutional claim file: golden, by entity, and by two validators that are not ours.

Both have a map for it: pyx12 for GS08 005010X223A2, x12sdk for its successor. Neither looks at
type of bill, revenue code or the attending provider, so those are checked here by segment.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.claim_model import Claim, Entity
from billing.entities import InvalidEntities, load_entities, read_entities
from billing.x12_837i import write_837i
from billing.x12_envelope import Interchange
from tests.billing.claim_strategies import FACILITY, SUBMITTER, by_validators, claims
from tests.billing.sample import ranged, sample_claim
from tests.billing.x12_validators import pyx12_errors, x12_errors, x12sdk_errors

GOLDEN = Path(__file__).parent / "golden"
CREATED = datetime(2026, 4, 1, 12, 0)
INSTITUTIONS: tuple[Entity, ...] = tuple(
    entity for entity, rule in load_entities().items() if rule.format == "837i"
)


def of(entity: Entity, claim: Claim | None = None) -> Claim:
    claim = claim or sample_claim()
    return replace(claim, billing_provider=replace(claim.billing_provider, entity=entity))


HOSPITAL = of("hospital_outpatient")


def _837i(*given_claims: Claim) -> str:
    return write_837i(given_claims, Interchange(1, CREATED))


def segments(content: str, name: str) -> list[list[str]]:
    rows = [row.rstrip("~").split("*") for row in content.splitlines()]
    return [row for row in rows if row[0] == name]


def _without_plan(claim: Claim) -> Claim:
    lines = tuple(replace(x, charge=replace(x.charge, modifiers=())) for x in claim.lines)
    return replace(claim, lines=lines)


def test_837i_is_the_golden_file() -> None:
    assert _837i(HOSPITAL) == (GOLDEN / "claim-institutional.837").read_text()


@pytest.mark.parametrize("entity", INSTITUTIONS)
def test_both_validators_accept_every_kind_of_institution(entity: Entity, tmp_path: Path) -> None:
    path = tmp_path / "claim.837"
    path.write_text(_837i(of(entity)))
    assert x12_errors(path) == []


@pytest.mark.parametrize(
    ("entity", "type_of_bill", "revenue"),
    [
        ("hospital_outpatient", "13", "0420"),
        ("rehab_agency", "74", "0420"),
        ("corf", "75", "0420"),
        ("fqhc", "77", "0521"),
        ("rhc", "71", "0521"),
    ],
)
def test_type_of_bill_and_revenue_code_follow_the_entity(
    entity: Entity, type_of_bill: str, revenue: str
) -> None:
    content = _837i(of(entity))
    assert [row[5] for row in segments(content, "CLM")] == [f"{type_of_bill}:A:1"]
    assert {row[1] for row in segments(content, "SV2")} == {revenue}


@pytest.mark.parametrize(("plan", "revenue"), [("GP", "0420"), ("GO", "0430"), ("GN", "0440")])
def test_the_therapy_plan_decides_the_revenue_code(plan: str, revenue: str) -> None:
    lines = tuple(
        replace(line, charge=replace(line.charge, modifiers=(plan, "KX")))
        for line in HOSPITAL.lines
    )
    content = _837i(replace(HOSPITAL, lines=lines))
    assert {row[1] for row in segments(content, "SV2")} == {revenue}
    assert segments(content, "SV2")[0][2] == f"HC:98975:{plan}:KX"


def test_an_unknown_sex_is_what_x12sdk_does_not_know(tmp_path: Path) -> None:
    path = tmp_path / "claim.837"
    path.write_text(
        _837i(replace(HOSPITAL, subscriber=replace(HOSPITAL.subscriber, gender="unknown")))
    )
    assert pyx12_errors(path) == []
    assert "gender_code" in x12sdk_errors(path)[0]


def test_a_rehabilitation_agency_has_no_revenue_code_outside_a_plan() -> None:
    with pytest.raises(ValueError, match="no revenue code is known for 98975"):
        _837i(_without_plan(of("rehab_agency")))


@pytest.mark.parametrize("frequency", ["7", "8"])
def test_a_correction_bears_its_digit_and_the_payers_number(frequency: str, tmp_path: Path) -> None:
    claim = replace(HOSPITAL, frequency=frequency, payer_claim_number="icn-1")  # type: ignore[arg-type]
    path = tmp_path / "claim.837"
    path.write_text(_837i(claim))
    assert f"***13:A:{frequency}*" in path.read_text()
    assert "REF*F8*ICN-1~" in path.read_text()
    assert x12_errors(path) == []


def test_who_certified_the_plan_attends_and_not_the_therapist() -> None:
    content = _837i(HOSPITAL)
    assert "NM1*71*1*CHEN*ROBIN****XX*1999999927~" in content
    assert HOSPITAL.rendering.npi not in content


def test_therapy_that_nobody_certified_is_not_written() -> None:
    with pytest.raises(ValueError, match="nobody who certified"):
        _837i(replace(HOSPITAL, referring=None))


def test_outside_a_plan_who_rendered_attends_and_the_referrer_is_named(tmp_path: Path) -> None:
    path = tmp_path / "claim.837"
    path.write_text(_837i(_without_plan(HOSPITAL)))
    content = path.read_text()
    assert "NM1*71*1*ALVAREZ*" in content
    assert "PRV*AT*PXC*225100000X~" in content
    assert "NM1*DN*1*CHEN*" in content
    assert {row[1] for row in segments(content, "SV2")} == {"0510"}
    assert x12_errors(path) == []


def test_a_health_center_names_who_rendered_beside_who_attends() -> None:
    assert "NM1*82*1*ALVAREZ*" in _837i(of("fqhc"))
    assert "NM1*82" not in _837i(HOSPITAL)


def test_the_statement_covers_every_date_on_the_claim() -> None:
    for claim, statement in (
        (HOSPITAL, "20260303-20260331"),
        (ranged(HOSPITAL), "20260301-20260331"),
    ):
        content = _837i(claim)
        assert [row[1:] for row in segments(content, "DTP") if row[1] == "434"] == [
            ["434", "RD8", statement]
        ]
        assert [row[2] for row in segments(content, "DTP") if row[1] == "472"] == ["D8"] * 3


def test_a_service_facility_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "claim.837"
    path.write_text(_837i(replace(HOSPITAL, service_facility=FACILITY)))
    assert "NM1*77*2*PRAIRIE POOL*" in path.read_text()
    assert x12_errors(path) == []


def test_a_billing_note_is_what_x12sdk_does_not_know(tmp_path: Path) -> None:
    path = tmp_path / "claim.837"
    path.write_text(_837i(replace(HOSPITAL, note="Corrected units")))
    assert "NTE*ADD*CORRECTED UNITS~" in path.read_text()
    assert pyx12_errors(path) == []
    assert "note_reference_code" in x12sdk_errors(path)[0]


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("DTP*434*RD8*20260303-20260331~\n", ""),
        ("CL1*3*1*01~\n", ""),
        ("HI*ABK:M1711~\n", ""),
        ("*20260331~", "*20261330~"),
        ("CLM*HS-1*115.9*", "CLM*HS-1*999*"),
        ("SE*37*", "SE*36*"),
    ],
)
def test_the_validators_do_reject_a_broken_file(good: str, bad: str, tmp_path: Path) -> None:
    text = _837i(HOSPITAL)
    assert good in text
    path = tmp_path / "broken.837"
    path.write_text(text.replace(good, bad, 1))
    assert x12_errors(path) != []


def test_a_private_practice_does_not_bill_institutional_claims() -> None:
    with pytest.raises(ValueError, match="private_practice bills professional claims"):
        _837i(sample_claim())


@by_validators
@given(
    batch=st.lists(
        st.sampled_from(INSTITUTIONS).flatmap(lambda entity: claims(entity)),
        min_size=1,
        max_size=4,
    )
)
def test_random_claims_are_accepted_and_keep_their_sums(
    batch: list[Claim], tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = write_837i(batch, Interchange(1, CREATED, submitter=SUBMITTER))
    path = tmp_path_factory.mktemp("837i") / "batch.837"
    path.write_text(content)
    assert x12_errors(path) == []
    assert sorted(float(row[2]) for row in segments(content, "CLM")) == sorted(
        float(claim.total) for claim in batch
    )
    assert sum(float(row[3]) for row in segments(content, "SV2")) == pytest.approx(
        float(sum(claim.total for claim in batch))
    )


def test_the_table_knows_every_entity_and_where_each_line_stands() -> None:
    rules = load_entities()
    assert set(rules) == set(get_args(Entity))
    assert {entity for entity, rule in rules.items() if rule.format == "837p"} == {
        "private_practice",
        "physician_office",
    }


def _document() -> dict[str, dict[str, object]]:
    rule: dict[str, object] = {"format": "837p", "status": "recalled", "source": "somewhere"}
    return {entity: dict(rule) for entity in get_args(Entity)}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"status": "guessed"}, "status and a source"),
        ({"source": ""}, "status and a source"),
        ({"format": "837i"}, "belong to the format 837i"),
        ({"colour": "red"}, "wrong keys"),
    ],
)
def test_a_table_with_a_fault_is_refused(change: dict[str, object], why: str) -> None:
    document = _document()
    document["corf"] |= change
    with pytest.raises(InvalidEntities, match=why):
        read_entities(document)


def test_a_table_that_lacks_an_entity_is_refused() -> None:
    document = _document()
    del document["rhc"]
    with pytest.raises(InvalidEntities, match="rhc"):
        read_entities(document)


def test_a_revenue_code_for_one_procedure_goes_before_that_of_its_plan() -> None:
    document = _document()
    line = {"plan": "GP", "code": "0420", "status": "recalled", "source": "somewhere"}
    document["corf"] = document["corf"] | {
        "format": "837i",
        "institutional": {
            "type_of_bill": "75",
            "rendering": False,
            "revenue": [line, line | {"code": "0429", "hcpcs": "98977"}],
        },
    }
    rule = read_entities(document)["corf"].institutional
    assert rule is not None
    assert rule.revenue_code("98977", ("GP",)) == "0429"
    assert rule.revenue_code("98980", ("GP",)) == "0420"
