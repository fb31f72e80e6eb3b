"""The camera session when things go wrong: nothing is lost or doubled, and the patient is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Response, Route, expect

from tests.conftest import World, serve_again
from tests.e2e import films
from tests.e2e.coach import (
    ALLOWED,
    FAKE,
    PATIENCE_MS,
    begin,
    begin_sets,
    chromium,
    counted,
    from_film,
    message,
    nothing_lost_nothing_doubled,
    notice,
    open_coach,
    press_send,
    stop,
    turn_on,
    wait_for_count,
    wait_for_result,
)
from tests.e2e.test_walk import accessible, sign_in_at_ehr

FilmOf = Callable[[str, Iterable[films.Shot]], Path]


@pytest.fixture(scope="module")
def film_of(tmp_path_factory: pytest.TempPathFactory) -> FilmOf:
    folder = tmp_path_factory.mktemp("camera")
    return lambda name, shots: films.write_film(folder / f"{name}.mjpeg", shots)


@pytest.fixture(scope="module")
def jacks(film_of: FilmOf) -> Path:
    return film_of("jacks", films.repetitions(4))


@pytest.fixture
def page(jacks: Path, world: World) -> Iterator[Page]:
    with chromium(from_film(jacks)) as context:
        yield open_coach(context, world)


def has_piece(answer: Response) -> bool:
    """Whether this is the server's word that it has a piece of the session."""
    return "/pieces/" in answer.url


# The network ---------------------------------------------------------------------------------


def test_a_session_goes_on_without_network_and_is_sent_when_it_is_back(
    page: Page, world: World
) -> None:
    begin(page)
    wait_for_count(page, 1)
    page.context.set_offline(True)
    message(page, "No connection. Your session is kept on this device. You can go on.")
    wait_for_count(page, counted(page) + 1)
    count = stop(page)
    press_send(page)
    message(page, "No connection. We keep trying.")
    page.context.set_offline(False)
    wait_for_result(page)
    [session] = nothing_lost_nothing_doubled(world)
    assert session.repetitions_reported == count
    assert abs(session.repetition_count - count) <= 1


def test_a_network_that_comes_back_in_mid_session_is_told(page: Page, world: World) -> None:
    begin(page)
    page.context.set_offline(True)
    message(page, "No connection")
    page.context.set_offline(False)
    message(page, "The connection is back.")
    stop(page)
    press_send(page)
    wait_for_result(page)
    nothing_lost_nothing_doubled(world)


def test_a_session_whose_answer_was_lost_on_the_way_is_not_there_twice(
    page: Page, world: World
) -> None:
    lost = []

    def lose_the_first_answers(route: Route) -> None:
        """The server gets the request and answers; the browser never hears of it."""
        if len(lost) < 2:
            lost.append(route.fetch().status)
            route.abort("connectionreset")
        else:
            route.continue_()

    begin(page)
    wait_for_count(page, 1)
    stop(page)
    page.route("**/portal/live/*/finish", lose_the_first_answers)
    press_send(page)
    wait_for_result(page)
    assert lost == [202, 202]
    nothing_lost_nothing_doubled(world)


# The server ----------------------------------------------------------------------------------


@contextmanager
def unavailable(world: World) -> Iterator[None]:
    """The service is down, and what stands before it answers 503; afterwards it is up again."""

    def answer(environ: object, start_response: Callable[..., object]) -> list[bytes]:
        start_response("503 Service Unavailable", [("Content-Type", "text/plain")])
        return [b"Please come back later."]

    world.process.stop()
    port = int(world.places.app.rpartition(":")[2])
    proxy = serve_again(port, answer)
    yield
    proxy.shutdown()
    proxy.server_close()
    world.start_again()


def test_a_server_that_answers_503_for_a_while_gets_all_of_the_session(
    page: Page, world: World
) -> None:
    begin(page)
    wait_for_count(page, 1)
    with unavailable(world):
        message(page, "No connection. Your session is kept on this device.")
        count = stop(page)
        press_send(page)
        message(page, "No connection. We keep trying.")
    wait_for_result(page)
    [session] = nothing_lost_nothing_doubled(world)
    assert session.repetitions_reported == count
    assert abs(session.repetition_count - count) <= 1


