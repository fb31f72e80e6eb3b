"""The FHIR benchmark measures what it says: the same Observations, both ways."""

from __future__ import annotations

import pytest
from fhir.resources.R4B.observation import Observation

from bench.fhir import built, main, measure, observations, sessions


def test_both_ways_make_the_same_observations() -> None:
    of = sessions(3)
    ready = [observation for session in of for observation in observations(built(session))]
    assert len(ready) == 3 * 4
    assert len({observation["identifier"][0]["value"] for observation in ready}) == len(ready)
    assert all(Observation(**observation).status == "final" for observation in ready)


def test_the_ratio_is_of_one_run(capsys: pytest.CaptureFixture[str]) -> None:
    mine, theirs, ratio = measure(0.4)
    assert mine > 0
    assert ratio == pytest.approx(mine / theirs)
    main(["--seconds", "0.4"])
    assert "ratio" in capsys.readouterr().out
