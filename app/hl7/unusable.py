"""Why a received message can't be acted on."""


class Unusable(ValueError):
    """A person must look at the message; the text says where the fault is, and quotes nothing."""