def test_a_server_that_stays_away_leaves_the_session_on_the_device(
    page: Page, world: World
) -> None:
    begin(page)
    wait_for_count(page, 1)
    count = stop(page)
    world.process.stop()
    press_send(page, pain=6)
    message(page, "The internet does not work. Your session is kept on this device.")
    accessible(page)
    world.start_again()
    page.goto(f"{world.places.app}/portal/today")
    expect(page.get_by_text("your session was sent")).to_be_visible(timeout=PATIENCE_MS)
    [session] = nothing_lost_nothing_doubled(world)
    assert (session.repetitions_reported, session.pain.after) == (count, 6)


def test_session_and_sign_in_survive_a_restart_of_the_server(page: Page, world: World) -> None:
    begin(page)
    with page.expect_response(has_piece, timeout=PATIENCE_MS) as first:
        wait_for_count(page, 1)
    assert first.value.ok
    world.process.stop()
    message(page, "No connection")
    world.start_again()
    message(page, "The connection is back.")
    count = stop(page)
    press_send(page)
    wait_for_result(page)
    [session] = nothing_lost_nothing_doubled(world)
    assert session.repetitions_reported == count
    assert abs(session.repetition_count - count) <= 1


def test_who_was_signed_out_meanwhile_sends_the_session_after_signing_in(
    page: Page, world: World
) -> None:
    begin(page)
    wait_for_count(page, 1)
    count = stop(page)
    page.context.clear_cookies()
    press_send(page)
    message(page, "You were signed out. Your session is kept on this device.")
    page.goto(f"{world.places.app}/portal")
    page.get_by_role("link", name="Prairie Rehab Clinic").click()
    sign_in_at_ehr(page, "Samuel Brandt")
    expect(page.get_by_text("your session was sent")).to_be_visible(timeout=PATIENCE_MS)
    [session] = nothing_lost_nothing_doubled(world)
    assert session.repetitions_reported == count


# Tabs ----------------------------------------------------------------------------------------


def test_a_second_tab_offers_to_take_the_coach_over(page: Page, world: World) -> None:
    begin(page)
    wait_for_count(page, 1)
    second = page.context.new_page()
    second.goto(page.url)
    turn_on(second)
    message(second, "The camera coach is open in another tab or window.")
    accessible(second)
    expect(page.get_by_role("button", name="I need to stop")).to_be_visible()
    second.get_by_role("button", name="Use it here").click()
    expect(
        page.get_by_role("heading", name="You went on in another tab or window.")
    ).to_be_visible()
    begin_sets(second)
    wait_for_count(second, 1)
    stop(second)
    press_send(second)
    wait_for_result(second)
    press_send(page)
    wait_for_result(page)
    nothing_lost_nothing_doubled(world, count=2)


def test_a_session_that_goes_on_in_one_tab_is_not_called_broken_off_in_another(
    page: Page, world: World
) -> None:
    with page.expect_response(has_piece, timeout=PATIENCE_MS):
        begin(page)
    second = page.context.new_page()
    second.goto(f"{world.places.app}/portal/today")
    second.wait_for_load_state("networkidle")
    expect(second.get_by_text("this session stopped before its end")).to_have_count(0)
    page.close()
    second.reload()
    expect(second.get_by_text("this session stopped before its end")).to_be_visible()


def test_out_of_sight_the_session_waits_and_then_goes_on(page: Page, world: World) -> None:
    begin(page)
    wait_for_count(page, 1)
    with page.expect_response(has_piece, timeout=PATIENCE_MS):
        set_visible(page, False)
    set_visible(page, True)
    notice(page, "The coach waited while you could not see this page.")
    wait_for_count(page, counted(page) + 1)
    stop(page)
    press_send(page)
    wait_for_result(page)
    nothing_lost_nothing_doubled(world)


