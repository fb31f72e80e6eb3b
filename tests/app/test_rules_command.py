"""`homestretch rules list`: the rules of a date as one payer has them."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from app.cli import main


def rules_list(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["rules", "list", *arguments])


def test_a_date_lists_the_codes_of_its_year_with_their_sources() -> None:
    listing = json.loads(rules_list("--on", "2026-05-01", "--json").stdout)
    assert listing["rule_set"] == "rtm-2026"
    codes = {code["code"]: code for code in listing["codes"]}
    assert codes["98985"]["maximum_days"] == 15
    assert (codes["98975"]["amount"], codes["98976"]["amount"]) == ("21.71", None)
    assert all(code["source"] and code["amount_source"] for code in listing["codes"])
    assert all(setting["source"] for setting in listing["settings"])


def test_an_amount_that_nobody_confirmed_is_marked() -> None:
    listing = json.loads(rules_list("--on", "2022-05-01", "--json").stdout)
    assert {c["code"] for c in listing["codes"] if c["recalled"]} == {"98980", "98981"}
    assert "(recalled)" in rules_list("--on", "2022-05-01").stdout


def test_a_payer_is_shown_with_what_it_does_not_cover() -> None:
    shown = rules_list("--on", "2026-05-01", "--payer", "medicaid-example").stdout
    assert "98979  Treatment management, first 10 minutes" in shown
    assert shown.count("(not covered)") == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--on", "2027-02-01"), "no RTM rules are loaded for 2027-02-01"),
        (("--on", "May"), "'May' is not a date"),
        (("--on", "2026-05-01", "--payer", "acme"), "no payer 'acme'; known: commercial"),
    ],
)
def test_what_can_not_be_listed_is_said_in_one_line(
    arguments: tuple[str, ...], message: str
) -> None:
    done = rules_list(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
