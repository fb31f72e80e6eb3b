"""What forbids a charge whose threshold is met: other claims, the payer, the place, the surgeon."""

from __future__ import annotations

from datetime import date, timedelta

from billing.account import Account, Billed, Block, Charge, OtherService, Reason
from billing.device_periods import DevicePeriod, device_periods
from billing.modifiers import edits
from billing.payers import PayerProfile
from billing.rules import Rules, RuleSet


def forbidden(
    account: Account, rules: Rules, rule_set: RuleSet, payer: PayerProfile, charge: Charge
) -> Block | None:
    """The first rule against `charge`, or None. The order is fixed, never by amount."""
    return (
        _by_the_payer(account, rule_set, payer, charge)
        or _by_the_biller(account, rule_set, charge)
        or _by_other_monitoring(account, rules, rule_set, payer, charge)
        or _by_what_was_billed(account, rule_set, charge)
        or _by_an_earlier_episode(account, rules, rule_set, charge)
        or _by_an_edit(account, rule_set, charge)
    )


def to_review(account: Account, rule_set: RuleSet, charge: Charge) -> list[Reason]:
    """What a person should look at, though no rule forbids it."""
    reasons = []
    if account.entity in rule_set.institutional_facilities:
        facts = {"entity": account.entity, "claim": "837I or UB-04"}
        reasons.append(Reason("review.institutional_claim", facts, rule_set.facilities_source))
    if rule_set.codes[charge.code].period == "episode":
        unclear = [
            episode.start.isoformat()
            for episode in account.earlier_episodes
            if episode.plan_of_care is None or account.episode.plan_of_care is None
        ]
        if unclear:
            source = "house policy: a second set-up needs a new plan of care, which is not recorded"
            reasons.append(Reason("review.second_set_up", {"earlier_episodes": unclear}, source))
    return reasons


def _by_the_payer(
    account: Account, rule_set: RuleSet, payer: PayerProfile, charge: Charge
) -> Block | None:
    settings = payer.settings
    if settings.consent_required and account.episode.consent is None:
        why = f"no consent of the patient is recorded ({rule_set.consent_source})"
        return Block(charge.code, "consent", why, {"consent": None}, rule_set.consent_source)
    if not payer.covers(charge.code):
        why = f"{payer.title} does not cover {charge.code}"
        return _payer_block(payer, "covered_codes", charge, why)
    ordered = account.ordered_on
    if settings.order_required and (ordered is None or ordered > charge.last):
        why = f"{payer.title} asks for an order, and none is recorded by {charge.last}"
        return _payer_block(payer, "order_required", charge, why)
    return None


def _payer_block(payer: PayerProfile, setting: str, charge: Charge, why: str) -> Block:
    facts = {"date_of_service": charge.service_date.isoformat()}
    return Block(charge.code, payer.rule(setting), why, facts, payer.basis[setting])


def _by_the_biller(account: Account, rule_set: RuleSet, charge: Charge) -> Block | None:
    kind = account.practitioner_kind
    if kind is not None and kind not in rule_set.providers.may_bill:
        why = f"the practitioner of record is {kind}, who may not bill RTM"
        source = rule_set.providers.source
        rule = f"{rule_set.id}.providers.may_bill"
        return Block(charge.code, rule, why, {"practitioner_kind": kind}, source)
    refused = rule_set.refused_facilities.get(account.entity)
    if refused is not None:
        rule, source = f"{rule_set.id}.facilities", rule_set.facilities_source
        facts: dict[str, object] = {"entity": account.entity}
        return Block(charge.code, rule, refused, facts, source)
    return _by_the_surgeon(account, rule_set, charge)


def _by_the_surgeon(account: Account, rule_set: RuleSet, charge: Charge) -> Block | None:
    if not account.surgeries:
        return None
    treated = {_plain(code) for code in account.diagnoses}
    for surgery in account.surgeries:
        cut_for = {_plain(code) for code in surgery.diagnoses}
        # Without both diagnoses nobody can say that monitoring is for something else.
        related = not treated or not cut_for or bool(treated & cut_for)
        ours = surgery.npi == account.episode.practitioner_npi
        if ours and related and charge.first <= surgery.last and surgery.first <= charge.last:
            why = (
                f"NPI {surgery.npi} was paid the global fee of the surgery of {surgery.first}"
                f" until {surgery.last}, and nothing shows another diagnosis"
            )
            facts = {"surgery": sorted(cut_for), "monitoring": sorted(treated)}
            rule = f"{rule_set.id}.global_surgery"
            return Block(charge.code, rule, why, facts, rule_set.global_surgery_source)
    return None


def _plain(diagnosis: str) -> str:
    return diagnosis.replace(".", "").upper()


def _by_other_monitoring(
    account: Account, rules: Rules, rule_set: RuleSet, payer: PayerProfile, charge: Charge
) -> Block | None:
    lines: tuple[OtherService | Billed, ...] = (*account.other_services, *account.billed)
    excluding = rule_set.exclusive_services if payer.settings.rpm_exclusion else frozenset[str]()
    rpm = [line for line in lines if line.code in excluding]
    if not rpm and not account.other_services:
        return None
    first, last = _exclusive_span(account, rules, rule_set, charge)
    span = {"from": first.isoformat(), "to": last.isoformat()}
    for line in rpm:
        if first <= line.date <= last:
            why = f"{line.code} (RPM) was billed on {line.date} in the same period"
            rule = f"{rule_set.id}.exclusive_services"
            return Block(charge.code, rule, why, span, rule_set.exclusive_source)
    for service in account.other_services:
        ours = service.npi is not None and service.npi == account.episode.practitioner_npi
        if service.code in rules.known_codes and not ours and first <= service.date <= last:
            who = f"NPI {service.npi}" if service.npi else "another practitioner"
            why = f"{who} billed {service.code} on {service.date} in the same period"
            rule = f"{rule_set.id}.practitioner_exclusive"
            return Block(charge.code, rule, why, span, rule_set.practitioner_source)
    return None


