"""Scrubbing what for: codes, dates, modifiers, pointers, duplicates and NCCI edits of the lines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from itertools import permutations

from billing.claim import MOST_POINTERS, ScrubFinding, Severity
from billing.claim_model import Claim, ClaimLine
from billing.edits import Edits, QuarterEdits, quarter_of
from billing.rules import Rules

THERAPY_MODIFIERS = frozenset({"GP", "GO", "GN"})
_ASSISTANTS_THERAPY = {"CQ": "GP", "CO": "GO"}
_DISTINCT = frozenset({"59", "XE", "XP", "XS", "XU"})
_MOST_MODIFIERS = 4
_MODIFIER = re.compile(r"[0-9A-Z]{2}")


def line_findings(claim: Claim, as_of: date, rules: Rules, edits: Edits) -> Iterator[ScrubFinding]:
    """Findings on the lines, each alone and all together."""
    if not claim.lines:
        yield ScrubFinding(claim.id, "lines", "a claim needs at least one", "do not send it")
        return
    ids = [line.id for line in claim.lines]
    if len(set(ids)) < len(ids):
        why = "two bear one id, so a remittance could not tell them apart"
        yield ScrubFinding(claim.id, "lines", why, "give each line its own id")
    for line in claim.lines:
        yield from _code_and_amount(claim, line, as_of, rules)
        yield from _pointers(claim, line)
        yield from _modifiers(claim, line, rules)
    yield from _duplicates(claim)
    yield from _edits(claim, edits)


def _code_and_amount(
    claim: Claim, line: ClaimLine, as_of: date, rules: Rules
) -> Iterator[ScrubFinding]:
    charge, field = line.charge, f"line {line.id}"
    in_force = rules.on(charge.service_date)
    if in_force is None:
        why = f"no rules are loaded for {charge.service_date}"
        yield ScrubFinding(claim.id, field, why, "load the rules of that year")
    elif charge.code not in in_force.codes:
        why = f"{charge.code} is not a code of the rules {in_force.id}"
        yield ScrubFinding(claim.id, field, why, "use a code that is valid on the date of service")
    if charge.service_date > as_of:
        why = f"the date of service {charge.service_date} is in the future"
        yield ScrubFinding(claim.id, field, why, "wait until the period has ended")
    if charge.amount is None or charge.amount <= 0:
        why = f"no amount is loaded for {charge.code}"
        yield ScrubFinding(claim.id, field, why, "enter the amount in the charge master")
    if charge.units < 1:
        yield ScrubFinding(claim.id, field, f"{charge.units} units", "charge at least one")


def _pointers(claim: Claim, line: ClaimLine) -> Iterator[ScrubFinding]:
    field = f"line {line.id}"
    if not 1 <= len(line.pointers) <= MOST_POINTERS:
        why = f"must point at 1 to {MOST_POINTERS} diagnoses"
        yield ScrubFinding(claim.id, field, why, "point at the treated diagnoses, primary first")
    if any(not 1 <= pointer <= len(claim.diagnoses) for pointer in line.pointers):
        why = "points at a diagnosis that the claim lacks"
        yield ScrubFinding(claim.id, field, why, "point at one of the claim's diagnoses")
    if len(set(line.pointers)) < len(line.pointers):
        why = "points at one diagnosis twice"
        yield ScrubFinding(claim.id, field, why, "point at each once")


def _modifiers(claim: Claim, line: ClaimLine, rules: Rules) -> Iterator[ScrubFinding]:
    charge, field = line.charge, f"line {line.id}"
    modifiers = charge.modifiers
    if len(modifiers) > _MOST_MODIFIERS:
        mend = "keep those that change the payment"
        yield ScrubFinding(claim.id, field, "more than four modifiers", mend)
    for modifier in modifiers:
        if not _MODIFIER.fullmatch(modifier):
            why = f"{modifier!r} is not a modifier"
            yield ScrubFinding(claim.id, field, why, "use two letters or digits")
    if len(set(modifiers)) < len(modifiers):
        yield ScrubFinding(claim.id, field, "a modifier is there twice", "name each once")
    therapy = THERAPY_MODIFIERS & set(modifiers)
    if len(therapy) > 1:
        why = f"{' and '.join(sorted(therapy))} name two disciplines"
        yield ScrubFinding(claim.id, field, why, "keep that of the plan of care")
    for assistant, needs in _ASSISTANTS_THERAPY.items():
        if assistant in modifiers and needs not in modifiers:
            why = f"{assistant} without {needs}"
            yield ScrubFinding(claim.id, field, why, f"add {needs}, or take {assistant} off")
    in_force = rules.on(charge.service_date)
    rule = None if in_force is None else in_force.codes.get(charge.code)
    assisted = sorted(_ASSISTANTS_THERAPY.keys() & set(modifiers))
    if rule is not None and assisted and not rule.assistant_modifier:
        why = f"{charge.code} never takes {assisted[0]}: an assistant supplies no device"
        yield ScrubFinding(claim.id, field, why, f"take {assisted[0]} off")
    if "KX" in modifiers and not therapy:
        why = "KX without GP, GO or GN: only therapy has a threshold"
        yield ScrubFinding(claim.id, field, why, "add the discipline, or take KX off")
    order = [_place(modifier) for modifier in modifiers]
    if order != sorted(order):
        # The order is recalled, not found in a source: a warning.
        why = f"modifiers in the order {' '.join(modifiers)}"
        mend = f"write {' '.join(sorted(modifiers, key=_place))}"
        yield ScrubFinding(claim.id, field, why, mend, "warn")


def _place(modifier: str) -> int:
    """Discipline, assistant, KX, all others."""
    if modifier in THERAPY_MODIFIERS:
        return 0
    return {"CQ": 1, "CO": 1, "KX": 2}.get(modifier, 3)


def _duplicates(claim: Claim) -> Iterator[ScrubFinding]:
    """Code, date and modifiers of a line that left before, or stands on this claim twice.

    A correction or void repeats the lines of the claim that it changes.
    """
    own = Counter((e.charge.code, e.charge.service_date, e.charge.modifiers) for e in claim.lines)
    for (code, service, _), count in own.items():
        if count > 1:
            why = f"{code} on {service} with the same modifiers stands there {count} times"
            yield ScrubFinding(claim.id, "duplicate", why, "put the units on one line")
    if claim.frequency != "1":
        return
    if claim.already_billed is None:
        why = "what left before for this patient is not given"
        mend = "check the patient's earlier claims by hand"
        yield ScrubFinding(claim.id, "duplicate", why, mend, "warn")
        return
    for sent in claim.already_billed:
        if (sent.code, sent.service_date, sent.modifiers) in own:
            why = f"{sent.code} on {sent.service_date} left with claim {sent.claim_id}"
            mend = f"correct or void {sent.claim_id}; a second claim is denied (CARC 18)"
            yield ScrubFinding(claim.id, "duplicate", why, mend)


def _edits(claim: Claim, edits: Edits) -> Iterator[ScrubFinding]:
    """NCCI works by date of service: units and pairs are looked at day by day."""
    quarters: dict[str, QuarterEdits | None] = {}
    for service in sorted({line.charge.service_date for line in claim.lines}):
        lines = [line for line in claim.lines if line.charge.service_date == service]
        loaded = quarters[quarter_of(service)] = edits.on(service)
        if loaded is not None:
            yield from _units(claim, service, lines, loaded)
            yield from _pairs(claim, service, lines, loaded)
    for quarter, loaded in quarters.items():
        missing = [
            name
            for name, complete in (
                ("MUE", loaded is not None and loaded.units_complete),
                ("PTP", loaded is not None and loaded.pairs_complete),
            )
            if not complete
        ]
        if missing:
            # A hold would keep back every claim until somebody loads CMS's files.
            state = "not loaded" if loaded is None else "not fully loaded"
            why = f"{' and '.join(missing)} tables {state} for {quarter}"
            mend = "download CMS's practitioner files; homestretch rules load-ncci loads them"
            yield ScrubFinding(claim.id, "NCCI", why, mend, "warn")


def _units(
    claim: Claim, service: date, lines: list[ClaimLine], loaded: QuarterEdits
) -> Iterator[ScrubFinding]:
    units: Counter[str] = Counter()
    most_on_a_line: Counter[str] = Counter()
    for line in lines:
        code, count = line.charge.code, line.charge.units
        units[code] += count
        most_on_a_line[code] = max(most_on_a_line[code], count)
    for code, of_the_day in units.items():
        known = loaded.units.get(code)
        of_a_line = known is not None and known.indicator == "1"
        count = most_on_a_line[code] if of_a_line else of_the_day
        if known is None and count > 1 and not loaded.units_complete:
            why = f"{count} units of {code} on {service}, and its limit is not loaded"
            yield ScrubFinding(claim.id, "MUE", why, "look up the limit before sending", "warn")
        elif known is not None and count > known.most:
            why = f"{count} units of {code} on {service}; at most {known.most} ({known.source})"
            severity: Severity = "hold" if known.basis == "sourced" else "warn"
            yield ScrubFinding(claim.id, "MUE", why, "check the units", severity)


def _pairs(
    claim: Claim, service: date, lines: list[ClaimLine], loaded: QuarterEdits
) -> Iterator[ScrubFinding]:
    edits = {
        (pair.column_one, pair.column_two): pair for pair in loaded.pairs if pair.in_force(service)
    }
    for first, second in permutations(lines, 2):
        pair = edits.get((first.charge.code, second.charge.code))
        if pair is None:
            continue
        what = f"{pair.column_two} is not paid beside {pair.column_one} on {service}"
        if pair.indicator == "0":
            mend = f"take {pair.column_two} off"
            yield ScrubFinding(claim.id, "PTP", f"{what}; no modifier changes that", mend)
        elif not _DISTINCT & {*first.charge.modifiers, *second.charge.modifiers}:
            # Never added here: 59 says that the record shows two distinct services.
            mend = f"take {pair.column_two} off, or have a coder justify 59 or X{{EPSU}}"
            yield ScrubFinding(claim.id, "PTP", f"{what} without a modifier", mend)
