"""Sending an HL7 v2 message until its receiver answers."""

from __future__ import annotations

import time
from collections.abc import Callable

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential

from app.hl7.mllp import Acknowledgment, MllpFailed, send

# House choices: an interface engine that restarts is back within a minute or two.
_ATTEMPTS = 5
_FIRST_WAIT_S, _MOST_WAIT_S = 1.0, 30.0


def send_until_answered(
    host: str,
    port: int,
    message: str,
    *,
    timeout_s: float = 10.0,
    attempts: int = _ATTEMPTS,
    first_wait_s: float = _FIRST_WAIT_S,
    sleep: Callable[[float], None] = time.sleep,
) -> Acknowledgment:
    """The receiver's answer to `message`, which is sent at most `attempts` times, unchanged.

    No answer, or one to something else, leaves open whether the message arrived: it is sent again
    after a random wait of up to `first_wait_s`, doubled each time, and its MSH-10 tells the
    receiver that it is the same one. A refusal (AE, AR, CE, CR) is an answer: it is returned and
    not repeated, for the same message would be refused again.

    Raises:
        MllpFailed: the last attempt had no answer either.
        ValueError: `message` has no MSH-10, or holds MLLP frame bytes.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(MllpFailed),
        stop=stop_after_attempt(attempts),
        wait=wait_random_exponential(multiplier=first_wait_s, max=_MOST_WAIT_S),
        sleep=sleep,
        reraise=True,
    )
    return retrying(send, host, port, message, timeout_s)
