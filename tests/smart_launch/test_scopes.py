"""Asking in the words that the EHR understands, and understanding what it granted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smart_launch.discovery import SmartConfiguration
from smart_launch.scopes import (
    Access,
    Version,
    Wanted,
    offered_version,
    parse_access,
    parse_grant,
    scope_to_ask,
)

WANTED = Wanted(
    ("openid", "fhirUser", "launch"),
    ("offline_access", "online_access"),
    (Access("user", "Patient", "rs"), Access("user", "Observation", "crs")),
)
EHR = SmartConfiguration(
    iss="https://ehr.example/fhir",
    authorization_endpoint="https://ehr.example/authorize",
    token_endpoint="https://ehr.example/token",
    issuer="https://ehr.example",
    jwks_uri="https://ehr.example/jwks",
    scopes_supported=(),
    capabilities=(),
)


def ehr(scopes: str = "", capabilities: str = "") -> SmartConfiguration:
    return replace(
        EHR, scopes_supported=tuple(scopes.split()), capabilities=tuple(capabilities.split())
    )


@pytest.mark.parametrize(
    ("configuration", "version"),
    [
        (ehr(capabilities="permission-v1 permission-v2"), "v2"),
        (ehr(capabilities="permission-v1"), "v1"),
        (ehr("user/*.rs"), "v2"),
        (ehr("user/*.read patient/*.*"), "v1"),
        (ehr("openid launch"), "v1"),
        (ehr(), "v1"),
    ],
)
def test_the_version_is_the_one_that_the_ehr_offers(
    configuration: SmartConfiguration, version: Version
) -> None:
    assert offered_version(configuration) == version


def test_an_ehr_of_version_2_is_asked_by_letters() -> None:
    assert scope_to_ask(WANTED, ehr(capabilities="permission-v2")) == (
        "openid fhirUser launch offline_access user/Patient.rs user/Observation.crs"
    )


def test_an_older_ehr_is_asked_in_words() -> None:
    assert scope_to_ask(WANTED, ehr(capabilities="permission-v1")) == (
        "openid fhirUser launch offline_access "
        "user/Patient.read user/Observation.read user/Observation.write"
    )


def test_what_the_ehr_does_not_list_is_not_asked_for() -> None:
    listed = "openid fhirUser launch user/Patient.rs user/Observation.rs"
    assert scope_to_ask(WANTED, ehr(listed)) == (
        "openid fhirUser launch user/Patient.rs user/Observation.rs"
    )


def test_a_list_that_names_no_resources_of_a_level_says_nothing_of_them() -> None:
    listed = "openid launch patient/Patient.rs"
    assert "user/Observation.crs" in scope_to_ask(WANTED, ehr(listed))


def test_an_ehr_that_grants_by_patient_alone_is_asked_by_patient() -> None:
    asked = scope_to_ask(WANTED, ehr(capabilities="permission-v2 permission-patient"))
    assert "patient/Patient.rs" in asked
    assert "user/" not in asked


def test_a_refresh_token_is_asked_for_where_the_ehr_has_them() -> None:
    without = ehr("openid fhirUser launch user/*.rs")
    assert "offline_access" not in scope_to_ask(WANTED, without)
    by_capability = replace(without, capabilities=("permission-offline",))
    assert "offline_access" in scope_to_ask(WANTED, by_capability)


def test_a_token_for_the_ehrs_own_session_is_the_second_choice() -> None:
    online = ehr("openid fhirUser launch online_access user/*.rs")
    assert "online_access" in scope_to_ask(WANTED, online)
    both = ehr("openid fhirUser launch online_access offline_access user/*.rs")
    assert "online_access" not in scope_to_ask(WANTED, both)


def test_the_first_version_of_smart_called_the_user_a_profile() -> None:
    assert scope_to_ask(WANTED, ehr("openid profile launch")).startswith("openid profile launch")


def test_a_registered_version_overrules_what_the_ehr_says() -> None:
    assert "user/Patient.read" in scope_to_ask(WANTED, ehr(capabilities="permission-v2"), "v1")


@pytest.mark.parametrize(
    ("scope", "extent"),
    [
        ("user/Condition.rs", "all"),
        ("user/Condition.cruds", "all"),
        ("user/Condition.read", "all"),
        ("user/Condition.*", "all"),
        ("user/*.read", "all"),
        ("patient/Condition.r patient/Condition.s", "all"),
        ("patient/*.rs", "all"),
        ("user/Condition.r", "none"),
        ("user/Condition.write", "none"),
        ("user/Observation.rs", "none"),
        ("system/Condition.rs", "none"),
        ("user/Condition.rs?category=problem-list-item", "part"),
        ("user/Condition.rs user/Condition.rs?category=x", "all"),
        ("openid user/Condition.sr user/.rs user/Condition. /Condition.rs", "none"),
        ("", "none"),
    ],
)
def test_a_grant_says_what_may_be_read(scope: str, extent: str) -> None:
    assert parse_grant(scope).extent("Condition", "rs") == extent


def test_words_of_a_grant_are_kept_apart() -> None:
    grant = parse_grant("openid  launch/patient offline_access patient/Patient.r")
    assert grant.words == {"openid", "launch/patient", "offline_access"}


@given(
    st.sampled_from(["patient", "user", "system"]),
    st.sampled_from(["Patient", "Observation", "*"]),
    st.sets(st.sampled_from("cruds"), min_size=1),
    st.sampled_from(["v1", "v2"]),
)
def test_what_is_asked_in_either_version_grants_at_least_what_was_wanted(
    level: str, resource_type: str, letters: set[str], version: Version
) -> None:
    access = Access(level, resource_type, "".join(sorted(letters)))  # type: ignore[arg-type]
    asked = scope_to_ask(Wanted((), (), (access,)), ehr(), version)
    grant = parse_grant(asked)
    assert grant.words == frozenset()
    assert grant.extent(resource_type, access.permissions, (level,)) == "all"  # type: ignore[arg-type]


@given(st.text(max_size=40))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    parse_access(text)
    parse_grant(text).extent("Patient", "rs")
