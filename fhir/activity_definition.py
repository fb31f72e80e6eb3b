"""An exercise of the library as ActivityDefinition: what a ServiceRequest for it is made from."""

from __future__ import annotations

from fhir import codes
from fhir.bundle import Resource
from fhir.codes import fhir_id, own_name
from fhir.translation import translated
from rtm.exercises import Exercise


def activity_url(exercise_id: str) -> str:
    """The canonical url of an exercise's ActivityDefinition."""
    return f"{codes.BASE}/ActivityDefinition/{fhir_id(exercise_id)}"


def exercise_of(canonical: str) -> str:
    """The exercise that an ActivityDefinition of ours is of. Raises ValueError for any other."""
    url = canonical.partition("|")[0]
    exercise_id = own_name(url.rpartition("/")[2])
    if activity_url(exercise_id) != url:
        raise ValueError(f"{canonical} is no exercise of this library")
    return exercise_id


def activity_definition(exercise: Exercise) -> Resource:
    """The exercise with its steps as description and what speaks against it as usage.

    The dose is a protocol's, so it stands in the PlanDefinition's action.
    """
    resource: Resource = {
        "resourceType": "ActivityDefinition",
        "id": fhir_id(exercise.id),
        "meta": codes.profile("exercise-definition"),
        "language": "en",
        "url": activity_url(exercise.id),
        "name": "".join(word.capitalize() for word in exercise.id.split("_")),
        **translated("title", exercise.name),
        "status": "active",
        "experimental": False,
        **translated("description", _lists(exercise.steps)),
        "topic": [{"text": exercise.region.replace("_", " ")}],
        "kind": "ServiceRequest",
        "intent": "order",
        "code": {
            "coding": [
                {"system": code.system, "code": code.code, "display": code.display}
                for code in exercise.codes
            ],
            "text": exercise.name["en"],
        },
    }
    if any(exercise.contraindications.values()):
        resource |= translated("usage", _lists(exercise.contraindications))
    return resource


def _lists(lines: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """Markdown lists, by language."""
    return {language: "\n".join(f"- {line}" for line in texts) for language, texts in lines.items()}
