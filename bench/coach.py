"""How much of the browser's own pose inference the live coach leaves, and what it loads.

    python -m bench.coach [--rounds 12] [--seconds 3]

Chromium shows a film of a real person to the session's own page. In turns of a few seconds the page
works as for a patient (every picture through the worker, then drawn, measured, counted, recorded
and sent), or bare: the same worker with the same model gets the next picture of the same video the
moment it has done with the one before, made ready meanwhile, and what it finds is thrown away.
Turns alternate, so that a busy machine slows both alike; the ratio is of each pair of turns. The
camera gives 60 pictures a second, twice the usual: a machine that it limits still is told of.

Bytes are those of the answers' bodies, counted at the server; the browser has a cache on disk.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from playwright.sync_api import BrowserContext, Page, sync_playwright

from tests.conftest import worlds
from tests.e2e.coach import PATIENCE_MS, begin_sets, from_film, open_coach, turn_on
from tests.e2e.films import repetitions, write_raw_film
from tests.e2e.test_walk import CHROMIUM

MB = 1_000_000
FIRST_LOAD_AIM_MB = 15
RATIO_AIM = 0.9
# Of the camera: twice the usual, so that it does not limit the coach where there are two cores.
FPS = 60
# What a visit downloads of these is the coach itself.
HEAVY = (".wasm", ".task")

# Between the page and its worker: counts frames, and in bare turns keeps them from the page and
# gives the worker the next picture at once.
GAUGE = """
(() => {
    const Own = window.Worker;
    const gauge = { bare: false, frames: 0, failure: null };
    window.gauge = gauge;
    const picture = async () => {
        const tMs = performance.now();
        const bitmap = await createImageBitmap(document.querySelector("video"));
        return { kind: "picture", bitmap, tMs };
    };
    let ready = null;
    const feed = (worker) => {
        const hand = (message) => {
            worker.postMessage(message, [message.bitmap]);
            ready = picture();
        };
        (ready ?? picture()).then(hand);
    };
    window.Worker = class extends Own {
        set onmessage(hear) {
            super.onmessage = (event) => {
                if (event.data.kind === "failed") gauge.failure = event.data.why;
                if (event.data.kind !== "frame") return hear(event);
                gauge.frames += 1;
                if (gauge.bare) return feed(this);
                ready = null;
                hear(event);
            };
        }
    };
})();
"""

# Frames per second of one turn; the first half second is the change of turns.
TURN = """
async ([bare, seconds]) => {
    const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    gauge.bare = bare;
    await wait(500);
    const [frames, began] = [gauge.frames, performance.now()];
    await wait(1000 * seconds);
    return (gauge.frames - frames) / ((performance.now() - began) / 1000);
}
"""


class Sent:
    """Bytes of the bodies that the server sent, counted below the application."""

    def __init__(self, app: Flask) -> None:
        self._below = app.wsgi_app
        self.all = self.heavy = 0
        app.wsgi_app = self._count  # type: ignore[method-assign]

    def _count(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        heavy = environ["PATH_INFO"].endswith(HEAVY)
        for chunk in self._below(environ, start_response):
            self.all += len(chunk)
            self.heavy += len(chunk) if heavy else 0
            yield chunk

    def take(self) -> tuple[float, float]:
        """All of it and the heavy part since the last time, in MB."""
        taken = self.all / MB, self.heavy / MB
        self.all = self.heavy = 0
        return taken


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=12, help="pairs of turns (default 12)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of a turn (default 3)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, worlds(Path(folder)) as make:
        film = write_raw_film(Path(folder) / "film.y4m", repetitions(2, slowed=12), FPS)
        world = make()
        sent = Sent(world.app)
        with _browser(film, Path(folder) / "profile") as context:
            page = open_coach(context, world)
            page.add_init_script(GAUGE)
            _loads(page, sent)
            _speed(page, arguments.rounds, arguments.seconds)


@contextmanager
def _browser(film: Path, profile: Path) -> Iterator[BrowserContext]:
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=CHROMIUM, args=["--no-sandbox", *from_film(film)]
        )
        yield context
        context.close()


def _loads(page: Page, sent: Sent) -> None:
    """Up to the camera check, the first time (from signing in on) and again."""
    loads = []
    for _ in range(2):
        page.reload()
        turn_on(page)
        page.get_by_role("button", name="I am ready").wait_for(timeout=PATIENCE_MS)
        loads.append(sent.take())
    (first, first_heavy), (second, second_heavy) = loads
    print(
        f"first load            {first:6.2f} MB, of it model and WASM {first_heavy:.2f}"
        f" (aim ≤ {FIRST_LOAD_AIM_MB} in all)"
    )
    print(
        f"second load           {second:6.2f} MB, of it model and WASM {second_heavy:.2f} (aim 0)"
    )


def _speed(page: Page, rounds: int, seconds: float) -> None:
    begin_sets(page)
    bare, coach = [], []
    for turn in range(rounds):
        # Which goes first alternates too.
        for is_bare in (turn % 2 == 0, turn % 2 == 1):
            rate = float(page.evaluate(TURN, [is_bare, seconds]))
            if not rate:
                raise SystemExit(f"No frame in turn {turn}: {page.evaluate('gauge.failure')}")
            (bare if is_bare else coach).append(rate)
    ratios = [whole / alone for whole, alone in zip(coach, bare, strict=True)]
    cores = len(os.sched_getaffinity(0))
    print(f"bare pose inference   {statistics.median(bare):6.1f} frames/s ({_spread(bare)})")
    print(f"live coach            {statistics.median(coach):6.1f} frames/s ({_spread(coach)})")
    print(
        f"coach ÷ bare          {statistics.median(ratios):6.2f} on {cores} cores"
        f" (median of {rounds}; {_spread(ratios, 2)}; aim ≥ {RATIO_AIM})"
    )
    if statistics.median(coach) >= 0.97 * FPS:
        print(f"                      the camera's {FPS} pictures a second limit the coach here")


def _spread(values: Sequence[float], digits: int = 1) -> str:
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}"


if __name__ == "__main__":
    main()
