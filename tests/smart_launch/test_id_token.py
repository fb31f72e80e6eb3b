"""Who signed in: only what the EHR's own key says, for this launch, now."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from smart_launch.errors import InvalidIdToken
from smart_launch.http import get_json
from smart_launch.id_token import Identity, verify_id_token
from smart_launch.key_sets import KEEP_S, REFETCH_AT_MOST_EVERY_S, KeySets
from tests.smart_launch.conftest import Told

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
KEY = RSAKey.generate_key(2048, {"kid": "ehr-1"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "ehr-1"})
EC_KEY = ECKey.generate_key("P-256", {"kid": "ehr-ec"})
ISSUER, CLIENT, NONCE = "https://ehr.example", "homestretch", "n-0S6_WzA2Mj"


def claims(**changes: Any) -> dict[str, Any]:
    """What a good id_token says; a change to None takes the claim away."""
    base = {
        "iss": ISSUER,
        "sub": "u1",
        "aud": CLIENT,
        "exp": int(NOW.timestamp()) + 300,
        "iat": int(NOW.timestamp()),
        "nonce": NONCE,
        "fhirUser": "Practitioner/7",
    }
    return {name: value for name, value in {**base, **changes}.items() if value is not None}


def signed(content: dict[str, Any], key: RSAKey | ECKey = KEY, algorithm: str = "RS256") -> str:
    header = {"alg": algorithm, "kid": key.kid}
    return jwt.encode(header, content, key, algorithms=[algorithm])


def keys(*public: RSAKey | ECKey) -> dict[str, Any]:
    return {"keys": [key.as_dict(private=False) for key in public]}


def published(document: dict[str, Any]) -> KeySets:
    return KeySets(lambda url, iss: document)


def verify(token: str, document: dict[str, Any] | None = None, now: datetime = NOW) -> Identity:
    return verify_id_token(
        token,
        iss=ISSUER,
        issuer=ISSUER,
        client_id=CLIENT,
        nonce=NONCE,
        jwks_uri="https://ehr.example/jwks",
        now=now,
        key_sets=published(keys(KEY, EC_KEY) if document is None else document),
    )


def _part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def test_a_good_token_names_who_signed_in() -> None:
    assert verify(signed(claims())) == Identity("u1", "Practitioner/7")
    assert verify(signed(claims(), EC_KEY, "ES256")).subject == "u1"


@pytest.mark.parametrize(
    ("claim", "reference"),
    [
        ("https://ehr.example/fhir/Practitioner/7", "Practitioner/7"),
        ("Patient/a-1.b", "Patient/a-1.b"),
        ("Practitioner/../Patient/1", "Patient/1"),
        ("Practitioner/7?x=1", None),
        ("Practitioner/7/extra words", None),
        ("javascript:alert(1)", None),
        (7, None),
        (None, None),
    ],
)
def test_fhir_user_is_a_plain_reference_or_nothing(claim: object, reference: str | None) -> None:
    assert verify(signed(claims(fhirUser=claim))).fhir_user == reference


def test_a_token_signed_by_another_key_of_the_same_name_is_forged() -> None:
    with pytest.raises(InvalidIdToken):
        verify(signed(claims(), OTHER_KEY))


def test_a_token_whose_content_was_changed_is_forged() -> None:
    header, _, signature = signed(claims()).split(".")
    with pytest.raises(InvalidIdToken):
        verify(f"{header}.{_part(claims(fhirUser='Practitioner/admin'))}.{signature}")


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE"])
def test_a_token_without_a_signature_is_forged(algorithm: str) -> None:
    with pytest.raises(InvalidIdToken, match="lgorithm"):
        verify(f"{_part({'alg': algorithm})}.{_part(claims())}.")


def test_the_public_key_used_as_a_shared_secret_is_forged() -> None:
    public = KEY.as_pem(private=False)
    content = f"{_part({'alg': 'HS256', 'kid': 'ehr-1'})}.{_part(claims())}"
    mac = hmac.new(public, content.encode(), hashlib.sha256).digest()
    signature = base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
    with pytest.raises(InvalidIdToken, match="lgorithm"):
        verify(f"{content}.{signature}")


def test_a_key_that_the_token_brings_along_is_not_believed() -> None:
    header = {"alg": "RS256", "jwk": OTHER_KEY.as_dict(private=False)}
    token = jwt.encode(header, claims(), OTHER_KEY, algorithms=["RS256"])
    with pytest.raises(InvalidIdToken):
        verify(token)


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another-app"},
        {"aud": None},
        {"nonce": "of another launch"},
        {"nonce": None},
        {"sub": None},
        {"exp": None},
        {"iat": None},
        {"exp": int(NOW.timestamp()) - 61},
        {"iat": int(NOW.timestamp()) + 61, "exp": int(NOW.timestamp()) + 400},
        {"aud": [CLIENT, "other"], "azp": "other"},
    ],
    ids=str,
)
def test_a_token_for_another_time_place_or_launch_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidIdToken):
        verify(signed(claims(**change)))


@pytest.mark.parametrize("skew_s", [-59, 59])
def test_a_minute_of_clock_skew_is_forgiven(skew_s: int) -> None:
    token = signed(claims(exp=int(NOW.timestamp()), iat=int(NOW.timestamp())))
    assert verify(token, now=NOW + timedelta(seconds=skew_s)).subject == "u1"


def test_several_audiences_are_good_if_we_are_the_authorized_one() -> None:
    assert verify(signed(claims(aud=["other", CLIENT], azp=CLIENT))).subject == "u1"


def test_keys_that_cannot_be_used_are_passed_over() -> None:
    odd = [{"kty": "RSA"}, {"kty": "unheard-of"}, "text", OctKey.generate_key(256).as_dict()]
    document = {"keys": [*odd, *keys(KEY)["keys"]]}
    assert verify(signed(claims()), document).subject == "u1"


@pytest.mark.parametrize("document", [{}, {"keys": []}, {"keys": "none"}, {"keys": [{}]}])
def test_a_key_set_without_a_usable_key_verifies_nobody(document: dict[str, Any]) -> None:
    with pytest.raises(InvalidIdToken, match="no key that can be used"):
        verify(signed(claims()), document)


@dataclass
class Ehr:
    """An EHR's keys over HTTP, and a clock that the test moves."""

    told: Told
    now_s: float = 0.0

    def __post_init__(self) -> None:
        self.key_sets = KeySets(get_json, lambda: self.now_s)

    def publish(self, *public: RSAKey | ECKey) -> None:
        self.told.answer("/jwks", keys(*public))

    def check(self, token: str) -> Identity:
        return verify_id_token(
            token,
            iss=self.told.base,
            issuer=ISSUER,
            client_id=CLIENT,
            nonce=NONCE,
            jwks_uri=f"{self.told.base}/jwks",
            now=NOW,
            key_sets=self.key_sets,
        )


