"""A message there and back, reminders, and the installed portal, in real Chromium."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app.demo.browser import wait_for
from tests.app.mail_server import MailServer, receiving
from tests.conftest import World
from tests.e2e.test_walk import (  # noqa: F401  # chromium, page: fixtures
    STORY,
    accessible,
    chromium,
    page,
    picture,
    sign_in_at_ehr,
    with_history,
)


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with receiving() as server:
        yield server


@pytest.fixture
def world(make_world: Callable[..., World], mail: MailServer) -> World:
    """Where e-mail and push are set up, and text messages are not."""
    return make_world(
        smtp_host="127.0.0.1",
        smtp_port=mail.port,
        smtp_security="none",
        mail_from="rtm@example.org",
        push_contact="it@example.org",
    )


@pytest.fixture
def phone(chromium: Browser) -> Iterator[BrowserContext]:  # noqa: F811
    context = chromium.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    context.set_default_timeout(20_000)
    yield context
    context.close()


def sign_in(world: World, phone: BrowserContext) -> Page:
    tab = phone.new_page()
    tab.goto(f"{world.places.app}/portal")
    tab.get_by_role("link", name="Prairie Rehab Clinic").click()
    sign_in_at_ehr(tab, "Samuel Brandt")
    expect(tab.get_by_role("heading", name="Hello, Samuel")).to_be_visible()
    return tab


def fits_and_is_accessible(tab: Page) -> None:
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    accessible(tab)
    small = tab.eval_on_selector_all(
        "main a.button, main button, nav a, main input, main select, main summary",
        "all => all.filter(e => e.offsetParent && e.type !== 'checkbox')"
        ".filter(e => e.getBoundingClientRect().height < 44).map(e => e.outerHTML)",
    )
    assert small == []


def test_a_message_goes_there_and_back(
    world: World,
    phone: BrowserContext,
    page: Page,  # noqa: F811
) -> None:
    with_history(world)
    tab = sign_in(world, phone)
    tab.get_by_role("link", name="Messages").click()
    expect(tab.get_by_text("Not for emergencies.")).to_be_visible()
    fits_and_is_accessible(tab)
    tab.get_by_role("link", name="Write a message").click()
    fits_and_is_accessible(tab)
    tab.get_by_role("button", name="Send").click()
    expect(tab.get_by_text("Please write your message first.")).to_be_visible()
    fits_and_is_accessible(tab)
    tab.get_by_label("What is it about?").fill("My shoulder")
    tab.get_by_label("Your message").fill("It hurts at night.\n" + "x" * 300)
    tab.get_by_role("button", name="Send").dblclick()
    expect(tab.get_by_text("Your message was sent.")).to_be_visible()
    fits_and_is_accessible(tab)
    picture(tab, "messages-phone")

    page.goto(world.places.ehr)
    page.get_by_label("Patient").select_option(value=STORY.patient)
    page.get_by_role("button", name="Open in this window").click()
    expect(page.get_by_text("1 new from the patient")).to_be_visible()
    accessible(page)
    page.get_by_role("link", name="Messages with the patient").click()
    accessible(page)
    page.get_by_role("link", name="My shoulder").click()
    expect(page.get_by_text("It hurts at night.")).to_be_visible()
    page.mouse.move(200, 200)
    expect(page.get_by_role("timer")).not_to_have_text("0:00")
    page.get_by_label("Message", exact=True).fill("Dear Samuel,")
    page.get_by_label("Begin with a text that you use often").select_option("please_call")
    page.get_by_role("button", name="Insert").click()
    expect(page.get_by_label("Message", exact=True)).to_have_value(
        re.compile(r"Dear Samuel,\n\nHello,\nI would like to talk")
    )
    accessible(page)
    picture(page, "messages-chart")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("The message was sent.")).to_be_visible()

    tab.get_by_role("link", name="Today").click()
    expect(tab.get_by_role("link", name="Messages (1 new)")).to_be_visible()
    tab.get_by_role("link", name="Messages (1 new)").click()
    tab.get_by_role("link", name="My shoulder").click()
    expect(tab.get_by_text("Please call our office when it suits you.")).to_be_visible()
    expect(tab.get_by_text("Your care team opened this.")).to_be_visible()
    fits_and_is_accessible(tab)


def test_reminders_are_turned_on_by_keyboard_alone_and_stopped_from_the_email(
    world: World, phone: BrowserContext, mail: MailServer
) -> None:
    with_history(world)
    tab = sign_in(world, phone)
    tab.get_by_role("link", name="Settings").click()
    tab.get_by_role("link", name="Choose my reminders").click()
    expect(tab.get_by_text("Your clinic has not set this up.")).to_be_visible()
    fits_and_is_accessible(tab)
    tab.get_by_label("Your e-mail address").focus()
    tab.keyboard.type("samuel@example.org")
    tab.keyboard.press("Enter")
    expect(tab.get_by_text("We sent 6 numbers to samuel@example.org.")).to_be_visible()
    fits_and_is_accessible(tab)
    code = re.search(r"\d{6}", mail.messages[-1].get_content())
    assert code is not None
    tab.get_by_label("The 6 numbers that we sent you").focus()
    tab.keyboard.type(code[0])
    tab.keyboard.press("Enter")
    expect(tab.get_by_text("Reminders are on.")).to_be_visible()
    fits_and_is_accessible(tab)
    picture(tab, "reminders-phone")
    tab.get_by_label("Remind me of my exercises at").select_option(value="0")
    tab.get_by_label("Send nothing from").select_option(value="3")
    tab.get_by_label("until").select_option(value="3")
    tab.get_by_role("button", name="Save").click()
    expect(tab.get_by_text("Saved.")).to_be_visible()
    wait_for("the reminder", lambda: len(mail.messages) == 2, 30)
    assert "Your exercises for today are waiting for you." in mail.messages[1].get_content()
    elsewhere = phone.browser.new_page()  # type: ignore[union-attr]  # it is in one
    elsewhere.goto(mail.messages[1]["List-Unsubscribe"].strip("<>"))
    accessible(elsewhere)
    elsewhere.get_by_role("button", name="Stop reminders").click()
    expect(elsewhere.get_by_text("We send no more reminders to this address.")).to_be_visible()
    elsewhere.close()
    tab.reload()
    expect(tab.get_by_text("On: samuel@example.org")).to_have_count(0)


def test_the_portal_installs_and_says_so_when_there_is_no_connection(
    world: World, phone: BrowserContext
) -> None:
    with_history(world)
    tab = sign_in(world, phone)
    tab.evaluate("navigator.serviceWorker.ready.then(() => true)")
    devtools = phone.new_cdp_session(tab)
    found = devtools.send("Page.getAppManifest")
    assert found["errors"] == []
    manifest = json.loads(found["data"])
    assert manifest["name"] == "Homestretch"
    errors = devtools.send("Page.getInstallabilityErrors")["installabilityErrors"]
    # A private window, as tests have, never offers to install.
    assert [e["errorId"] for e in errors if e["errorId"] != "in-incognito"] == []
    keep_a_session(tab)
    phone.set_offline(True)
    tab.goto(f"{world.places.app}/portal/messages")
    expect(tab.get_by_role("heading", name="You are not online")).to_be_visible()
    expect(tab.locator("body")).to_have_css("background-color", "rgb(238, 243, 245)")
    fits_and_is_accessible(tab)
    picture(tab, "offline-phone")
    assert kept_urls(tab) == ["/portal/offline"]
    phone.set_offline(False)
    tab.get_by_role("link", name="Try again").first.click()
    expect(tab.get_by_role("heading", name="Hello, Samuel")).to_be_visible()
    expect(tab.get_by_role("heading", name="Broken off before")).to_be_visible()


def keep_a_session(tab: Page) -> None:
    """As the coach leaves one that was broken off, in the store that the page has opened."""
    # Opened before the page has, the store would be made here, without its tables.
    tab.wait_for_function(
        """async () => (await indexedDB.databases())
          .some(({ name, version }) => name === "homestretch-sessions" && version > 0)"""
    )
    tab.evaluate(
        """async () => {
          const opened = indexedDB.open("homestretch-sessions");
          await new Promise((done) => { opened.onsuccess = done; });
          const writing = opened.result.transaction("reports", "readwrite");
          writing.objectStore("reports").put({
            sessionId: crypto.randomUUID(),
            address: "/portal/live/x",
            name: "Broken off before",
            report: {
              exercise_id: "shoulder_abduction", started_at: new Date().toISOString(),
              pain_before: 3, pain_after: null, counted: 5, pieces: 1,
            },
          });
          await new Promise((done) => { writing.oncomplete = done; });
          opened.result.close();
        }"""
    )


def kept_urls(tab: Page) -> Any:
    """The pages that are kept on the device."""
    return tab.evaluate(
        """async () => {
          const urls = [];
          for (const name of await caches.keys())
            for (const request of await (await caches.open(name)).keys())
              urls.push(new URL(request.url).pathname);
          return urls.filter((url) => !url.endsWith(".css"));
        }"""
    )


def test_a_push_is_shown_with_its_few_words(world: World, phone: BrowserContext) -> None:
    phone.grant_permissions(["notifications"], origin=world.places.app)
    tab = phone.new_page()
    tab.goto(f"{world.places.app}/portal")
    tab.evaluate("navigator.serviceWorker.ready.then(() => true)")
    devtools = phone.new_cdp_session(tab)
    versions: list[dict[str, Any]] = []
    devtools.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: versions.extend(event["registrations"]),
    )
    devtools.send("ServiceWorker.enable")
    tab.wait_for_timeout(500)
    assert versions
    sent = {"body": "You have a new message.", "tag": "message", "url": "/portal/messages"}
    for _ in range(2):
        devtools.send(
            "ServiceWorker.deliverPushMessage",
            {
                "origin": world.places.app,
                "registrationId": versions[0]["registrationId"],
                "data": json.dumps(sent),
            },
        )
    tab.wait_for_timeout(500)
    shown = tab.evaluate(
        """async () => {
          const worker = await navigator.serviceWorker.getRegistration("/portal");
          return (await worker.getNotifications()).map((n) => [n.title, n.body, n.data.url]);
        }"""
    )
    assert shown == [["Homestretch", "You have a new message.", "/portal/messages"]]
