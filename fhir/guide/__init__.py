"""Our implementation guide: code systems, value sets, profiles and examples, made from the code.

`python -m fhir.guide` writes docs/fhir/package again; a test holds the two together.
"""
