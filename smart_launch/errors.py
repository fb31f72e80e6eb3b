"""Why a launch fails; every message can be shown to the person who launched."""


class LaunchRefused(Exception):
    """The launch can't go on."""


class UnknownIssuer(LaunchRefused):
    """The `iss` is not a registered health system."""


class DiscoveryFailed(LaunchRefused):
    """The EHR's SMART configuration could not be read or lacks what we need."""


class TokenRefused(LaunchRefused):
    """The token endpoint gave no usable token."""


class RevocationFailed(Exception):
    """The EHR did not end a token."""


class IntrospectionFailed(Exception):
    """The EHR did not say what a token is good for."""


class InvalidIdToken(LaunchRefused):
    """The id_token is forged, stale, or meant for somebody else."""
