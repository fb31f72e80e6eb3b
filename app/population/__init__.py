"""Reading a health system's people at once, as candidates for monitoring, by bulk export.

A candidate is a patient whose chart opens at once, with the diagnoses and the coverage there:
nobody is monitored and nothing is billed before a clinician starts an episode with consent.
"""

from app.population.reading import PopulationInterrupted, read_population
from app.population.state import PopulationRefused, last_complete
from app.population.summary import Summary

__all__ = [
    "PopulationInterrupted",
    "PopulationRefused",
    "Summary",
    "last_complete",
    "read_population",
]
