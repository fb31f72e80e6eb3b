"""The table of the protocols in docs/clinical/protocols.md, from the data."""

from __future__ import annotations

from collections.abc import Iterable

from rtm.protocols.definition import Criterion, Phase, Protocol, Source

BEGIN, END = "<!-- protocols: begin -->", "<!-- protocols: end -->"
_SIGNS = {"at_least": "≥", "at_most": "≤"}
_UNITS = {"deg": "°", "score": "", "percent": " %", "weeks": " weeks", "repetitions": ""}
_READ = {
    "full_text": "full text",
    "excerpt": "excerpt read",
    "abstract": "abstract read",
    "recalled": "recalled",
}


def with_table(page: str, protocols: Iterable[Protocol]) -> str:
    """`page` with the table between its two marks made anew. Raises ValueError without them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks {BEGIN} or {END}")
    return f"{before}{BEGIN}\n{table(protocols)}\n{END}{after}"


def table(protocols: Iterable[Protocol]) -> str:
    """A row a protocol: its phases with what leads out of each, and its sources."""
    rows = ["| protocol | phases, and what leads out of each | sources |", "|---|---|---|"]
    for protocol in protocols:
        phases = "<br>".join(_phase(phase) for phase in protocol.phases)
        sources = "<br>".join(_source(source) for source in protocol.sources)
        rows.append(
            f"| **{protocol.title['en']}** `{protocol.id}` pain limit {protocol.pain.limit} "
            f"| {phases} | {sources} |"
        )
    return "\n".join(rows)


def _phase(phase: Phase) -> str:
    criteria = ", ".join(map(_criterion, phase.exit_criteria))
    return f"*{phase.title['en']}* ({phase.weeks} weeks): {criteria}"


def _criterion(criterion: Criterion) -> str:
    name = criterion.key.replace(":", " of ").replace("_", " ")
    unit = _UNITS[criterion.unit]
    return f"{name} {_SIGNS[criterion.comparison]} {criterion.value:g}{unit}"


def _source(source: Source) -> str:
    title = f"[{source.title}]({source.url})" if source.url else source.title
    year = f", {source.year}" if source.year else ""
    return (
        f"{title}. {source.body}{year}. {source.citation}. {source.section} ({_READ[source.read]})"
    )
