"""The month of synthetic patients on a small scale, and that a wrong file would be noticed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.billing_office.export import ExportDone, export_month
from bench import claims_month
from bench.billing_practice import DEFECTS, people
from bench.claims_month import check_months, main

PATIENTS = 150


def test_everything_that_leaves_is_accepted_and_the_money_comes_out() -> None:
    checks = {check.name: check for check in check_months(PATIENTS)}
    assert [check.problems for check in checks.values()] == [(), (), ()]
    assert checks["837P"].accepted == checks["837I"].accepted == {"pyx12": 1, "x12sdk": 1}
    assert checks["DFT"].accepted == {"hl7apy": checks["DFT"].claims}
    assert checks["837P"].claims > PATIENTS / 2
    assert checks["837P"].charges == checks["837P"].left + checks["837P"].stays
    assert len({check.charges for check in checks.values()}) == 1


@pytest.mark.parametrize(
    ("kind", "good", "bad", "says"),
    [
        ("837P", b"*40.08*UN*", b"*41.08*UN*", "what left and what the export says differ"),
        ("837I", b"CLM*", b"CLM*X", "the ids of the claims read and exported differ"),
        ("837P", b"DTP*472*D8*20261031~\n", b"", "pyx12"),
        ("DFT", b"PR1|", b"ZZZ|", "message 0"),
    ],
)
def test_a_file_that_is_wrong_is_told(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    good: bytes,
    bad: bytes,
    says: str,
) -> None:
    def export_wrongly(*arguments: Any, **settings: Any) -> ExportDone:
        done = export_month(*arguments, **settings)
        return replace(
            done,
            files=tuple(replace(f, data=f.data.replace(good, bad, 1)) for f in done.files),
        )

    monkeypatch.setattr(claims_month, "export_month", export_wrongly)
    assert main(["--patients", "30", "--only", kind]) == 1
    assert says in capsys.readouterr().out


def test_a_patient_is_the_same_however_many_others_there_are() -> None:
    few, many = list(people(5, first_id=20)), list(people(30))
    assert few == many[19:24]
    assert list(people(5, seed=2)) != many[:5]


def test_each_defect_befalls_somebody_in_five_hundred() -> None:
    assert 25 * len(DEFECTS) <= 500
