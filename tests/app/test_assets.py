"""The built files: sent in the shortest form that the browser takes, and cached for good."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.assets import ViteAssets

STATIC = Path(__file__).parents[2] / "app/web/static"


def client(folder: Path) -> FlaskClient:
    app = Flask(__name__, static_folder=None)
    app.register_blueprint(ViteAssets(folder).blueprint())
    return app.test_client()


@pytest.fixture
def built(tmp_path: Path) -> FlaskClient:
    (tmp_path / "code.js").write_text("let it = 1;" * 100)
    (tmp_path / "code.js.gz").write_bytes(gzip.compress((tmp_path / "code.js").read_bytes()))
    (tmp_path / "code.js.br").write_bytes(b"brotli")
    (tmp_path / "plain.js").write_text("1")
    return client(tmp_path)


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("", None),
    ],
)
def test_a_file_is_sent_in_the_shortest_form_that_is_taken(
    built: FlaskClient, accepted: str, encoding: str | None
) -> None:
    answer = built.get("/static/code.js", headers={"Accept-Encoding": accepted})
    assert answer.headers.get("Content-Encoding") == encoding
    assert answer.mimetype == "text/javascript"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    if encoding == "gzip":
        assert gzip.decompress(answer.data) == b"let it = 1;" * 100
    if encoding:
        assert answer.headers["X-Uncompressed-Length"] == "1100"


def test_forms_do_not_share_a_tag(built: FlaskClient) -> None:
    tags = {
        built.get("/static/code.js", headers={"Accept-Encoding": each}).headers["ETag"]
        for each in ("br", "gzip", "")
    }
    assert len(tags) == 3


def test_a_file_without_other_forms_is_sent_as_it_is(built: FlaskClient) -> None:
    answer = built.get("/static/plain.js", headers={"Accept-Encoding": "br"})
    assert (answer.data, answer.headers.get("Content-Encoding")) == (b"1", None)


@pytest.mark.parametrize("name", ["none.js", "../assets.py", "..%2f..%2fassets.py"])
def test_nothing_outside_is_sent(built: FlaskClient, name: str) -> None:
    assert built.get(f"/static/{name}", headers={"Accept-Encoding": "br"}).status_code == 404


def test_all_that_the_coach_loads_first_is_at_most_15_mb() -> None:
    names = [path.name for path in (STATIC / "assets").iterdir()]
    parts = [n for n in names if n.endswith((".wasm", ".task", ".js", ".css"))]
    assert any(n.endswith(".wasm") for n in parts)
    assert any(n.endswith(".task") for n in parts)
    sent = sum(
        len(client(STATIC).get(f"/static/assets/{n}", headers={"Accept-Encoding": "br"}).data)
        for n in parts
    )
    assert sent <= 15_000_000
