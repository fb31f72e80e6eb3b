"""Joining the portal by an invitation and coming back: what works, and every way around it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, func, select

from app import invitations
from app.access_tries import LIMITS
from app.demo import walk
from app.demo.browser import Browser
from app.invitations import (
    ALPHABET,
    CODE_LENGTH,
    InvitationRefused,
    bare,
    match_invitation,
    spaced,
)
from app.portal_accounts import SignInRefused, check_sign_in, folded, join
from app.store import (
    AccessTryRow,
    InvitationRow,
    LedgerFactRow,
    PatientRow,
    PortalAccountRow,
    PortalFactIsFinal,
    SignInRow,
)
from tests.app.joining import (
    BORN,
    NAME,
    PASSWORD,
    PATIENT,
    agree,
    chart_post,
    choose,
    enter,
    invite,
    is_signed_in,
    joined,
    move_clock,
    patient_row,
    post,
    sign_in,
)
from tests.app.launching import form_token, other_tenant
from tests.app.test_service import count, one, sign_program
from tests.conftest import World

NOT_BORN = (1955, 5, 6)


@pytest.fixture
def quiet(make_world: Callable[..., World]) -> World:
    """A world without a worker: nothing here waits for one."""
    return make_world(worker=False)


@pytest.fixture
def chart(quiet: World) -> Browser:
    return walk.launch_chart(quiet.places, PATIENT)


def refused(answer: requests.Response) -> bool:
    return answer.status_code == 422 and "do not match" in answer.text


# The way in --------------------------------------------------------------------------------------


def test_a_patient_joins_with_the_code_and_sees_the_program(quiet: World) -> None:
    chart = sign_program(quiet)
    patient = joined(quiet, chart)
    agree(quiet, patient)
    assert "Hello, Samuel" in patient.get(f"{quiet.places.app}/portal/today").text
    assert "Joined by invitation" in chart.get(f"{quiet.places.app}/chart").text


def test_the_page_for_the_patient_has_address_picture_code_and_plain_steps(
    quiet: World, chart: Browser
) -> None:
    page = chart_post(quiet, chart, "/portal/invitation", language="es").text
    assert f"{quiet.places.app}/portal/join" in page
    assert "<svg" in page
    assert "Escriba este código y su fecha de nacimiento:" in page
    assert 'section class="card invitation" lang="es"' in page
    assert "script" not in page.partition("<svg")[2].partition("</svg>")[0]
    assert re.search(r"[0-9A-Z]{3}-[0-9A-Z]{3}-[0-9A-Z]{4}", page)


def test_a_code_is_long_and_has_no_look_alikes() -> None:
    assert len(ALPHABET) ** CODE_LENGTH > 2**40
    assert not set(ALPHABET) & set("0O1IL2Z5SG8BUVAE")
    assert len(set(ALPHABET)) == len(ALPHABET)


@given(st.text(ALPHABET, min_size=CODE_LENGTH, max_size=CODE_LENGTH), st.sampled_from("- .\u2013"))
def test_groups_and_what_stands_between_them_do_not_matter(code: str, between: str) -> None:
    shown = spaced(code)
    assert [len(part) for part in shown.split("-")] == [3, 3, 4]
    assert bare(shown.lower().replace("-", between)) == code


@pytest.mark.parametrize("typed", [str.lower, lambda code: code.replace("-", " "), str.strip])
def test_a_code_is_taken_as_people_type_it(
    quiet: World, chart: Browser, typed: Callable[[str], str]
) -> None:
    assert enter(quiet, Browser(), typed(invite(quiet, chart))).status_code == 303


def test_the_code_is_nowhere_in_the_database(quiet: World, chart: Browser) -> None:
    code = invite(quiet, chart)
    quiet.context.database.engine.dispose()
    for path in quiet.context.settings.data_dir.glob("homestretch.db*"):
        content = path.read_bytes()
        assert code.encode() not in content
        assert code.replace("-", "").encode() not in content


def test_who_breaks_off_before_the_password_can_begin_again(quiet: World, chart: Browser) -> None:
    code = invite(quiet, chart)
    assert enter(quiet, Browser(), code).status_code == 303
    assert not is_signed_in(quiet, Browser())
    second = Browser()
    assert enter(quiet, second, code).status_code == 303
    assert choose(quiet, second).status_code == 303


# The code ----------------------------------------------------------------------------------------


def test_a_code_works_once(quiet: World, chart: Browser) -> None:
    code = invite(quiet, chart)
    first, second = Browser(), Browser()
    assert enter(quiet, first, code).status_code == 303
    assert enter(quiet, second, code).status_code == 303
    assert choose(quiet, first).status_code == 303
    assert choose(quiet, second, name="somebody else").status_code == 409
    assert not is_signed_in(quiet, second)
    assert refused(enter(quiet, Browser(), code))
    assert one(quiet, PortalAccountRow).sign_in_name == folded(NAME)  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_of_two_who_use_one_code_at_once_one_joins(
    make_world: Callable[..., World], request: pytest.FixtureRequest, kind: str
) -> None:
    url = request.getfixturevalue("postgresql") if kind == "postgresql" else ""
    world = make_world(worker=False, database_url=url)
    context = world.context
    code = invite(world, walk.launch_chart(world.places, PATIENT))
    matched = match_invitation(context, code, date(*BORN), "10.0.0.1")

    def try_to_join(number: int) -> bool:
        try:
            join(context, matched, f"name {number}", PASSWORD)
        except InvitationRefused:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(try_to_join, range(6))) == [False] * 5 + [True]
    assert count(world, PortalAccountRow) == 1
    context.database.engine.dispose()


def test_a_newer_code_takes_the_place_of_an_unused_one(quiet: World, chart: Browser) -> None:
    old = invite(quiet, chart)
    new = invite(quiet, chart)
    assert refused(enter(quiet, Browser(), old))
    assert enter(quiet, Browser(), new).status_code == 303


def test_a_code_taken_back_opens_nothing(quiet: World, chart: Browser) -> None:
    code = invite(quiet, chart)
    begun = Browser()
    assert enter(quiet, begun, code).status_code == 303
    assert "can&#39;t be used" in chart_post(quiet, chart, "/portal/invitation/revoke").text
    assert refused(enter(quiet, Browser(), code))
    assert choose(quiet, begun).status_code == 409


def test_a_code_runs_out(quiet: World, chart: Browser) -> None:
    code = invite(quiet, chart)
    move_clock(quiet, timedelta(days=13, hours=23))
    assert enter(quiet, Browser(), code).status_code == 303
    move_clock(quiet, timedelta(days=14, minutes=1))
    assert refused(enter(quiet, Browser(), code))


def test_a_code_dies_after_five_wrong_birth_dates(quiet: World, chart: Browser) -> None:
    code = invite(quiet, chart)
    for _ in range(5):
        assert refused(enter(quiet, Browser(), code, NOT_BORN))
    assert refused(enter(quiet, Browser(), code))
    move_clock(quiet, timedelta(days=3))
    assert refused(enter(quiet, Browser(), code))
    move_clock(quiet, timedelta(0))
    assert "after 5 wrong birth dates" in chart.get(f"{quiet.places.app}/chart").text
    assert enter(quiet, Browser(), invite(quiet, chart)).status_code == 303


def test_four_wrong_birth_dates_leave_one_try(quiet: World, chart: Browser) -> None:
    code = invite(quiet, chart)
    for _ in range(4):
        enter(quiet, Browser(), code, NOT_BORN)
    assert enter(quiet, Browser(), code).status_code == 303


def test_tries_at_the_same_time_are_not_free(quiet: World, chart: Browser) -> None:
    code = invite(quiet, chart)
    context, right, wrong = quiet.context, date(*BORN), date(*NOT_BORN)

    def guess(number: int) -> bool:
        try:
            match_invitation(context, code, right if number == 19 else wrong, "10.0.0.1")
        except InvitationRefused:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(guess, [0] * 12))
    assert not guess(19)


def test_an_address_that_tries_many_codes_is_stopped(quiet: World, chart: Browser) -> None:
    code = invite(quiet, chart)
    for number in range(LIMITS["join"].per_address):
        with pytest.raises(InvitationRefused):
            match_invitation(quiet.context, f"{number:010}", date(*BORN), "203.0.113.9")
    with pytest.raises(InvitationRefused):
        match_invitation(quiet.context, code, date(*BORN), "203.0.113.9")
    assert match_invitation(quiet.context, code, date(*BORN), "203.0.113.10")
    move_clock(quiet, timedelta(hours=1, minutes=1))
    assert match_invitation(quiet.context, code, date(*BORN), "203.0.113.9")


def test_every_try_is_kept_and_final(quiet: World, chart: Browser) -> None:
    code = invite(quiet, chart)
    enter(quiet, Browser(), code, NOT_BORN)
    enter(quiet, Browser(), code)
    hashed = one(quiet, InvitationRow).code_hash  # type: ignore[attr-defined]
    with quiet.context.database.begin(None) as db:
        rows = db.scalars(select(AccessTryRow).order_by(AccessTryRow.id)).all()
    assert [(row.subject, row.passed) for row in rows] == [
        (hashed, False),
        (hashed, False),
        (hashed, True),
    ]
    assert all("127.0.0.1" not in row.address for row in rows)
    with pytest.raises(PortalFactIsFinal), quiet.context.database.begin(None) as db:
        db.get_one(AccessTryRow, rows[0].id).passed = True


# What answers tell -------------------------------------------------------------------------------


@contextmanager
def statements(world: World) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    engine = world.context.database.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def states_of_a_code(world: World, chart: Browser) -> dict[str, str]:
    """A code of each kind that opens nothing with a wrong birth date."""
    codes = {"unknown": "333-333-3333", "superseded": invite(world, chart)}
    codes["revoked"] = invite(world, chart)
    chart_post(world, chart, "/portal/invitation/revoke")
    codes["used"] = invite(world, chart)
    browser = Browser()
    enter(world, browser, codes["used"])
    choose(world, browser)
    codes["open"] = invite(world, chart)
    return codes


def test_the_answer_does_not_tell_whether_a_code_exists(quiet: World, chart: Browser) -> None:
    codes = states_of_a_code(quiet, chart)
    answers = {}
    for kind, code in codes.items():
        answer = enter(quiet, Browser(), code, NOT_BORN)
        page = answer.text.replace(code, "").replace(form_token(answer.text), "")
        answers[kind] = (answer.status_code, re.sub(r'value="[^"]{60,}"', "", page))
    assert len(set(answers.values())) == 1, answers.keys()


def test_the_work_does_not_tell_whether_a_code_exists(quiet: World, chart: Browser) -> None:
    """Time is spent in the database: the same statements, whatever the code is."""
    codes = states_of_a_code(quiet, chart)
    work = {}
    for kind, code in codes.items():
        with statements(quiet) as seen, pytest.raises(InvitationRefused):
            match_invitation(quiet.context, code, date(*NOT_BORN), "10.0.0.7")
        work[kind] = tuple(seen)
    assert len(set(work.values())) == 1
    assert len(work["open"]) > 3


def test_a_name_that_is_not_there_costs_as_much_as_a_wrong_password(
    quiet: World, chart: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app import portal_accounts

    joined(quiet, chart)
    checked: list[str] = []
    real = portal_accounts.check_password_hash
    monkeypatch.setattr(
        portal_accounts,
        "check_password_hash",
        lambda kept, given: (checked.append(kept), real(kept, given))[1],
    )
    for name in (NAME, "nobody at all"):
        with pytest.raises(SignInRefused):
            check_sign_in(quiet.context, quiet.tenant_id, name, "not the password", "10.0.0.8")
    assert [kept.partition("$")[0] for kept in checked] == ["scrypt:32768:8:1"] * 2


def test_a_refused_sign_in_does_not_tell_whether_the_name_exists(
    quiet: World, chart: Browser
) -> None:
    joined(quiet, chart)
    pages = []
    for name in (NAME, "nobody at all"):
        answer = sign_in(quiet, Browser(), name, "not the password at all")
        pages.append(
            (answer.status_code, re.sub(r'value="[^"]*"|content="[^"]*"', "", answer.text))
        )
    assert pages[0] == pages[1]
    assert pages[0][0] == 422


# Coming back -------------------------------------------------------------------------------------


def test_the_patient_comes_back_without_the_ehr(quiet: World, chart: Browser) -> None:
    joined(quiet, chart)
    browser = Browser()
    answer = sign_in(quiet, browser, NAME.upper())
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/portal/today"
    assert is_signed_in(quiet, browser)
    row = one(quiet, PortalAccountRow)
    assert PASSWORD not in row.password_hash  # type: ignore[attr-defined]
    assert row.password_hash.startswith("scrypt:")  # type: ignore[attr-defined]


def test_five_wrong_passwords_close_the_door_for_a_quarter_of_an_hour(
    quiet: World, chart: Browser
) -> None:
    joined(quiet, chart)
    for _ in range(5):
        assert sign_in(quiet, Browser(), password="not the password at all").status_code == 422
    assert sign_in(quiet, Browser()).status_code == 422
    move_clock(quiet, timedelta(minutes=15, seconds=5))
    assert sign_in(quiet, Browser()).status_code == 303


def test_a_right_password_forgets_the_wrong_ones(quiet: World, chart: Browser) -> None:
    joined(quiet, chart)
    for _ in range(3):
        for _ in range(3):
            sign_in(quiet, Browser(), password="not the password at all")
        assert sign_in(quiet, Browser()).status_code == 303


def test_joining_again_changes_the_password_and_ends_the_sign_ins_of_before(
    quiet: World, chart: Browser
) -> None:
    old = joined(quiet, chart)
    new = Browser()
    enter(quiet, new, invite(quiet, chart))
    assert choose(quiet, new, password="another long password").status_code == 303
    assert is_signed_in(quiet, new)
    assert not is_signed_in(quiet, old)
    assert sign_in(quiet, Browser()).status_code == 422
    assert sign_in(quiet, Browser(), password="another long password").status_code == 303
    assert count(quiet, PortalAccountRow) == 1


@pytest.mark.parametrize(
    ("name", "password", "why"),
    [
        ("Samuel", "short", "15 letters or more"),
        ("Samuel", "aaaaaaaaaaaaaaaaaaa", "easy to guess"),
        ("samuel brandt", "my samuel brandt 1", "easy to guess"),
        ("a", PASSWORD, "3 letters or more"),
        ("Samuel", "x" * 129 + "yzabc", "15 letters or more"),
    ],
)
def test_a_weak_sign_in_is_refused_and_the_code_stays(
    quiet: World, chart: Browser, name: str, password: str, why: str
) -> None:
    browser = Browser()
    enter(quiet, browser, invite(quiet, chart))
    answer = choose(quiet, browser, name, password)
    assert answer.status_code == 422
    assert why in answer.text
    assert password not in answer.text
    assert choose(quiet, browser).status_code == 303


def test_a_name_belongs_to_one_patient_of_a_health_system(quiet: World, chart: Browser) -> None:
    joined(quiet, chart)
    other_chart = walk.launch_chart(quiet.places, "ada-okafor")
    born = patient_row(quiet, "ada-okafor").birth_date
    browser = Browser()
    code = invite(quiet, other_chart)
    assert enter(quiet, browser, code, (born.year, born.month, born.day)).status_code == 303
    answer = choose(quiet, browser)
    assert answer.status_code == 422
    assert "Somebody else has this name" in answer.text
    assert choose(quiet, browser, name="ada@example.org").status_code == 303
    assert "Ada" in browser.get(f"{quiet.places.app}/portal/settings").text


def test_a_sign_in_ends_by_itself(quiet: World, chart: Browser) -> None:
    browser = joined(quiet, chart)
    move_clock(quiet, timedelta(hours=quiet.context.settings.sign_in_hours, minutes=1))
    assert not is_signed_in(quiet, browser)


def test_signing_out_ends_it_and_asks_no_ehr(quiet: World, chart: Browser) -> None:
    browser = joined(quiet, chart)
    quiet.fail_ehr(503, 50)
    token = form_token(browser.get(f"{quiet.places.app}/portal/settings").text)
    answer = post(browser, f"{quiet.places.app}/sign-out/patient", csrf=token)
    assert answer.status_code == 200
    assert "Your sign-in here has ended." in answer.text
    assert "did not confirm" not in answer.text
    assert not is_signed_in(quiet, browser)


def test_the_launch_from_the_health_system_works_beside_it(quiet: World, chart: Browser) -> None:
    joined(quiet, chart)
    browser = walk.sign_in_patient(quiet.places, quiet.tenant_id, PATIENT)
    assert is_signed_in(quiet, browser)
    assert count(quiet, PatientRow) == 1


# Attacks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/portal/join", "/portal/join/sign-in", "/portal/sign-in/prairie"]
)
def test_no_form_is_taken_without_its_token(quiet: World, chart: Browser, path: str) -> None:
    browser = Browser()
    enter(quiet, browser, invite(quiet, chart))
    fields = {
        "code": "333-333-3333",
        "day": 5,
        "month": 5,
        "year": 1955,
        "name": NAME,
        "password": PASSWORD,
        "again": PASSWORD,
    }
    answer = browser._http.post(f"{quiet.places.app}{path}", data=fields, timeout=30)
    assert answer.status_code == 400
    assert "open too long" in answer.text
    assert count(quiet, PortalAccountRow) == 0


def test_a_browser_without_a_matched_code_can_set_no_password(quiet: World, chart: Browser) -> None:
    invite(quiet, chart)
    browser = Browser()
    browser.get(f"{quiet.places.app}/portal/join")
    answer = browser._http.get(
        f"{quiet.places.app}/portal/join/sign-in", timeout=30, allow_redirects=False
    )
    assert answer.headers["Location"] == "/portal/join"
    browser._http.cookies.set("hs_browser", "eyJqb2luaW5nIjp7fX0.forged.signature")
    answer = browser._http.get(
        f"{quiet.places.app}/portal/join/sign-in", timeout=30, allow_redirects=False
    )
    assert answer.headers["Location"] == "/portal/join"


def test_a_matched_code_is_forgotten_after_half_an_hour(quiet: World, chart: Browser) -> None:
    browser = Browser()
    enter(quiet, browser, invite(quiet, chart))
    move_clock(quiet, timedelta(minutes=31))
    answer = browser._http.get(
        f"{quiet.places.app}/portal/join/sign-in", timeout=30, allow_redirects=False
    )
    assert answer.headers["Location"] == "/portal/join"


def test_a_planted_cookie_does_not_become_the_sign_in(quiet: World, chart: Browser) -> None:
    browser = Browser()
    browser._http.cookies.set("hs_patient", "planted-by-somebody-else")
    enter(quiet, browser, invite(quiet, chart))
    token = form_token(browser.get(f"{quiet.places.app}/portal/join/sign-in").text)
    answer = choose(quiet, browser)
    assert "planted" not in answer.headers["Set-Cookie"]
    attacker = Browser()
    attacker._http.cookies.set("hs_patient", "planted-by-somebody-else")
    assert not is_signed_in(quiet, attacker)
    # Nor do forms that were open before.
    stale = post(browser, f"{quiet.places.app}/portal/settings/export", csrf=token)
    assert stale.status_code == 400


def test_a_new_sign_in_ends_the_one_before_in_this_browser(quiet: World, chart: Browser) -> None:
    browser = joined(quiet, chart)
    cookies = requests.cookies.cookiejar_from_dict(browser._http.cookies.get_dict())
    assert sign_in(quiet, browser).status_code == 303
    copied = Browser()
    copied._http.cookies = cookies
    assert not is_signed_in(quiet, copied)
    assert is_signed_in(quiet, browser)


@pytest.mark.parametrize("parameter", ["next", "url", "redirect", "return_to"])
def test_nobody_is_led_elsewhere_after_signing_in(
    quiet: World, chart: Browser, parameter: str
) -> None:
    joined(quiet, chart)
    browser = Browser()
    url = f"{quiet.places.app}/portal/sign-in/prairie?{parameter}=https://evil.example/"
    answer = post(browser, url, name=NAME, password=PASSWORD)
    assert answer.headers["Location"] == "/portal/today"


def test_a_sign_in_opens_one_health_system_alone(quiet: World, chart: Browser) -> None:
    joined(quiet, chart)
    with quiet.context.database.begin(None) as db:
        db.add(other_tenant())
    assert sign_in(quiet, Browser(), tenant="other").status_code == 422
    assert sign_in(quiet, Browser(), tenant="nowhere").status_code == 404
    with pytest.raises(SignInRefused):
        check_sign_in(quiet.context, "other", NAME, PASSWORD, "10.0.0.9")


def test_a_code_of_one_health_system_joins_no_patient_of_another(
    quiet: World, chart: Browser
) -> None:
    code = invite(quiet, chart)
    with quiet.context.database.begin(None) as db:
        db.add(other_tenant())
    matched = match_invitation(quiet.context, code, date(*BORN), "10.0.0.9")
    assert matched.tenant_id == quiet.tenant_id
    with pytest.raises(InvitationRefused):
        join(
            quiet.context,
            invitations.Matched("other", matched.invitation_id),
            NAME,
            PASSWORD,
        )


def test_the_chart_of_another_patient_invites_nobody(quiet: World, chart: Browser) -> None:
    page = chart.get(f"{quiet.places.app}/chart").text
    walk_other = chart.post(
        f"{quiet.places.ehr}/launch", {"patient": "ada-okafor", "practitioner": walk.THERAPIST}
    )
    assert walk_other.url.endswith("/chart")
    shown = re.search(r'name="patient" value="(\d+)"', page)
    assert shown is not None
    answer = chart._http.post(
        f"{quiet.places.app}/chart/portal/invitation",
        data={"csrf_token": form_token(walk_other.text), "patient": shown[1], "language": "en"},
        timeout=30,
    )
    assert answer.status_code == 409
    assert count(quiet, InvitationRow) == 0


def test_a_patient_invites_nobody(quiet: World, chart: Browser) -> None:
    browser = joined(quiet, chart)
    token = form_token(browser.get(f"{quiet.places.app}/portal/settings").text)
    answer = post(
        browser, f"{quiet.places.app}/chart/portal/invitation", csrf=token, patient=1, language="en"
    )
    assert answer.status_code == 401


def test_signing_in_is_no_day_of_monitoring(quiet: World) -> None:
    from tests.app.test_service import start_monitoring

    chart = start_monitoring(quiet)
    patient = joined(quiet, chart)
    agree(quiet, patient)
    sign_in(quiet, Browser())
    assert count(quiet, LedgerFactRow, LedgerFactRow.kind == "monitored_day") == 0
    with quiet.context.database.begin(quiet.tenant_id) as db:
        assert (db.scalar(select(func.count()).select_from(SignInRow)) or 0) >= 3


def test_behind_proxies_addresses_are_those_of_the_clients(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False, trusted_proxies=1)
    headers = {"X-Forwarded-For": "198.51.100.7, 203.0.113.5"}
    page = requests.Session()
    url = f"{world.places.app}/portal/join"
    token = form_token(page.get(url, timeout=30).text)
    fields = {"csrf_token": token, "code": "333-333-3333", "day": 5, "month": 5, "year": 1955}
    page.post(url, data=fields, headers=headers, timeout=30)
    from app.keyed_hash import keyed_hash

    with world.context.database.begin(None) as db:
        row = db.scalars(select(AccessTryRow)).one()
    assert row.address == keyed_hash(world.context, "address", "203.0.113.5")
