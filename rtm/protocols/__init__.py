"""Condition protocols: phases, default doses, criteria and precautions, one YAML file each."""

from rtm.protocols.definition import (
    Criterion,
    GoalTemplate,
    MovementRule,
    OutcomeSchedule,
    PainBounds,
    Phase,
    Precaution,
    Protocol,
    ProtocolLine,
    Source,
    Variant,
)
from rtm.protocols.library import InvalidProtocol, ProtocolLibrary, UnknownProtocol, load_protocols
from rtm.protocols.prescribe import draft_program
from rtm.protocols.variants import with_variants

__all__ = [
    "Criterion",
    "GoalTemplate",
    "InvalidProtocol",
    "MovementRule",
    "OutcomeSchedule",
    "PainBounds",
    "Phase",
    "Precaution",
    "Protocol",
    "ProtocolLibrary",
    "ProtocolLine",
    "Source",
    "UnknownProtocol",
    "Variant",
    "draft_program",
    "load_protocols",
    "with_variants",
]
