"""Condition protocols: phases, default doses, criteria and precautions, one YAML file each."""

from rtm.protocols.definition import (
    Criterion,
    GoalTemplate,
    Phase,
    Precaution,
    Protocol,
    ProtocolLine,
)
from rtm.protocols.library import InvalidProtocol, ProtocolLibrary, UnknownProtocol, load_protocols
from rtm.protocols.prescribe import draft_program

__all__ = [
    "Criterion",
    "GoalTemplate",
    "InvalidProtocol",
    "Phase",
    "Precaution",
    "Protocol",
    "ProtocolLibrary",
    "ProtocolLine",
    "UnknownProtocol",
    "draft_program",
    "load_protocols",
]
