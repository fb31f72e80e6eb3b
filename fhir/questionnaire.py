"""An outcome measure as Questionnaire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fhir import codes
from fhir.bundle import Resource
from fhir.codes import fhir_id, identifier
from fhir.meaning import needed, own_identifier, reading
from fhir.translation import texts, translated
from rtm.outcomes import Instrument, Item

_MINIMUM = "http://hl7.org/fhir/StructureDefinition/minValue"
_MAXIMUM = "http://hl7.org/fhir/StructureDefinition/maxValue"


def questionnaire_url(instrument_id: str) -> str:
    """The canonical url of an instrument's Questionnaire."""
    return f"{codes.BASE}/Questionnaire/{fhir_id(instrument_id)}"


def questionnaire_resource(instrument: Instrument) -> Resource:
    """The Questionnaire in English, with each text's translations as FHIR's own extension.

    How it is scored stands in our `instrument-scoring` extension: R4 has no element for it.
    """
    return {
        "resourceType": "Questionnaire",
        "id": fhir_id(instrument.id),
        "meta": codes.profile("outcome-measure"),
        "language": "en",
        "extension": [
            {
                "url": codes.FORM_EXTENSION,
                "extension": [
                    {"url": "rule", "valueCode": instrument.scoring},
                    {"url": "better", "valueCode": instrument.better},
                    *_further_rules(instrument),
                ],
            }
        ],
        "url": questionnaire_url(instrument.id),
        "identifier": [identifier(codes.INSTRUMENT_ID, instrument.id)],
        "version": instrument.version,
        "name": "".join(word.capitalize() for word in instrument.id.split("_")),
        **translated("title", instrument.title),
        "status": "active",
        "subjectType": ["Patient"],
        "copyright": instrument.source,
        "item": [
            {
                "linkId": item.id,
                **translated("text", item.text),
                "type": "integer",
                "required": instrument.fewest is None,
                "extension": [
                    {"url": _MINIMUM, "valueInteger": item.least},
                    {"url": _MAXIMUM, "valueInteger": item.most},
                ],
                **({"item": [_name_of(item)]} if item.named else {}),
            }
            for item in instrument.items
        ],
    }


def _further_rules(instrument: Instrument) -> list[dict[str, Any]]:
    """What the instrument does beyond the sum or mean of all its answers."""
    rules: list[dict[str, Any]] = []
    if instrument.fewest is not None:
        rules.append({"url": "fewest", "valueInteger": instrument.fewest})
    if (instrument.factor, instrument.offset) != (1.0, 0.0):
        rules.append({"url": "factor", "valueDecimal": instrument.factor})
        rules.append({"url": "offset", "valueDecimal": instrument.offset})
    return rules + [{"url": "interval", "valueDecimal": value} for value in instrument.conversion]


def _name_of(item: Item) -> dict[str, Any]:
    """Where the patient says what the item is about."""
    return {"linkId": name_link(item.id), "text": "Name", "type": "string", "required": True}


def name_link(item_id: str) -> str:
    """The linkId of what the patient calls an item."""
    return f"{item_id}.name"


def read_questionnaire(resource: Mapping[str, Any]) -> Instrument:
    """The inverse of `questionnaire_resource`.

    Raises:
        Unreadable: it is no outcome measure of ours, or has a modifier that is not known.
    """
    with reading(resource):
        scoring = needed(
            (e for e in resource["extension"] if e["url"] == codes.FORM_EXTENSION), "its scoring"
        )
        parts = scoring["extension"]
        rules = {part["url"]: part["valueCode"] for part in parts if "valueCode" in part}
        numbers = {part["url"]: part["valueDecimal"] for part in parts if "valueDecimal" in part}
        fewest = [part["valueInteger"] for part in parts if part["url"] == "fewest"]
        return Instrument(
            id=own_identifier(resource, codes.INSTRUMENT_ID),
            version=resource["version"],
            title=texts(resource, "title"),
            items=tuple(_item(item) for item in resource["item"]),
            scoring=rules["rule"],
            better=rules["better"],
            source=resource["copyright"],
            fewest=fewest[0] if fewest else None,
            factor=float(numbers.get("factor", 1)),
            offset=float(numbers.get("offset", 0)),
            conversion=tuple(float(p["valueDecimal"]) for p in parts if p["url"] == "interval"),
        )


def _item(resource: Mapping[str, Any]) -> Item:
    bounds = {e["url"]: e.get("valueInteger") for e in resource["extension"]}
    return Item(
        resource["linkId"],
        texts(resource, "text"),
        bounds[_MINIMUM],
        bounds[_MAXIMUM],
        named="item" in resource,
    )
