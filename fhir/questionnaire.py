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
                "required": True,
                "extension": [
                    {"url": _MINIMUM, "valueInteger": item.least},
                    {"url": _MAXIMUM, "valueInteger": item.most},
                ],
            }
            for item in instrument.items
        ],
    }


def read_questionnaire(resource: Mapping[str, Any]) -> Instrument:
    """The inverse of `questionnaire_resource`.

    Raises:
        Unreadable: it is no outcome measure of ours, or has a modifier that is not known.
    """
    with reading(resource):
        scoring = needed(
            (e for e in resource["extension"] if e["url"] == codes.FORM_EXTENSION), "its scoring"
        )
        rules = {part["url"]: part["valueCode"] for part in scoring["extension"]}
        return Instrument(
            id=own_identifier(resource, codes.INSTRUMENT_ID),
            version=resource["version"],
            title=texts(resource, "title"),
            items=tuple(_item(item) for item in resource["item"]),
            scoring=rules["rule"],
            better=rules["better"],
            source=resource["copyright"],
        )


def _item(resource: Mapping[str, Any]) -> Item:
    bounds = {e["url"]: e.get("valueInteger") for e in resource["extension"]}
    return Item(resource["linkId"], texts(resource, "text"), bounds[_MINIMUM], bounds[_MAXIMUM])