def _by_what_was_billed(account: Account, rule_set: RuleSet, charge: Charge) -> Block | None:
    rule = rule_set.codes[charge.code]
    for billed in account.billed:
        if billed.code in rule.excludes and charge.first <= billed.date <= charge.last:
            why = f"{billed.code} was billed on {billed.date} for the same period"
            facts = {"billed": billed.code, "on": billed.date.isoformat()}
            return Block(
                charge.code, f"{rule_set.id}.{charge.code}.excludes", why, facts, rule.source
            )
    return None


def _by_an_earlier_episode(
    account: Account, rules: Rules, rule_set: RuleSet, charge: Charge
) -> Block | None:
    """A restart is no new episode, and a period of an earlier one runs to its thirtieth day."""
    rule = rule_set.codes[charge.code]
    for earlier in account.earlier_episodes:
        if rule.once_per == "episode" and _billed_in(
            account, {charge.code}, earlier.start, earlier.end
        ):
            same_plan = (
                earlier.plan_of_care is not None
                and earlier.plan_of_care == account.episode.plan_of_care
            )
            if earlier.end is None or earlier.end >= account.episode.start or same_plan:
                why = (
                    f"the episode of {earlier.start} was set up and billed, and this one is a"
                    " restart of it: no discharge before it, or the same plan of care"
                )
                facts: dict[str, object] = {
                    "earlier": earlier.start.isoformat(),
                    "plan": earlier.plan_of_care,
                }
                return Block(
                    charge.code, f"{rule_set.id}.{charge.code}.once_per", why, facts, rule.source
                )
        if rule.once_per == "period" and earlier.end is not None:
            window = timedelta(days=rule_set.period_days)
            number = (earlier.end - earlier.start) // window
            first = earlier.start + number * window
            last = first + window - timedelta(days=1)
            family = {code.code for code in rule_set.of_period("device")}
            if charge.first <= last and _billed_in(account, family, first, earlier.end):
                why = f"a period of the episode of {earlier.start} runs to {last}"
                facts = {"earlier_period": [first.isoformat(), last.isoformat()]}
                return Block(
                    charge.code, f"{rule_set.id}.{charge.code}.once_per", why, facts, rule.source
                )
    return None


def _billed_in(account: Account, codes: set[str], first: date, last: date | None) -> bool:
    return any(
        line.code in codes and first <= line.date <= (last or date.max) for line in account.billed
    )


def _by_an_edit(account: Account, rule_set: RuleSet, charge: Charge) -> Block | None:
    for pair, service in edits(account, rule_set, charge):
        if pair.indicator == 0 or not service.distinct_because:
            never = "never" if pair.indicator == 0 else "only with a recorded justification"
            why = f"{charge.code} is paid beside {service.code} on one date {never}"
            facts = {"column_1": pair.column_1, "indicator": pair.indicator}
            return Block(charge.code, f"{rule_set.id}.ncci", why, facts, pair.source)
    return None


def without_base(
    account: Account, rule_set: RuleSet, charge: Charge, kept: list[Charge]
) -> Block | None:
    """An add-on alone: its base code is neither charged with it nor was billed before."""
    rule = rule_set.codes[charge.code]
    if rule.add_on_to is None or any(
        line.code == rule.add_on_to and line.first == charge.first for line in kept
    ):
        return None
    if _billed_in(account, {rule.add_on_to}, charge.first, charge.last):
        return None
    why = f"{charge.code} is charged only beside {rule.add_on_to}, which is not billable"
    rule_id = f"{rule_set.id}.{charge.code}.add_on_to"
    return Block(charge.code, rule_id, why, {"base": rule.add_on_to}, rule.source)


def billed_units(account: Account, rule_set: RuleSet, charge: Charge) -> int:
    """The units of `charge` that left before for the same episode, period or month."""
    first, last = charge.first, charge.last
    if rule_set.codes[charge.code].once_per == "episode":
        first = min(charge.first, account.episode.start)
        last = account.episode.end or date.max
    return sum(
        line.units
        for line in account.billed
        if line.code == charge.code and first <= line.date <= last
    )


def _exclusive_span(
    account: Account, rules: Rules, rule_set: RuleSet, charge: Charge
) -> tuple[date, date]:
    """The time in which another's RPM or RTM claim stands against this charge.

    RTM and RPM exclude each other by 30-day period; a month is held against the periods that
    end in it.
    """
    if rule_set.codes[charge.code].period == "month":
        touching = [p for p in device_periods(account, rules) if _overlap(p, charge)]
        return (
            min([charge.first, *(p.first for p in touching if p.full_last <= charge.last)]),
            charge.last,
        )
    period = next(
        p for p in device_periods(account, rules) if p.first <= charge.last <= p.full_last
    )
    return min(period.first, charge.first), period.full_last


def _overlap(period: DevicePeriod, charge: Charge) -> bool:
    return period.first <= charge.last and charge.first <= period.full_last