@pytest.fixture
def ehr(told: Told) -> Ehr:
    return Ehr(told)


ROTATED = RSAKey.generate_key(2048, {"kid": "ehr-2"})


def test_keys_are_asked_for_once_while_they_serve(ehr: Ehr) -> None:
    ehr.publish(KEY)
    for _ in range(5):
        assert ehr.check(signed(claims())).subject == "u1"
    assert ehr.told.paths == ["/jwks"]


@pytest.mark.parametrize("key", [ROTATED, OTHER_KEY], ids=["new kid", "same kid"])
def test_a_rotated_key_is_known_at_once(ehr: Ehr, key: RSAKey) -> None:
    ehr.publish(KEY)
    ehr.check(signed(claims()))
    ehr.publish(key)
    ehr.now_s = REFETCH_AT_MOST_EVERY_S + 1
    assert ehr.check(signed(claims(), key)).subject == "u1"
    assert ehr.told.paths == ["/jwks", "/jwks"]


def test_made_up_key_ids_do_not_make_us_ask_again_and_again(ehr: Ehr) -> None:
    ehr.publish(KEY)
    for _ in range(20):
        with pytest.raises(InvalidIdToken, match="does not publish"):
            ehr.check(signed(claims(), ROTATED))
    assert ehr.told.paths == ["/jwks"]
    ehr.now_s = REFETCH_AT_MOST_EVERY_S + 1
    for _ in range(20):
        with pytest.raises(InvalidIdToken):
            ehr.check(signed(claims(), ROTATED))
    assert ehr.told.paths == ["/jwks", "/jwks"]


def test_a_withdrawn_key_is_not_believed_for_long(ehr: Ehr) -> None:
    ehr.publish(KEY)
    ehr.check(signed(claims()))
    ehr.publish(ROTATED)
    ehr.now_s = KEEP_S + 1
    with pytest.raises(InvalidIdToken):
        ehr.check(signed(claims()))


def test_a_token_that_names_no_key_is_good_only_where_there_is_one_of_its_kind() -> None:
    token = jwt.encode({"alg": "RS256"}, claims(), KEY, algorithms=["RS256"])
    assert verify(token, keys(KEY, EC_KEY)).subject == "u1"
    with pytest.raises(InvalidIdToken):
        verify(token, keys(KEY, ROTATED))


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_keys_for_encryption_and_short_keys_verify_nobody() -> None:
    encryption = {"keys": [{**KEY.as_dict(private=False), "use": "enc"}]}
    with pytest.raises(InvalidIdToken, match="no key that can be used"):
        verify(signed(claims()), encryption)
    short = RSAKey.generate_key(1024, {"kid": "short"})
    with pytest.raises(InvalidIdToken, match="no key that can be used"):
        verify(signed(claims(), short), keys(short))


def test_keys_that_cannot_be_reached_verify_nobody(told: Told) -> None:
    with pytest.raises(InvalidIdToken, match="could not be verified"):
        verify_id_token(
            signed(claims()),
            iss=told.base,
            issuer=ISSUER,
            client_id=CLIENT,
            nonce=NONCE,
            jwks_uri=f"{told.base}/nothing-here",
            now=NOW,
            key_sets=KeySets(),
        )


@pytest.mark.parametrize("token", ["", "a.b.c", "....", "no dots at all", "\x00"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidIdToken):
        verify(token)
