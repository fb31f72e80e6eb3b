"""What Medicare would be charged, read slowly from the fact sheet: day by day, minute by minute.

Shares nothing with the tally: it reads the case document itself, imports no module of ours, and
holds the fact sheet's numbers a second time. Whole minutes only. Where the fact sheet is silent
the house's reading is named beside the step.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)

# Section 1.1: the codes of a device by system; the short one since 2026, cbt since 2023.
LONG = {"respiratory": "98976", "musculoskeletal": "98977", "cbt": "98978"}
SHORT = {"respiratory": "98984", "musculoskeletal": "98985", "cbt": "98986"}
RTM = {*LONG.values(), *SHORT.values(), "98975", "98979", "98980", "98981"}
# Section 1.4.
RPM = {"99453", "99454", "99445", "99457", "99458", "99470"}
# Sections 1.3 and 1.4: whose minutes are whose. A therapist outside a plan spoils the month.
THERAPISTS = {"pt", "ot", "slp", "pta", "ota"}
UNDER_PLAN = {
    "GP": {"pt", "pta", "physician", "npp"},
    "GO": {"ot", "ota", "physician", "npp"},
    "GN": {"slp", "physician", "npp"},
    None: {"physician", "npp", "clinical_staff", *THERAPISTS},
}
STAFF = {"pta", "ota", "clinical_staff"}
ASSISTANT = {"GP": ("pta", "CQ"), "GO": ("ota", "CO")}
# Who keeps a minute that two logged: the PT before the PTA (example 30), the rest by the house.
RANK = ["physician", "npp", "pt", "ot", "slp", "clinical_staff", "pta", "ota"]
WORTHLESS = (
    "in-clinic visit",
    "administrative",
    "machine scoring",
    "set-up teaching",
    "texting",
    "e-mail",
)

Line = tuple[str, int, tuple[str, ...], str]


def charges(case: dict[str, Any]) -> list[Line]:
    """(code, units, modifiers, date of service) of every line, by the fact sheet."""
    return _Reading(case).lines()


def _day(text: str) -> date:
    return date.fromisoformat(text)


class _Reading:
    def __init__(self, case: dict[str, Any]) -> None:
        self.case = case
        self.zone = ZoneInfo(case["time_zone"])
        self.as_of = _day(case["as_of"])
        episode = case["episode"]
        self.npi = episode.get("practitioner_npi")
        self.start = _day(episode["start"])
        self.end = _day(episode["end"]) if episode["end"] else None
        self.consent = self._local(episode["consent"]) if episode["consent"] else None
        done = episode["setup_completed"]
        self.set_up = self._local(done) if done else None
        self.billed = [b for b in case["billed"] if b.get("status") not in ("voided", "rejected")]
        self.windows = self._thirty_day_windows()

    def _instant(self, text: str) -> datetime:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=self.zone)).astimezone(UTC)

    def _local(self, text: str) -> date:
        return self._instant(text).astimezone(self.zone).date()

    def _counts(self, day: date) -> bool:
        assert self.consent is not None
        return (
            self.start <= day
            and self.consent <= day
            and day <= self.as_of
            and (self.end is None or day <= self.end)
        )

    def _data_days(self) -> set[date]:
        found = set()
        for item in self.case["days"]:
            if isinstance(item, str):
                found.add(_day(item))
            elif item["kind"] in ("session", "self_report", "prom"):
                found.add(self._local(item["at"]))
        return {day for day in found if self._counts(day)}

    def _thirty_day_windows(self) -> list[list[date]]:
        """Section 1.2: thirty consecutive days each, from the day monitoring begins."""
        windows: list[list[date]] = []
        day = max(self.start, self.set_up or self.start)
        last = min(self.as_of, self.end or self.as_of)
        while day <= last:
            windows.append([day + n * DAY for n in range(30)])
            day += 30 * DAY
        return windows

    def lines(self) -> list[Line]:
        if self.consent is None:
            return []
        found = [*self._set_up_line(), *self._device_lines(), *self._management_lines()]
        return [line for line in found if line[1] > 0]

    # ----- the thirty-day clock

    def _set_up_line(self) -> list[Line]:
        # House: the rules of the set-up's own date say how many days it takes (stricter for a
        # set-up of 2025 that is reached in 2026).
        if self.set_up is None or not 2022 <= self.set_up.year <= 2026:
            return []
        needed = 2 if self.set_up.year >= 2026 else 16
        data = self._data_days()
        for window in self.windows:
            hit = [day for day in window if day in data]
            if len(hit) < needed:
                continue
            reached = hit[needed - 1]
            if reached.year > 2026 or self._held(min(window[0], self.set_up), window[-1]):
                return []
            if self._refused(self.set_up, reached, self.set_up.year):
                return []
            since = min(self.set_up, self.start)
            if any(b["code"] == "98975" and self._within(b, since, self.end) for b in self.billed):
                return []
            return [("98975", 1, self._plan(), reached.isoformat())]
        return []

    def _device_lines(self) -> list[Line]:
        system = self.case["episode"]["device"]["system"]
        data = self._data_days()
        found: list[Line] = []
        for window in self.windows:
            inside = [day for day in window if self.end is None or day <= self.end]
            over = inside[-1]
            count = sum(day in data for day in inside)
            if over > self.as_of or not 2022 <= over.year <= 2026:
                continue
            if system == "cbt" and over.year < 2023:
                continue
            if count >= 16:
                code, other = LONG[system], SHORT[system]
            elif count >= 2 and over.year >= 2026:
                code, other = SHORT[system], LONG[system]
            else:
                continue
            sent = {b["code"] for b in self.billed if self._within(b, inside[0], over)}
            if code in sent or (other in sent and over.year >= 2026):
                continue
            if self._held(window[0], window[-1]) or self._refused(inside[0], over, over.year):
                continue
            found.append((code, 1, self._plan(), over.isoformat()))
        return found

    # ----- the calendar month

    def _management_lines(self) -> list[Line]:
        found: list[Line] = []
        month = self.start.replace(day=1)
        while month <= self.as_of:
            following = (month + 32 * DAY).replace(day=1)
            found += self._month_lines(month, following - DAY)
            month = following
        return found

    def _month_lines(self, first: date, last: date) -> list[Line]:
        if last > self.as_of or not 2022 <= last.year <= 2026:
            return []
        minutes = self._minutes(first, last)
        if not self._talked(first, last):
            return []
        plan = self.case["therapy_plan"]
        if plan is None and THERAPISTS & set(minutes):
            return []
        if self._held(self._held_from(first, last), last):
            return []
        if self._refused(first, last, last.year):
            return []
        sent: dict[str, int] = {}
        for line in self.billed:
            if self._within(line, first, last):
                sent[line["code"]] = sent.get(line["code"], 0) + line.get("units", 1)
        day = last.isoformat()
        if len(minutes) < 20:
            tens = len(minutes) >= 10 and last.year >= 2026
            if not tens or {"98979", "98980", "98981"} & set(sent):
                return []
            return [("98979", 1, self._modifiers(minutes), day)]
        if "98979" in sent and last.year >= 2026:
            return []
        found: list[Line] = []
        if "98980" not in sent:
            found.append(("98980", 1, self._modifiers(minutes[:20]), day))
        further: dict[tuple[str, ...], int] = {}
        for n in range(20, len(minutes) - 19, 20):
            modifiers = self._modifiers(minutes[n : n + 20])
            further[modifiers] = further.get(modifiers, 0) + 1
        gone = sent.get("98981", 0)
        for modifiers, units in further.items():
            off = min(gone, units)
            gone -= off
            found.append(("98981", units - off, modifiers, day))
        return found

    def _talked(self, first: date, last: date) -> bool:
        for talk in self.case["interactions"]:
            day = self._local(talk["at"])
            live = talk["kind"] in ("phone", "video", "in_person")
            if live and first <= day <= last and self._counts(day) and self._ours(talk):
                return True
        return False

    def _ours(self, fact: dict[str, Any]) -> bool:
        """Section 1.4: one practitioner; assistants and staff work under that one."""
        if self.npi is None:
            return True
        if fact.get("by") in STAFF:
            return fact.get("supervised_by") in (None, self.npi)
        return fact.get("npi") in (None, self.npi)

    def _minutes(self, first: date, last: date) -> list[str]:
        """The kind of provider of each minute that counts, in the order of time."""
        plan = self.case["therapy_plan"]
        placed: list[tuple[date, int, datetime, int, str]] = []
        clocked = []
        for n, entry in enumerate(self._signed_time()):
            day = _day(entry["date"])
            if not first <= day <= last or not self._counts(day) or not self._ours(entry):
                continue
            if entry["by"] not in UNDER_PLAN[plan] or entry["activity"] in WORTHLESS:
                continue
            if entry.get("minutes") is not None and entry["minutes"] <= 0:
                continue
            if entry.get("start") is None:
                # House: of one day, what has no clock times comes first, as recorded.
                midnight = datetime.min.replace(tzinfo=UTC)
                placed += [(day, 0, midnight, n, entry["by"])] * entry["minutes"]
            else:
                begun = self._instant(entry["start"])
                clocked.append((RANK.index(entry["by"]), begun, entry["id"], n, entry))
        gone: set[datetime] = set()
        for service in self.case["other_services"]:
            if service.get("start"):
                gone |= set(self._each_minute(service))
        for _, begun, _, n, entry in sorted(clocked, key=lambda item: item[:3]):
            spent = self._each_minute(entry)
            allowance = entry["minutes"] if entry.get("minutes") is not None else len(spent)
            author = entry.get("npi") or (None if entry["by"] in STAFF else self.npi)
            elsewhere: set[datetime] = set()
            for busy in self.case.get("busy", []):
                if author == busy["npi"] and self._instant(busy["start"]) <= begun:
                    elsewhere |= set(self._each_minute(busy))
            for minute in spent:
                if allowance > 0 and minute not in gone and minute not in elsewhere:
                    gone.add(minute)
                    placed.append((_day(entry["date"]), 1, minute, n, entry["by"]))
                    allowance -= 1
        return [item[-1] for item in sorted(placed, key=lambda item: item[:4])]

    def _signed_time(self) -> list[dict[str, Any]]:
        """House: a minute counts once the person whose it is has signed it as it now stands.

        By hand is signed by writing it down. The timer's is signed by a confirmation that names
        it. Changing one's own signed time signs the new version; after somebody else's change, and
        where the time passes to somebody else, it must be confirmed. Nobody signs for another.
        """
        standing: list[dict[str, Any] | None] = []
        signed: list[bool] = []
        place: dict[str, int] = {}
        for n, entry in enumerate(self.case["time"]):
            standing.append({**entry, "id": f"time[{n}]"})
            signed.append(entry.get("source", "manual") == "manual")
            place[f"time[{n}]"] = n
        acts = [(self._instant(c["at"]), 0, n, c) for n, c in enumerate(self._of("corrections"))]
        acts += [(self._instant(c["at"]), 1, n, c) for n, c in enumerate(self._of("confirmations"))]
        for _, confirms, number, act in sorted(acts, key=lambda item: item[:3]):
            if confirms:
                for named in act["entries"]:
                    entry = standing[place[named]] if named in place else None
                    if entry is None or entry["id"] != named or signed[place[named]]:
                        continue
                    if self._whose(entry) and self._is_theirs(entry, act):
                        signed[place[named]] = True
                        entry["activity"] = act.get("activity") or entry["activity"]
                continue
            if act["corrects"] not in place:
                continue
            n = place[act["corrects"]]
            old, new = standing[n], act["replacement"]
            if new is not None:
                new = {**new, "id": f"corrections[{number}]"}
                place[new["id"]] = n
            for version in (old, new):
                if version and self._whose(version) and not self._is_theirs(version, act):
                    signed[n] = False
            standing[n] = new
        return [e for e, ok in zip(standing, signed, strict=True) if e is not None and ok]

    def _of(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.case.get(kind, [])
        return found

    def _whose(self, entry: dict[str, Any]) -> str | None:
        return entry.get("npi") or entry.get("author")

    def _is_theirs(self, entry: dict[str, Any], act: dict[str, Any]) -> bool:
        """By NPI; of those without one, by name."""
        if entry.get("npi"):
            return bool(act.get("npi") == entry["npi"])
        return not act.get("npi") and act["author"] == entry.get("author")

    def _each_minute(self, span: dict[str, Any]) -> list[datetime]:
        at, end = self._instant(span["start"]), self._instant(span["end"])
        minutes = []
        while at < end:
            minutes.append(at)
            at += MINUTE
        return minutes

    # ----- modifiers and holds

    def _plan(self) -> tuple[str, ...]:
        return (self.case["therapy_plan"],) if self.case["therapy_plan"] else ()

    def _modifiers(self, minutes: list[str]) -> tuple[str, ...]:
        kind, modifier = ASSISTANT.get(self.case["therapy_plan"], ("", ""))
        assistant = sum(by == kind for by in minutes)
        return (*self._plan(), modifier) if assistant * 10 > len(minutes) else self._plan()

    def _held(self, first: date, last: date) -> bool:
        """RPM by anyone, or RTM by another practitioner, within these days."""
        for service in self.case["other_services"]:
            if self._within(service, first, last):
                another = service["code"] in RTM and (
                    service.get("npi") is None or service["npi"] != self.npi
                )
                if another or service["code"] in RPM:
                    return True
        return any(b["code"] in RPM and self._within(b, first, last) for b in self.billed)

    def _held_from(self, first: date, last: date) -> date:
        """House: a month is held against the thirty-day periods that end in it."""
        return min([first, *(w[0] for w in self.windows if first <= w[-1] <= last)])

    def _within(self, line: dict[str, Any], first: date, last: date | None) -> bool:
        return first <= _day(line["date"]) and (last is None or _day(line["date"]) <= last)

    def _refused(self, first: date, last: date, year: int) -> bool:
        """FQHC and RHC before single codes; the surgeon's own global period."""
        if self.case.get("facility") in ("fqhc", "rhc") and year <= 2024:
            return True
        for surgery in self.case.get("surgeries", []):
            mine, theirs = set(self.case.get("diagnoses", [])), set(surgery["diagnoses"])
            related = not mine or not theirs or mine & theirs
            during = _day(surgery["first"]) <= last and first <= _day(surgery["last"])
            if surgery["npi"] == self.npi and related and during:
                return True
        return False
