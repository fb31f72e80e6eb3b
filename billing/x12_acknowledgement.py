"""What comes back before money does: TA1, 999 (005010X231A1) and 277CA (005010X214).

TA1 answers the envelope, 999 the structure of each transaction set, 277CA each claim. All three
name our own numbers: ISA13, GS06 and ST02, CLM01.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from pyx12.segment import Segment

from billing.answer_codes import in_words, status_category
from billing.x12_reader import InvalidX12, TransactionSet, before, blocks, day, needed, value

# 277 is also the answer to a status inquiry (005010X212).
_CLAIM_ACKNOWLEDGMENT = "005010X214"


@dataclass(frozen=True)
class InterchangeAnswer:
    """TA1 on our interchange `control_number` (ISA13, as an integer)."""

    control_number: int
    accepted: bool
    reasons: tuple[str, ...]
    on: date


@dataclass(frozen=True)
class TransactionAnswer:
    """One AK2 of a 999: our set `control_number` in group `group_number` (GS06, an integer).

    `reasons` are faults in words; `claims` the claim ids that the receiver names for them.
    `control_number` None answers the whole group.
    """

    group_number: int
    control_number: str | None
    accepted: bool
    reasons: tuple[str, ...]
    claims: tuple[str, ...]
    on: date


@dataclass(frozen=True)
class LineAnswer:
    """A 277CA status of one line; `line_id` is our REF*6R (here as REF*FJ), None where
    it does not come back."""

    line_id: str | None
    rejected: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class ClaimAnswer:
    """A 277CA status of one claim, matched by its trace number (TRN02 = CLM01).

    `reference` is the sender's own number of the whole answer (BHT03).
    """

    claim_id: str
    payer_claim_number: str | None
    rejected: bool
    reasons: tuple[str, ...]
    lines: tuple[LineAnswer, ...]
    on: date
    reference: str


def read_ta1(segment: Segment, on: date) -> InterchangeAnswer:
    """`on` is the date of the interchange that carries it. Raises InvalidX12."""
    code = needed(segment, "04")
    if code not in ("A", "E", "R"):
        raise InvalidX12(f"TA104: {code!r} is not A, E or R")
    note = value(segment, "05")
    reasons = () if note in ("", "000") else (in_words("interchange_notes", note),)
    return InterchangeAnswer(_number(segment, "01"), code != "R", reasons, on)


def read_999(answer: TransactionSet) -> tuple[TransactionAnswer, ...]:
    """One answer a transaction set, or one for the group where none is named.

    Raises:
        InvalidX12: AK1 or IK5 is missing, or a number can't be read.
    """
    if not answer.segments or answer.segments[0].get_seg_id() != "AK1":
        raise InvalidX12("a 999 begins with AK1")
    group_number = _number(answer.segments[0], "02")
    found: list[TransactionAnswer] = []
    segments: list[Segment] = []
    for segment in answer.segments[1:]:
        name = segment.get_seg_id()
        if name == "AK2":
            segments = [segment]
        elif name == "IK5":
            found.append(_transaction(group_number, [*segments, segment], answer.created))
        elif name == "AK9":
            return tuple(found) or (_group(group_number, segment, answer.created),)
        else:
            segments.append(segment)
    raise InvalidX12("a 999 ends with AK9")


def read_277ca(answer: TransactionSet) -> tuple[ClaimAnswer, ...]:
    """Every claim that the file answers.

    Totals of providers and receivers (loops 2200B and 2200C) are not claims and left out.

    Raises:
        InvalidX12: not a claim acknowledgment, a claim has no trace number, or an element can't
            be read.
    """
    if not answer.version.startswith(_CLAIM_ACKNOWLEDGMENT):
        raise InvalidX12(f"a 277 of {answer.version or 'no version'} is no claim acknowledgment")
    bht = next((s for s in answer.segments if s.get_seg_id() == "BHT"), None)
    if bht is None:
        raise InvalidX12("a 277CA begins with BHT")
    reference = needed(bht, "03")
    found: list[ClaimAnswer] = []
    level = ""
    block: list[Segment] = []
    for segment in answer.segments:
        name = segment.get_seg_id()
        # A claim's block begins at its trace: several may stand below one patient level.
        if name == "HL" or (name == "TRN" and level == "PT"):
            found += _claim(block, answer.created, reference)
            level, block = (value(segment, "03"), []) if name == "HL" else (level, [segment])
        elif block:
            block.append(segment)
    return (*found, *_claim(block, answer.created, reference))


def _transaction(group_number: int, segments: Sequence[Segment], on: date) -> TransactionAnswer:
    head, *middle, last = segments
    code = needed(last, "01")
    notes = [value(last, f"{place:02d}") for place in range(2, 7)]
    return TransactionAnswer(
        group_number=group_number,
        control_number=needed(head, "02"),
        accepted=code in ("A", "E"),
        reasons=(
            *_faults(middle),
            *(in_words("transaction_faults", note) for note in notes if note),
        ),
        claims=tuple(
            value(s, "01-2") for s in middle if value(s, "01-1") == "CLM01" and value(s, "01-2")
        ),
        on=on,
    )


def _group(group_number: int, ak9: Segment, on: date) -> TransactionAnswer:
    notes = [value(ak9, f"{place:02d}") for place in range(5, 10)]
    return TransactionAnswer(
        group_number=group_number,
        control_number=None,
        accepted=needed(ak9, "01") in ("A", "E"),
        reasons=tuple(in_words("group_faults", note) for note in notes if note),
        claims=(),
        on=on,
    )


def _faults(segments: Sequence[Segment]) -> Iterator[str]:
    """IK3 and IK4 in words: which segment, where, which element, and what is wrong with it."""
    place = ""
    for segment in segments:
        name = segment.get_seg_id()
        if name == "IK3":
            loop = value(segment, "03")
            place = f"segment {value(segment, '02')}, {in_words('segments', value(segment, '01'))}"
            place += f", loop {loop}" if loop else ""
            fault = value(segment, "04")
            # 8 only announces the elements that follow.
            if fault != "8":
                yield f"{place}: {in_words('segment_faults', fault)}"
        elif name == "IK4":
            component = value(segment, "01-2")
            element = f"element {value(segment, '01-1')}" + (
                f", component {component}" if component else ""
            )
            bad = value(segment, "04")
            copy = f" ({bad!r})" if bad else ""
            yield f"{place}, {element}{copy}: {in_words('element_faults', value(segment, '03'))}"


def _claim(block: Sequence[Segment], on: date, reference: str) -> Iterator[ClaimAnswer]:
    if not block:
        return
    trace, *rest = block
    own = before(rest, "SVC")
    statuses = [s for s in own if s.get_seg_id() == "STC"]
    if not statuses:
        raise InvalidX12(f"claim {value(trace, '02')} has no status (STC)")
    yield ClaimAnswer(
        claim_id=needed(trace, "02"),
        payer_claim_number=_reference(own, "1K"),
        rejected=any(_rejects(s) for s in statuses),
        reasons=tuple(words for s in statuses for words in _status(s)),
        lines=tuple(_line(part) for part in blocks(rest, "SVC")),
        on=_effective(statuses[0], on),
        reference=reference,
    )


def _line(segments: Sequence[Segment]) -> LineAnswer:
    statuses = [s for s in segments if s.get_seg_id() == "STC"]
    return LineAnswer(
        line_id=_reference(segments, "FJ", "6R"),
        rejected=any(_rejects(s) for s in statuses),
        reasons=tuple(words for s in statuses for words in _status(s)),
    )


def _status(stc: Segment) -> Iterator[str]:
    """STC01, STC10 and STC11 in words, with the payer's own message (STC12)."""
    for place in ("01", "10", "11"):
        if category := value(stc, f"{place}-1"):
            entity = value(stc, f"{place}-3")
            whose = f", {in_words('entities', entity)}" if entity else ""
            status = in_words("statuses", value(stc, f"{place}-2"))
            yield f"{status_category(category)[0]}: {status}{whose}"
    if message := value(stc, "12"):
        yield message


def _rejects(stc: Segment) -> bool:
    """By the category of each status. Raises InvalidX12 for one that we can't tell about."""
    codes = [code for place in ("01", "10", "11") if (code := value(stc, f"{place}-1"))]
    answers = [status_category(code)[1] for code in codes]
    if not codes or None in answers:
        raise InvalidX12(f"STC: the categories {', '.join(codes) or 'none'} are not known")
    return any(answers)


def _effective(stc: Segment, created: date) -> date:
    return day(stc, "02") if value(stc, "02") else created


def _reference(segments: Sequence[Segment], *qualifiers: str) -> str | None:
    for segment in segments:
        if segment.get_seg_id() == "REF" and value(segment, "01") in qualifiers:
            return value(segment, "02") or None
    return None


def _number(segment: Segment, place: str) -> int:
    text = needed(segment, place)
    if not text.isdecimal():
        raise InvalidX12(f"{segment.get_seg_id()}{place}: {text!r} is not a control number")
    return int(text)
