"""What patients read, as the sources and the pages have it: for the tests that hold it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po
from jinja2 import Environment, nodes

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "app" / "templates"
SCRIPTS = ROOT / "app" / "web" / "src"
SPANISH = ROOT / "app" / "translations" / "es" / "LC_MESSAGES" / "messages.po"

TRANSLATING = {"_", "_l", "gettext", "lazy_gettext", "ngettext", "lazy_ngettext", "ungettext"}

# Attributes that people read or hear.
READ_ATTRIBUTES = {"alt", "aria-label", "aria-description", "label", "placeholder", "title"}
# No text of these is read.
_UNREAD = {"script", "style"}
_EMPTY = {"area", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
# Its own name is the same in every language.
BRAND = "Homestretch"

# Parts of shared templates that no patient sees, and what is no text but an attribute.
_NOT_FOR_PATIENTS = {"patient_banner", "program_table", "body_class"}


@dataclass(frozen=True)
class Marked:
    """One marked text and where it stands; `plural` is empty where it has none."""

    place: str
    singular: str
    plural: str

    @property
    def file(self) -> str:
        return self.place.rpartition(":")[0]


def marked_texts() -> list[Marked]:
    """As `make words` extracts them."""
    with (ROOT / "babel.cfg").open() as mapping:
        methods, options = parse_mapping_cfg(mapping)
    found = []
    for top in ("app", "rtm"):
        for name, line, message, _comments, _context in extract_from_dir(
            ROOT / top,
            [(pattern.removeprefix(f"{top}/"), method) for pattern, method in methods],
            {pattern.removeprefix(f"{top}/"): each for pattern, each in options.items()},
            {**DEFAULT_KEYWORDS, "_l": None},
            directory_filter=lambda path: "node_modules" not in str(path),
        ):
            singular, plural = (message, "") if isinstance(message, str) else message[:2]
            found.append(Marked(f"{top}/{name}:{line}", singular, plural))
    return found


def spanish() -> Catalog:
    with SPANISH.open("rb") as file:
        return read_po(file, locale="es")


def forms(message: Message) -> Sequence[str]:
    """The translations of a message: one, or one for each plural form."""
    return [message.string] if isinstance(message.string, str) else list(message.string)


def portal_templates() -> list[Path]:
    """What is rendered for patients: the portal's own, and all that they extend or import."""
    environment = Environment(extensions=["jinja2.ext.i18n"])
    waiting = [
        *sorted((TEMPLATES / "portal").rglob("*.html")),
        *(TEMPLATES / name for name in ("error.html", "signed_out.html", "way_out.html")),
    ]
    found: list[Path] = []
    while waiting:
        path = waiting.pop(0)
        if path in found:
            continue
        found.append(path)
        tree = environment.parse(path.read_text("utf-8"))
        for node in tree.find_all((nodes.Extends, nodes.Import, nodes.FromImport, nodes.Include)):
            for name in node.find_all(nodes.Const):
                if not str(name.value).startswith(("base_office", "base_clinician")):
                    waiting.append(TEMPLATES / name.value)
    return found


def unmarked_in_template(path: Path) -> list[str]:
    """Texts of a template that are not inside `_()`: of every branch, rendered or not."""
    source = path.read_text("utf-8")
    tree = Environment(extensions=["jinja2.ext.i18n"]).parse(source)
    html: list[str] = []
    found = list(_words_in_code(tree, html))
    reader = TextReader()
    reader.feed("".join(html))
    found += [text.replace("\0", "…") for text in reader.texts if _has_words(text)]
    return found


def _words_in_code(node: nodes.Node, html: list[str]) -> Iterator[str]:
    """Collects the template's own HTML, with a \\0 for each expression; yields unmarked strings."""
    if isinstance(node, nodes.TemplateData):
        html.append(node.data)
        return
    if isinstance(node, nodes.Call) and getattr(node.node, "name", None) in TRANSLATING:
        html.append("\0")
        return
    if isinstance(node, (nodes.Extends, nodes.Import, nodes.FromImport, nodes.Include)):
        return
    if isinstance(node, nodes.Compare) or getattr(node, "name", None) in _NOT_FOR_PATIENTS:
        return
    if isinstance(node, nodes.Const):
        if isinstance(node.value, str) and looks_like_words(node.value):
            yield node.value
        return
    if isinstance(node, nodes.Output):
        for child in node.nodes:
            if not isinstance(child, nodes.TemplateData):
                html.append("\0")
            yield from _words_in_code(child, html)
        return
    for child in node.iter_child_nodes():
        yield from _words_in_code(child, html)


