"""The keys of our client assertions: published before they sign, and for a time after."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from app.signing_keys import (
    ALGORITHMS,
    JWKS_MAX_AGE,
    KEEP_OLD_KEYS,
    BadSigningKeys,
    GivenKeys,
    KeyFile,
    SigningKeyMissing,
    key_to_sign,
    public_jwks,
)

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def key_file(folder: Path) -> KeyFile:
    return KeyFile(folder / "keys/signing.jwks", folder / "keys/backend.jwk")


def published(keys: KeyFile | GivenKeys, now: datetime) -> set[str]:
    return {key["kid"] for key in public_jwks(keys, now)["keys"]}


def signing(keys: KeyFile | GivenKeys, now: datetime) -> set[str]:
    return {str(key_to_sign(keys, algorithm, now).kid) for algorithm in ALGORITHMS}


def test_there_is_a_key_of_each_kind_and_only_its_public_half_is_shown(tmp_path: Path) -> None:
    shown = public_jwks(key_file(tmp_path), NOW)["keys"]
    assert {(key["kty"], key["alg"], key["use"]) for key in shown} == {
        ("RSA", "RS384", "sig"),
        ("EC", "ES384", "sig"),
    }
    assert not {"d", "p", "q"} & {member for key in shown for member in key}


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    key_file(tmp_path).rotate(NOW)
    assert (tmp_path / "keys/signing.jwks").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_a_new_key_is_published_before_it_signs(tmp_path: Path) -> None:
    keys = key_file(tmp_path)
    old = signing(keys, NOW)
    keys.rotate(NOW)
    assert len(published(keys, NOW)) == 4
    assert signing(keys, NOW + JWKS_MAX_AGE) == old
    new = signing(keys, NOW + timedelta(hours=1))
    assert new.isdisjoint(old)
    assert new | old == published(keys, NOW)


def test_an_old_key_stays_published_for_a_time_and_then_goes(tmp_path: Path) -> None:
    keys = key_file(tmp_path)
    old = published(keys, NOW)
    keys.rotate(NOW)
    assert old <= published(keys, NOW + KEEP_OLD_KEYS)
    later = NOW + KEEP_OLD_KEYS + timedelta(hours=1)
    assert old.isdisjoint(published(keys, later))
    keys.rotate(later)
    assert all(kid not in (tmp_path / "keys/signing.jwks").read_text() for kid in old)


def test_a_key_that_became_known_ends_at_once(tmp_path: Path) -> None:
    keys = key_file(tmp_path)
    old = published(keys, NOW)
    keys.rotate(NOW, compromised=True)
    assert old.isdisjoint(published(keys, NOW))
    assert signing(keys, NOW) == published(keys, NOW)


def test_a_running_process_sees_the_rotation_of_another(tmp_path: Path) -> None:
    running = key_file(tmp_path)
    before = published(running, NOW)
    key_file(tmp_path).rotate(NOW, compromised=True)
    assert published(running, NOW).isdisjoint(before)


def test_processes_that_start_and_rotate_at_once_lose_no_key(tmp_path: Path) -> None:
    threads = [threading.Thread(target=lambda: key_file(tmp_path).rotate(NOW)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(published(key_file(tmp_path), NOW)) == 2 * (1 + 4)


def test_the_key_of_an_earlier_release_still_signs(tmp_path: Path) -> None:
    earlier = RSAKey.generate_key(2048)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/backend.jwk").write_text(json.dumps(earlier.as_dict(private=True)))
    keys = key_file(tmp_path)
    assert key_to_sign(keys, "RS384", NOW).thumbprint() == earlier.thumbprint()
    assert key_to_sign(keys, "ES384", NOW)


def _set(*keys: dict[str, Any]) -> str:
    return json.dumps({"keys": list(keys)})


def test_keys_of_the_settings_are_read_in_each_form() -> None:
    rsa, ec = RSAKey.generate_key(2048), ECKey.generate_key("P-384")
    jwks = [rsa.as_dict(private=True), ec.as_dict(private=True)]
    pem = rsa.as_pem(private=True).decode()
    for text in (pem, json.dumps(jwks[0]), _set(*jwks)):
        keys = GivenKeys.read(text)
        assert key_to_sign(keys, "RS384", NOW).thumbprint() == rsa.thumbprint()
    assert key_to_sign(GivenKeys.read(ec.as_pem(private=True).decode()), "ES384", NOW)


def test_the_first_key_of_a_set_signs_and_all_are_published() -> None:
    new, old = RSAKey.generate_key(2048), RSAKey.generate_key(2048)
    keys = GivenKeys.read(_set(new.as_dict(private=True), old.as_dict(private=True)))
    assert key_to_sign(keys, "RS384", NOW).thumbprint() == new.thumbprint()
    assert len(published(keys, NOW)) == 2
    with pytest.raises(SigningKeyMissing, match="ES384"):
        key_to_sign(keys, "ES384", NOW)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not a key",
        "{}",
        '{"keys": 7}',
        '{"keys": [7]}',
        '{"keys": []}',
        json.dumps(OctKey.generate_key(256).as_dict()),
        json.dumps(RSAKey.generate_key(2048).as_dict(private=False)),
        json.dumps(ECKey.generate_key("P-256").as_dict(private=True)),
        json.dumps({**RSAKey.generate_key(2048).as_dict(private=True), "nbf": "soon"}),
    ],
    ids=[
        "nothing",
        "text",
        "empty",
        "no list",
        "no key",
        "empty list",
        "shared secret",
        "public key",
        "other curve",
        "odd date",
    ],
)
def test_what_is_no_private_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(BadSigningKeys, match="expected a PEM"):
        GivenKeys.read(text)