def set_visible(page: Page, visible: bool) -> None:
    """What a browser tells a page whose tab is left or whose phone is locked."""
    page.evaluate(
        """visible => {
            Object.defineProperty(document, "visibilityState", {
                value: visible ? "visible" : "hidden", configurable: true,
            });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        visible,
    )


def test_the_screen_stays_on_for_the_session_and_no_longer(page: Page) -> None:
    page.add_init_script(
        """
        window.screens = [];
        const request = WakeLock.prototype.request;
        WakeLock.prototype.request = async function (kind) {
            const lock = await request.call(this, kind);
            window.screens.push(lock);
            return lock;
        };
        """
    )
    page.reload()
    begin(page)
    page.wait_for_function("() => window.screens.some((lock) => !lock.released)")
    stop(page)
    page.wait_for_function("() => window.screens.every((lock) => lock.released)")


# The camera ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        pytest.param((FAKE,), "The camera is blocked for this page.", id="denied"),
        pytest.param((ALLOWED,), "We found no camera on this device.", id="none"),
    ],
)
def test_without_a_camera_the_patient_is_told_why_and_goes_on_without(
    world: World, flags: tuple[str, ...], words: str
) -> None:
    with chromium(flags) as context:
        page = open_coach(context, world)
        turn_on(page)
        message(page, words)
        accessible(page)
        page.get_by_role("link", name="Do it without the camera").locator("visible=true").click()
        expect(page).to_have_url(re.compile("/guided$"))


def test_a_camera_that_another_app_has_is_told_and_may_be_tried_again(page: Page) -> None:
    # No flag makes Chromium's fake camera busy: the browser's answer is put in its place, once.
    page.evaluate(
        """() => {
            const own = navigator.mediaDevices.getUserMedia;
            navigator.mediaDevices.getUserMedia = async () => {
                navigator.mediaDevices.getUserMedia = own;
                throw new DOMException("Could not start video source", "NotReadableError");
            };
        }"""
    )
    turn_on(page)
    message(page, "Another app may be using the camera. Close that app, then try again.")
    begin(page)


def test_a_camera_that_gives_out_is_turned_on_again_and_the_count_stands(
    world: World, jacks: Path
) -> None:
    with chromium(from_film(jacks)[1:], permissions=["camera"]) as context:
        page = open_coach(context, world)
        begin(page)
        wait_for_count(page, 2)
        forbid_camera(context, page)
        notice(page, "The camera stopped. Your count is kept.")
        again = page.get_by_role("button", name="Turn the camera on again")
        expect(again).to_be_focused()
        accessible(page)
        count = counted(page)
        again.click()
        notice(page, "The camera is blocked for this page.")
        context.grant_permissions(["camera"])
        again.click()
        expect(again).to_be_hidden()
        wait_for_count(page, count + 1)
        stop(page)
        press_send(page)
        wait_for_result(page)
        nothing_lost_nothing_doubled(world)


def forbid_camera(context: BrowserContext, page: Page) -> None:
    """The person takes the permission back in the browser; Chromium ends the camera's track."""
    browser_tab = context.new_cdp_session(page).send("Target.getTargetInfo")["targetInfo"]
    assert context.browser is not None
    context.browser.new_browser_cdp_session().send(
        "Browser.setPermission",
        {
            "permission": {"name": "camera"},
            "setting": "denied",
            "browserContextId": browser_tab["browserContextId"],
        },
    )


# Who is in the picture -----------------------------------------------------------------------


def test_an_empty_room_is_told_and_never_begins(world: World, film_of: FilmOf) -> None:
    with chromium(from_film(film_of("empty", films.empty_room(1)))) as context:
        page = open_coach(context, world)
        turn_on(page)
        check = page.locator("[data-text=check]")
        expect(check).to_have_text(
            "We cannot see you. Step in front of the camera.", timeout=PATIENCE_MS
        )
        begin_sets(page)
        notice(page, "We cannot see you. Your count is kept.")
        assert stop(page) == 0


def test_a_count_waits_for_a_person_who_walked_out(world: World, film_of: FilmOf) -> None:
    film = film_of(
        "walks_out",
        [
            *films.repetitions(2),
            *films.standing(1),
            *films.walking_out(3),
            *films.empty_room(8),
            *films.walking_in(3),
            *films.standing(1),
        ],
    )
    with chromium(from_film(film)) as context:
        page = open_coach(context, world)
        begin(page)
        wait_for_count(page, 1)
        notice(page, "We cannot see you. Your count is kept.")
        count = counted(page)
        notice(page, "We see you again. Go on.")
        assert counted(page) == count
        wait_for_count(page, count + 1)


def test_of_two_people_one_is_counted_and_the_patient_is_told(
    world: World, film_of: FilmOf
) -> None:
    with chromium(from_film(film_of("two", films.two_people(4)))) as context:
        page = open_coach(context, world)
        turn_on(page)
        check = page.locator("[data-text=check]")
        expect(check).to_have_text(
            "Someone else is in the picture. Ask them to step out of view.", timeout=PATIENCE_MS
        )
        begin_sets(page)
        began = film_s(page)
        wait_for_count(page, 3)
        # Slowed, one jump takes 53 of the film's pictures three times.
        jumps = (film_s(page) - began) / (53 * 3 / films.FPS)
        assert counted(page) <= jumps + 1
        stop(page)


def film_s(page: Page) -> float:
    return float(page.evaluate("document.querySelector('video').currentTime"))
