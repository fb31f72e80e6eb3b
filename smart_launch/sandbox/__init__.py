"""A development EHR: SMART authorization server and FHIR R4 store with synthetic patients.

Good enough to see the product without an account at an EHR vendor; not for real data.
"""
