"""Imports both owners of the name `fhir` and says where each came from, in whatever process."""

from __future__ import annotations

import json


def both_fhirs() -> dict[str, str]:
    """The files of `fhir.resources`' CarePlan model, of our CarePlan module and of our client."""
    import fhir.resources.R4B.careplan

    import fhir.careplan
    import fhir.client

    return {
        "theirs": str(fhir.resources.R4B.careplan.__file__),
        "ours": str(fhir.careplan.__file__),
        "client": str(fhir.client.__file__),
    }


if __name__ == "__main__":
    print(json.dumps(both_fhirs()))
