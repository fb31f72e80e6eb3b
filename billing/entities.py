"""How each kind of billing entity bills: format, type of bill, revenue codes. Data with sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

import yaml

from billing.account import Entity

ClaimFormat = Literal["837p", "837i"]
Status = Literal["sourced", "recalled", "house_policy"]

_PLANS = ("GP", "GO", "GN")
_NO_PLAN, _ANY_PLAN = "none", "any"


class InvalidEntities(ValueError):
    """The table breaks its form; the message names the place."""


@dataclass(frozen=True)
class Revenue:
    """The revenue code (four digits) of a line under `plan`; of `code` alone if `hcpcs` is given.

    `plan` is a therapy modifier, `none` (outside a therapy plan) or `any`.
    """

    plan: str
    code: str
    status: Status
    source: str
    hcpcs: str | None = None


@dataclass(frozen=True)
class Institutional:
    """What an institutional claim of one entity says.

    `type_of_bill` is the facility type (CLM05-1), without the frequency digit. `rendering` tells
    whether the claim also names who rendered it: a combined claim of facility and professional.
    """

    type_of_bill: str
    rendering: bool
    revenue: tuple[Revenue, ...]

    def revenue_code(self, hcpcs: str, modifiers: tuple[str, ...]) -> str:
        """The revenue code of a line; a rule for its code goes before one for its plan.

        Raises:
            ValueError: the table has none, such as for a rehabilitation agency's line outside a
                therapy plan.
        """
        plan = next((modifier for modifier in modifiers if modifier in _PLANS), _NO_PLAN)
        fitting = [r for r in self.revenue if r.plan in (plan, _ANY_PLAN)]
        for rule in sorted(fitting, key=lambda r: r.hcpcs is None):
            if rule.hcpcs in (hcpcs, None):
                return rule.code
        raise ValueError(f"no revenue code is known for {hcpcs} with plan {plan} on {self.type}")

    @property
    def type(self) -> str:
        """As people write it: 13X."""
        return f"{self.type_of_bill}X"


@dataclass(frozen=True)
class EntityRule:
    """`institutional` is given exactly where `format` is 837i."""

    format: ClaimFormat
    status: Status
    source: str
    institutional: Institutional | None = None

    @property
    def medicare_filing(self) -> str:
        """SBR09 of a claim to Medicare: part A's contractors take the institutional claims (MA),
        part B's the professional ones (MB). Recalled."""
        return "MA" if self.format == "837i" else "MB"


@cache
def load_entities() -> Mapping[Entity, EntityRule]:
    """The table shipped with this package. Raises InvalidEntities."""
    return read_entities(yaml.safe_load(files("billing").joinpath("entities.yaml").read_text()))


def read_entities(document: dict[str, Any]) -> Mapping[Entity, EntityRule]:
    """The rules of `document` by entity.

    Raises:
        InvalidEntities: an entity is missing or unknown, a rule has no source or an unknown
            status, or institutional data stand where the format is professional.
    """
    if set(document) != set(get_args(Entity)):
        raise InvalidEntities(f"entities must be exactly {', '.join(get_args(Entity))}")
    try:
        rules: dict[Entity, EntityRule] = {name: _rule(document[name]) for name in get_args(Entity)}
    except (TypeError, KeyError) as error:
        raise InvalidEntities(f"a rule has wrong keys: {error}") from None
    for name, rule in rules.items():
        revenue = rule.institutional.revenue if rule.institutional else ()
        parts: list[EntityRule | Revenue] = [rule, *revenue]
        if any(part.status not in get_args(Status) or not part.source for part in parts):
            raise InvalidEntities(f"{name}: every rule needs a status and a source")
        if (rule.format == "837i") != (rule.institutional is not None):
            raise InvalidEntities(f"{name}: institutional data belong to the format 837i alone")
    return rules


def _rule(document: dict[str, Any]) -> EntityRule:
    institutional = document.get("institutional")
    if institutional is None:
        return EntityRule(**document)
    revenue = tuple(Revenue(**line) for line in institutional["revenue"])
    return EntityRule(
        **{**document, "institutional": Institutional(**{**institutional, "revenue": revenue})}
    )
