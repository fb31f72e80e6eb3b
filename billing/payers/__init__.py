"""Payer profiles: Medicare's rules, and by named settings where a payer departs from them.

One YAML file a payer. Every setting carries its source, or is marked as house policy. What a
profile does not set is as in `medicare.yaml`, except amounts: nobody pays Medicare's by default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Literal

from billing.account import DateOfService, Reason
from billing.rules import Rules, load_rules
from rtm.checked_yaml import checked_documents
from rtm.ledger import DataKind

MEDICARE = "medicare"

# For a payer whose own rules nobody has entered: Medicare's, looked at before a claim leaves.
UNKNOWN_PAYER = "other"

DeviceBillable = Literal["period_end", "threshold"]


class InvalidPayers(ValueError):
    """A payer file breaks the schema or names what no rule knows; says file and place."""


@dataclass(frozen=True)
class OwnAmount:
    """What a payer pays for one unit of `code` from `valid_from` to `valid_to`, both included."""

    code: str
    amount: Decimal
    valid_from: date
    valid_to: date


@dataclass(frozen=True)
class Settings:
    """What a payer may decide for itself.

    `amounts` None means the national ones; `covered_codes` None every code of the rules.
    """

    date_of_service: DateOfService
    device_billable: DeviceBillable
    message_is_interaction: bool
    in_person_is_interaction: bool
    day_of_data: frozenset[DataKind]
    covered_codes: frozenset[str] | None
    amounts: tuple[OwnAmount, ...] | None
    therapy_modifiers: bool
    kx: bool
    rpm_exclusion: bool
    consent_required: bool
    order_required: bool


@dataclass(frozen=True)
class PayerProfile:
    """One payer. `basis` gives for each setting the source or the house policy behind it."""

    id: str
    title: str
    example: bool
    settings: Settings
    basis: Mapping[str, str]

    def rule(self, setting: str) -> str:
        """The id of a setting as a rule, as reasons and blocks name it."""
        return f"payer.{self.id}.{setting}"

    def reason(self, setting: str, facts: Mapping[str, object]) -> Reason:
        """The step of a decision that rests on `setting`."""
        return Reason(self.rule(setting), facts, self.basis[setting])

    def covers(self, code: str) -> bool:
        covered = self.settings.covered_codes
        return covered is None or code in covered


Payers = Mapping[str, PayerProfile]


@cache
def load_payers() -> Payers:
    """The profiles shipped with this package, by id. Raises InvalidPayers."""
    return read_payers(files(__package__), load_rules())


def prices_on(payer_id: str, day: date) -> dict[str, Decimal]:
    """What a payer pays for one unit of each code on `day`, as far as it is known."""
    payers, rule_set = load_payers(), load_rules().on(day)
    own = payers.get(payer_id, payers[UNKNOWN_PAYER]).settings.amounts
    if own is not None:
        return {item.code: item.amount for item in own if item.valid_from <= day <= item.valid_to}
    return {} if rule_set is None else {c: line.amount for c, line in rule_set.national.items()}


def read_payers(folder: Traversable, rules: Rules) -> Payers:
    """Every `*.yaml` of `folder`, by id; one of them must be Medicare's, complete.

    Raises:
        InvalidPayers: a file is broken, has an unknown setting or code, or a setting without
            source or house policy.
    """
    documents: dict[str, tuple[str, dict[str, Any]]] = {}
    for name, document in checked_documents(folder, __package__, InvalidPayers):
        if document["id"] in documents:
            other = documents[document["id"]][0]
            raise InvalidPayers(f"{name}: $.id: {document['id']} is in {other} already")
        documents[document["id"]] = (name, document)
    if MEDICARE not in documents:
        raise InvalidPayers(f"there is no profile {MEDICARE}, which the others build on")
    base_name, base = documents[MEDICARE]
    missing = sorted({field.name for field in fields(Settings)} - base["settings"].keys())
    if missing:
        raise InvalidPayers(f"{base_name}: $.settings lacks {missing[0]}")
    return {
        id: _profile(name, document, base["settings"], rules)
        for id, (name, document) in documents.items()
    }


def _profile(
    name: str, document: dict[str, Any], base: Mapping[str, Any], rules: Rules
) -> PayerProfile:
    stated = document["settings"]
    if "amounts" not in stated:
        raise InvalidPayers(f"{name}: $.settings lacks amounts, the payer's own or an empty list")
    merged = {**base, **stated}
    value = {key: setting["value"] for key, setting in merged.items()}
    settings = Settings(
        **{
            **value,
            "day_of_data": frozenset(value["day_of_data"]),
            "covered_codes": _covered(name, value["covered_codes"], rules),
            "amounts": _amounts(name, value["amounts"], rules),
        }
    )
    if settings.device_billable == "threshold" and settings.date_of_service != "threshold_day":
        # The period's last day would be a date of service in the future.
        why = "threshold needs date_of_service threshold_day"
        raise InvalidPayers(f"{name}: $.settings.device_billable: {why}")
    return PayerProfile(
        id=document["id"],
        title=document["title"],
        example=document["example"],
        settings=settings,
        basis={
            key: setting.get("source") or f"house policy: {setting['house_policy']}"
            for key, setting in merged.items()
        },
    )


def _covered(name: str, value: Any, rules: Rules) -> frozenset[str] | None:
    if value == "all":
        return None
    for code in value:
        _known(name, "covered_codes", code, rules)
    return frozenset(value)


def _amounts(name: str, value: Any, rules: Rules) -> tuple[OwnAmount, ...] | None:
    if value == "national":
        return None
    amounts: list[OwnAmount] = []
    for line in value:
        _known(name, "amounts", line["code"], rules)
        try:
            first, last = (
                date.fromisoformat(line["valid_from"]),
                date.fromisoformat(line["valid_to"]),
            )
        except ValueError as error:
            raise InvalidPayers(f"{name}: $.settings.amounts: {line['code']}: {error}") from None
        own = OwnAmount(line["code"], Decimal(line["amount"]), first, last)
        if last < first:
            raise InvalidPayers(f"{name}: $.settings.amounts: {own.code} ends before it begins")
        for other in amounts:
            if other.code == own.code and first <= other.valid_to and other.valid_from <= last:
                raise InvalidPayers(f"{name}: $.settings.amounts: {own.code} twice on {first}")
        amounts.append(own)
    return tuple(amounts)


def _known(name: str, setting: str, code: str, rules: Rules) -> None:
    if code not in rules.known_codes:
        raise InvalidPayers(f"{name}: $.settings.{setting}: {code} is not a code of the rules")