def looks_like_words(text: str) -> bool:
    """Rather a text for people than an id, a CSS class, an address or a date pattern."""
    if text == BRAND or "/" in text or "{" in text:
        return False
    return bool(re.search(r"[A-Za-z]{2,}\W* \W*[A-Za-z]|^[A-Z][a-z]+", text))


def _has_words(text: str) -> bool:
    return bool(re.search(r"[^\W\d_]{2,}", text.replace(BRAND, "").replace("&nbsp;", "")))


class TextReader(HTMLParser):
    """Collects what people read of a page: texts and attributes.

    Left out are scripts, elements with `translate="no"` and those in a language of their own.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[str] = []
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        foreign = "lang" in values and tag != "html"
        if self._silent or tag in _UNREAD or values.get("translate") == "no" or foreign:
            if tag not in _EMPTY:
                self._silent.append(tag)
            return
        for name, value in values.items():
            said = name in READ_ATTRIBUTES or (
                tag == "input" and name == "value" and _is_button(values)
            )
            if said or (name.startswith("data-") and re.match(r"[A-Z¿¡][a-z]", value)):
                self.texts.append(value)

    def handle_endtag(self, tag: str) -> None:
        if self._silent and tag == self._silent[-1]:
            self._silent.pop()

    def handle_data(self, data: str) -> None:
        if not self._silent and data.strip():
            self.texts.append(" ".join(data.split()))


def _is_button(values: dict[str, str]) -> bool:
    return values.get("type") in ("submit", "button", "reset")


def unmarked_in_python(path: Path) -> list[str]:
    """`line: text` of what is said to patients by a string that is not inside `_()`."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and _tells(node):
            told = [*node.args, *(each.value for each in node.keywords if each.arg == "message")]
            for argument in told:
                text = _literal(argument)
                if text is not None and looks_like_words(text):
                    found.append(f"{argument.lineno}: {text}")
    return found


def _tells(call: ast.Call) -> bool:
    """Whether the call shows its texts to a person: an error, a flash, a field, a validator."""
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    return name in {"abort", "flash", "error_page", "_refused", "SelectChoice"} or name.endswith(
        ("Refused", "Conflict", "Field", "Required", "Range", "Length", "ValidationError")
    )


def _literal(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
        )
    return None


def portal_scripts() -> list[Path]:
    """The scripts of the patients' pages, and all that they import of ours."""
    waiting = [SCRIPTS / "portal.ts", SCRIPTS / "live.ts"]
    found: list[Path] = []
    while waiting:
        path = waiting.pop(0)
        if path in found:
            continue
        found.append(path)
        for name in re.findall(r'from "(\.[^"?]+)"|new URL\("(\.[^"]+)\.ts"', path.read_text()):
            imported = (path.parent / f"{name[0] or name[1]}.ts").resolve()
            if imported.exists():
                waiting.append(imported)
    return found


def unmarked_in_script(path: Path) -> list[str]:
    """`line: text` of strings of a script that look like a text for people."""
    found = []
    source = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), path.read_text(), flags=re.S)
    for number, line in enumerate(source.splitlines(), start=1):
        code = re.sub(r"(?<!:)//.*", "", line)
        if re.search(r"new \w*Error\(|console\.|^import |querySelector|[hH]eader|\.find<", code):
            continue
        for quoted in re.findall(r'"([^"\n]*)"|`([^`\n]*)`', code):
            text = re.sub(r"\$\{[^}]*\}", "…", quoted[0] or quoted[1])
            if re.search(r"^…?\W*[A-Z][a-z]+( [a-z]|\W*$)|[a-z]{2,} [a-z]{2,}.* ", text):
                found.append(f"{number}: {text}")
    return found


def keys_in_scripts() -> dict[str, str]:
    """The keys of `words()` and `plural()` in all scripts, with the file that has it."""
    keys = {}
    for path in sorted(SCRIPTS.rglob("*.ts")):
        source = path.read_text()
        for call in re.findall(r"\b(?:words|plural)\(\s*([^;]*?\")\s*[,)]", source):
            for key in re.findall(r'"([a-z_]+\.[a-z_]+)"', call):
                keys[key] = str(path.relative_to(ROOT))
    return keys
