"""Our extensions: what R4 has no element for."""

from __future__ import annotations

from collections.abc import Sequence

from fhir.bundle import Resource
from fhir.claim import MODIFIER_EXTENSION
from fhir.guide.structure import Element, definition_url, extension_slicing


def extensions() -> list[Resource]:
    """Each extension that a resource of ours may carry."""
    return [
        _extension(
            "exercise-dose",
            "Dose of an exercise",
            "Sets, repetitions, hold and rest; how often a day stands in the Timing beside it.",
            ["ServiceRequest", "PlanDefinition.action"],
            [
                _part("sets", "integer", 1, "1"),
                _part("repetitions", "integer", 1, "1"),
                _part("hold", "Duration", 1, "1"),
                _part("rest", "Duration", 1, "1"),
            ],
        ),
        _extension(
            "program",
            "Program that a CarePlan holds",
            "Which version of the program this is, and the protocol's phase that it came from.",
            ["CarePlan"],
            [
                _part("version", "integer", 1, "1"),
                _part("protocol", "string", 1, "1"),
                _part("phase", "string", 1, "1"),
            ],
        ),
        _extension(
            "consent-taking",
            "How a consent was taken",
            "By whom, in which way, and to which version of the text.",
            ["Consent"],
            [
                _part("method", "code", 1, "1"),
                _part("obtainedBy", "string", 0, "1"),
                _part("textVersion", "string", 0, "1"),
            ],
        ),
        _extension(
            "phase-criterion",
            "What must hold to enter or leave a phase",
            "A measure against a value; the measure is a code of the session measures. Where it is "
            "of one exercise or one outcome measure, that is named.",
            ["PlanDefinition.action.condition"],
            [
                _part("measure", "code", 1, "1"),
                _part("comparison", "code", 1, "1"),
                _part("value", "decimal", 1, "1"),
                _part("unit", "code", 1, "1"),
                _part("exercise", "canonical", 0, "1"),
                _part("instrument", "code", 0, "1"),
            ],
        ),
        _extension(
            "movement-rule",
            "What must not be done with a movement",
            "`no_movement`, `passive_only`, `no_active`, `no_resisted`, `at_most` or `at_least` so "
            "many degrees of an angle; `no_weight_bearing` of legs, one_leg, knees or arms.",
            ["Extension", "PlanDefinition.action"],
            [
                _part("kind", "code", 1, "1"),
                _part("subject", "code", 1, "1"),
                _part("deg", "decimal", 0, "1"),
            ],
        ),
        _extension(
            "pain-bounds",
            "Bounds of pain, 0 to 10",
            "Above `limit` nothing progresses; a rise of `jump`, or `severe`, is a call.",
            ["PlanDefinition"],
            [
                _part("limit", "integer", 1, "1"),
                _part("jump", "integer", 1, "1"),
                _part("severe", "integer", 1, "1"),
            ],
        ),
        _extension(
            "guideline-source",
            "Guideline that a protocol rests on",
            "Its title, who answers for it, what of it is used, and how much of it could be read: "
            "`full_text`, `excerpt`, `abstract` or `recalled`.",
            ["PlanDefinition.relatedArtifact", "RelatedArtifact"],
            [
                _part("title", "string", 1, "1"),
                _part("body", "string", 1, "1"),
                _part("section", "string", 1, "1"),
                _part("read", "code", 1, "1"),
                _part("year", "integer", 0, "1"),
            ],
        ),
        _extension(
            "precaution",
            "Precaution of a protocol or of a phase",
            "What to heed, and the exercises that it rules out; the movements that it rules out "
            "are `movement-rule` extensions within it.",
            ["PlanDefinition", "PlanDefinition.action"],
            [
                _part("id", "code", 1, "1"),
                _part("text", "string", 1, "1"),
                _part("forbids", "canonical", 0, "*"),
            ],
        ),
        _extension(
            "instrument-scoring",
            "How an outcome measure is scored",
            "`sum` or `mean` of the items, and whether `higher` or `lower` is better. The score is "
            "`offset` + `factor` times that, or the `interval` score of the sum; at least `fewest` "
            "answers are needed, or else all.",
            ["Questionnaire"],
            [
                _part("rule", "code", 1, "1"),
                _part("better", "code", 1, "1"),
                _part("fewest", "integer", 0, "1"),
                _part("factor", "decimal", 0, "1"),
                _part("offset", "decimal", 0, "1"),
                _part("interval", "decimal", 0, "*"),
            ],
        ),
        _simple_extension(
            "range-limit",
            "Limit to an exercise's range",
            "The farthest that the patient may go, in degrees of the exercise's own angle.",
            ["ServiceRequest"],
            "decimal",
        ),
        _simple_extension(
            "red-flag",
            "Red flag of a protocol",
            "A sign on which the exercises stop and somebody is called.",
            ["PlanDefinition"],
            "string",
        ),
        _simple_extension(
            MODIFIER_EXTENSION.rpartition("/")[2],
            "Modifier of a charge",
            "A procedure code modifier: ChargeItem has no element for it.",
            ["ChargeItem.code"],
            "Coding",
        ),
    ]


def _extension(
    name: str,
    title: str,
    description: str,
    contexts: Sequence[str],
    parts: Sequence[list[Element]],
) -> Resource:
    elements: list[Element] = [
        *extension_slicing("Extension", sum(part[0]["min"] for part in parts)),
        *(one for part in parts for one in part),
        {"id": "Extension.url", "path": "Extension.url", "fixedUri": definition_url(name)},
        {"id": "Extension.value[x]", "path": "Extension.value[x]", "max": "0"},
    ]
    return _extension_definition(name, title, description, contexts, elements)


def _simple_extension(
    name: str, title: str, description: str, contexts: Sequence[str], type_: str
) -> Resource:
    elements: list[Element] = [
        {"id": "Extension.extension", "path": "Extension.extension", "max": "0"},
        {"id": "Extension.url", "path": "Extension.url", "fixedUri": definition_url(name)},
        {
            "id": "Extension.value[x]",
            "path": "Extension.value[x]",
            "min": 1,
            "type": [{"code": type_}],
        },
    ]
    return _extension_definition(name, title, description, contexts, elements)


def _extension_definition(
    name: str, title: str, description: str, contexts: Sequence[str], elements: list[Element]
) -> Resource:
    return {
        "resourceType": "StructureDefinition",
        "id": name,
        "url": definition_url(name),
        "name": "".join(word.capitalize() for word in name.split("-")),
        "title": title,
        "status": "active",
        "experimental": False,
        "description": description,
        "fhirVersion": "4.0.1",
        "kind": "complex-type",
        "abstract": False,
        "context": [{"type": "element", "expression": context} for context in contexts],
        "type": "Extension",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Extension",
        "derivation": "constraint",
        "differential": {
            "element": [
                {"id": "Extension", "path": "Extension", "short": title, "definition": description},
                *elements,
            ]
        },
    }


def _part(name: str, type_: str, least: int, most: str) -> list[Element]:
    slice_ = f"Extension.extension:{name}"
    return [
        {
            "id": slice_,
            "path": "Extension.extension",
            "sliceName": name,
            "min": least,
            "max": most,
        },
        {
            "id": f"{slice_}.url",
            "path": "Extension.extension.url",
            "fixedUri": name,
        },
        {
            "id": f"{slice_}.value[x]",
            "path": "Extension.extension.value[x]",
            "min": 1,
            "type": [{"code": type_}],
        },
    ]
