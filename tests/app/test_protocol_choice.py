"""Choosing a protocol: the phase's own precautions are shown, and a surgeon's variant is there."""

from __future__ import annotations

from collections.abc import Callable

import requests

from app.demo import walk
from app.demo.browser import Browser
from tests.conftest import World

VARIANT = """
id: cuff_of_dr_vale
of: rotator_cuff_repair
title: {en: "Rotator cuff repair, Dr. Vale", es: "Reparación del manguito, Dra. Vale"}
author: Dr. Imogen Vale
reason: Large tears keep the sling for six weeks in this practice.
phases:
  weeks_2_6: remove
"""


def chart(world: World) -> Browser:
    browser = Browser()
    form = {"patient": "rosa-delgado", "practitioner": walk.THERAPIST}
    browser.post(f"{world.places.ehr}/launch", form)
    return browser


def page(world: World, path: str) -> requests.Response:
    return chart(world).get(f"{world.places.app}/chart/prescribe{path}")


def test_the_precautions_of_the_phase_are_shown_where_it_is_prescribed(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False)
    protected = page(world, "/rotator_cuff_repair/weeks_2_6").text
    assert "No lifting with this arm." in protected
    assert "Do not lift the arm by itself." in protected
    # A line's note is written to the patient, whose language is Spanish.
    assert "Deje que la mesa cargue el brazo." in protected
    later = page(world, "/rotator_cuff_repair/weeks_12_20").text
    assert "No lifting with this arm." in later
    assert "Do not lift the arm by itself." not in later


def test_a_variant_of_this_deployment_can_be_chosen_with_its_author_and_reason(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False)
    folder = world.context.settings.protocols_dir
    folder.mkdir()
    (folder / "cuff_of_dr_vale.yaml").write_text(VARIANT, "utf-8")
    choice = page(world, "").text
    assert "Variant by Dr. Imogen Vale: Large tears keep the sling" in choice
    assert "/chart/prescribe/cuff_of_dr_vale/weeks_6_12" in choice
    assert "/chart/prescribe/cuff_of_dr_vale/weeks_2_6" not in choice
    assert "Rotator cuff repair, Dr. Vale" in page(world, "/cuff_of_dr_vale/weeks_0_2").text
