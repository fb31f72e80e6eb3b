"""A service with a filled record, shared by the tests that only read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.app.api.readers import Reader, fill, system_reader, with_readers
from tests.conftest import World, worlds


@pytest.fixture(scope="session")
def record(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two patients with programs and sessions; nobody may change it."""
    with worlds(tmp_path_factory.mktemp("record")) as make:
        world = make(worker=False, ehr=with_readers)
        fill(world)
        yield world


@pytest.fixture
def system(record: World) -> Reader:
    """A client that may read everything, with a token of its own: one lasts five minutes."""
    return system_reader(record)


@pytest.fixture
def own_world(make_world: Callable[..., World]) -> Callable[..., World]:
    """Starts a world of a test's own, with the same clients."""

    def make(**options: object) -> World:
        world: World = make_world(ehr=with_readers, **options)
        return world

    return make
