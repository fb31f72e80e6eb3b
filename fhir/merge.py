"""What we send, laid onto what the EHR holds now: nothing that others wrote is lost.

A program that goes out again replaces the EHR's resource as a whole (PUT). Between two of ours,
others may have added a note, an activity, an extension that we know nothing of. So three are
compared: what we sent last, what is there now, and what we send next. What we send wins; what we
took out goes; all else stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fhir.bundle import Resource
from fhir.reference import redirected, relative_reference

# The server's own; and a narrative is of a piece: two halves of two authors say nothing.
_OF_THE_SERVER = ("versionId", "lastUpdated", "source")
_WHOLE = frozenset({"text"})
_ABSENT: Any = object()


def merged(previous: Mapping[str, Any] | None, current: Resource, ours: Resource) -> Resource:
    """`current` with `ours` laid onto it; `previous` is what we sent last, if anything.

    The elements keep the order of `current`. Items of lists are the same where they share an
    identifier, an extension url, a coding or a reference; a list of plain values is of a piece.

    Raises:
        ValueError: `current` and `ours` are of different types.
    """
    if current["resourceType"] != ours["resourceType"]:
        raise ValueError(f"a {ours['resourceType']} can't be laid onto a {current['resourceType']}")
    found: Resource = _objects(previous or {}, current, ours)
    meta = {k: v for k, v in found.get("meta", {}).items() if k not in _OF_THE_SERVER}
    if meta:
        found["meta"] = meta
    else:
        found.pop("meta", None)
    return found


def _objects(
    previous: Mapping[str, Any], current: Mapping[str, Any], ours: Mapping[str, Any]
) -> dict[str, Any]:
    found = {}
    for key in [*current, *(key for key in ours if key not in current)]:
        value = _value(
            key, previous.get(key, _ABSENT), current.get(key, _ABSENT), ours.get(key, _ABSENT)
        )
        if value is not _ABSENT:
            found[key] = value
    return found


def _value(key: str, previous: Any, current: Any, ours: Any) -> Any:
    if ours is _ABSENT:
        if isinstance(current, list) and isinstance(previous, list):
            return _lists(previous, current, []) or _ABSENT
        return current if previous is _ABSENT or previous != current else _ABSENT
    if key in _WHOLE or current is _ABSENT:
        return ours
    if isinstance(ours, Mapping) and isinstance(current, Mapping):
        return _objects(previous if isinstance(previous, Mapping) else {}, current, ours)
    if isinstance(ours, list) and not any(isinstance(item, Mapping) for item in ours):
        return ours
    if isinstance(ours, list) and isinstance(current, list):
        return _lists(previous if isinstance(previous, list) else [], current, ours)
    # An equal number keeps the digits that it was written with.
    return current if current == ours and type(ours) is not bool else ours


def _lists(previous: list[Any], current: list[Any], ours: list[Any]) -> list[Any]:
    """Ours in our order, each with what others added to it; then what is of others."""
    left = list(current)
    found = []
    for item in ours:
        place = _place(item, left)
        if place is None:
            found.append(item)
        else:
            before = _place(item, previous)
            found.append(
                _value("", _ABSENT if before is None else previous[before], left.pop(place), item)
            )
    return found + [item for item in left if _place(item, previous) is None]


def _place(item: Any, items: list[Any]) -> int | None:
    names = _names(item)
    for place, other in enumerate(items):
        if other == item or names & _names(other):
            return place
    return None


def _names(item: Any) -> frozenset[tuple[str, str]]:
    """By what an item of a list is known again."""
    if not isinstance(item, Mapping):
        return frozenset()
    names = []
    if isinstance(item.get("url"), str):
        names.append(("url", item["url"]))
    if isinstance(item.get("value"), str) and isinstance(item.get("system"), str):
        names.append((item["system"], item["value"]))
    if isinstance(item.get("code"), str) and isinstance(item.get("system"), str):
        names.append((item["system"], item["code"]))
    if isinstance(item.get("coding"), list):
        names += [name for coding in item["coding"] for name in _names(coding)]
    for concept in (item.get("code"), item.get("measure")):
        if isinstance(concept, Mapping):
            names += _names(concept)
    for reference in (item.get("reference"), item.get("identifier")):
        if isinstance(reference, str):
            names.append(("reference", relative_reference(reference) or reference))
        elif isinstance(reference, Mapping):
            names += _names(reference)
    return frozenset(names)


def merged_bundle(
    bundle: Resource, previous: Resource | None, current: Mapping[str, Resource]
) -> Resource:
    """A transaction of ours (`bundle`) laid onto what the EHR holds.

    `current` is by fullUrl what there is now, `previous` the transaction sent before. An entry
    that exists becomes an update of the version that was read, so that a later one is not
    overwritten unseen; the others stay as they are.
    """
    places = {
        full_url: f"{resource['resourceType']}/{resource['id']}"
        for full_url, resource in current.items()
    }
    before = {
        entry["fullUrl"]: redirected(entry["resource"], lambda target: places.get(target, target))
        for entry in (previous or {}).get("entry", ())
    }
    entries = []
    for entry in bundle["entry"]:
        full_url = entry["fullUrl"]
        resource = redirected(entry["resource"], lambda target: places.get(target, target))
        request = entry["request"]
        if full_url in current:
            there = current[full_url]
            resource = {**merged(before.get(full_url), there, resource), "id": there["id"]}
            request = {"method": "PUT", "url": places[full_url]}
            version = there.get("meta", {}).get("versionId")
            if version is not None:
                request["ifMatch"] = f'W/"{version}"'
        entries.append({**entry, "resource": resource, "request": request})
    return {**bundle, "entry": entries}
