"""Cutting HL7 v2: frames, segments, fields, escapes, times, character sets."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hl7apy.parser import parse_message
from hypothesis import given, settings
from hypothesis import strategies as st

from app.hl7.er7 import Delimiters, NotEr7, cut, escape, read_day, read_instant, unescape
from app.hl7.framing import FrameReader, FramingBroken, framed
from app.hl7.header import decode, read_header
from tests.app.hl7_messages import ZPI, adt, siu

CHICAGO = ZoneInfo("America/Chicago")
UNUSUAL = Delimiters("!", "@", "$", "%", "*")


def read_frames(chunks: list[bytes], most: int = 1000, stray: int = 16) -> list[bytes]:
    reader = FrameReader(most, stray)
    return [frame for chunk in chunks for frame in reader.feed(chunk)]


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(places)]


# Frames ------------------------------------------------------------------------------------------

contents = st.binary(max_size=60).map(lambda data: data.replace(b"\x0b", b"").replace(b"\x1c", b""))


@given(messages=st.lists(contents, max_size=5), cuts=st.lists(st.integers(0, 400), max_size=8))
def test_frames_come_out_whole_however_they_are_cut(messages: list[bytes], cuts: list[int]) -> None:
    data = b"\n".join(framed(message) for message in messages)
    assert read_frames(pieces(data, cuts)) == messages


@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300), max_size=6))
def test_any_bytes_are_frames_or_break_a_rule_and_cuts_make_no_difference(
    data: bytes, cuts: list[int]
) -> None:
    def outcome(chunks: list[bytes]) -> tuple[list[bytes], str | None]:
        reader, frames = FrameReader(100, 16), []
        try:
            for chunk in chunks:
                for frame in reader.feed(chunk):
                    frames.append(frame)
        except FramingBroken as broken:
            return frames, str(broken)
        return frames, None

    whole = outcome([data])
    in_pieces = outcome(pieces(data, cuts))
    assert whole[0] == in_pieces[0]
    assert (whole[1] is None) == (in_pieces[1] is None)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"\x0bMSH\x0bMSH", "inside a frame"),
        (b"\x0bMSH\x1cPID", "not followed by CR"),
        (b"\x0b" + b"x" * 1001, "more than 1000 bytes"),
        (b"GET / HTTP/1.1\r\n\r\n", "16 bytes outside"),
    ],
    ids=["nested", "no CR", "endless", "stray"],
)
def test_what_breaks_the_framing_is_named(data: bytes, rule: str) -> None:
    with pytest.raises(FramingBroken, match=rule):
        read_frames([data])


def test_the_frames_before_a_fault_are_not_lost() -> None:
    frames = FrameReader(1000, 16).feed(framed(b"one") + framed(b"two") + b"\x0b\x0b")
    assert [next(frames), next(frames)] == [b"one", b"two"]
    with pytest.raises(FramingBroken):
        next(frames)


def test_stray_bytes_are_counted_anew_after_each_frame() -> None:
    assert len(read_frames([(b"\n" * 10 + framed(b"x")) * 5])) == 5


@pytest.mark.parametrize("content", [b"a\x0bb", b"a\x1cb"])
def test_a_message_with_a_frame_byte_is_not_framed(content: bytes) -> None:
    with pytest.raises(ValueError, match="frame byte"):
        framed(content)


# Segments ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"], ids=["CR", "LF", "CRLF"])
def test_every_usual_end_of_segments_is_understood(end: str) -> None:
    message = cut(adt("A08", "1").replace("\r", end))
    assert [segment.name for segment in message.segments] == ["MSH", "EVN", "PID", "PV1"]
    assert message.segments[3].value(19) == "V-4711"


def test_a_line_feed_inside_a_field_of_a_message_with_cr_is_text() -> None:
    message = cut(adt("A08", "1", "NTE|1||first\nsecond"))
    assert message.segments[-1].value(3) == "first\nsecond"


def test_unknown_segments_are_kept() -> None:
    assert cut(adt("A08", "1", ZPI)).segments[-1].text == ZPI


def test_fields_count_as_the_standard_counts_them() -> None:
    message = cut(adt("A08", "CTRL-9"))
    msh, pid = message.segments[0], message.segments[2]
    assert (msh.field(1), msh.field(2), msh.value(3), msh.value(10)) == (
        "|",
        "^~\\&",
        "EPIC",
        "CTRL-9",
    )
    assert pid.field(99) == ""
    assert [found.component(1) for found in pid.repetitions(3)] == ["99887", "SYN-0001", "X1"]
    assert pid.repetitions(3)[1].subcomponents(4) == (
        "PRAIRIE",
        "2.16.840.1.113883.3.9999.1",
        "ISO",
    )
    assert pid.repetitions(3)[1].component(9) == ""


def test_the_delimiters_are_those_that_the_message_declares() -> None:
    text = adt("A08", "1", ZPI)
    for usual, other in zip("|^~\\&", "!@$%*", strict=True):
        text = text.replace(usual, other)
    assert cut(text).segments[2].value(5, 2) == "Ada"
    assert read_header(text.encode()).delimiters == UNUSUAL


def test_delimiters_left_out_of_msh_2_are_not_used() -> None:
    message = cut("MSH|^|A|B\rPID|||1^2~3\\F\\&4\r")
    assert message.segments[1].repetitions(3)[0].component(2) == "2~3\\F\\&4"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "begin with MSH"),
        ("PID|1\r", "begin with MSH"),
        ("MSH", "delimiters"),
        ("MSHA^~\\&|x\r", "delimiters"),
        ("MSH|^^\\&|x\r", "delimiters"),
        ("MSH|^~\\&|x\rPID\x00|1\r", "control"),
        ("MSH|^~\\&|x\rnonsense\r", "line 2"),
        ("MSH|^~\\&|x\rPIDX|1\r", "line 2"),
        ("MSH|^~\\&|x\rPID|1\rMSH|^~\\&|y\r", "line 3"),
    ],
)
def test_what_is_no_message_says_why(text: str, why: str) -> None:
    with pytest.raises(NotEr7, match=why):
        cut(text)


@given(st.text(max_size=200))
def test_any_text_is_cut_or_refused(text: str) -> None:
    for candidate in (text, "MSH|^~\\&|" + text):
        try:
            for segment in cut(candidate).segments:
                for number in range(12):
                    for found in segment.repetitions(number):
                        found.subcomponents(1)
        except NotEr7:
            pass


words = st.text(
    alphabet=st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_characters="\x7f"),
    max_size=30,
)


@given(text=words, marks=st.sampled_from([Delimiters(), UNUSUAL]))
def test_what_was_escaped_comes_back(text: str, marks: Delimiters) -> None:
    escaped = escape(text, marks)
    assert unescape(escaped, marks) == text
    assert not {marks.field, marks.component, marks.repetition, marks.subcomponent} & set(escaped)


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (r"a\T\b\F\c", "a&b|c"),
        (r"1\.br\2", "1\n2"),
        (r"\X41\\X42\ ", "AB "),
        ("\\X0D\\PID", "\\X0D\\PID"),  # a line end may not come in by the back door
        (r"\H\bold\N\ ", "bold "),
        (r"C:\dir\file", r"C:\dir\file"),
        ("\\", "\\"),
        (r"\Zxy\\F\ ", r"\Zxy\| "),
    ],
)
def test_escape_sequences(sent: str, meant: str) -> None:
    assert unescape(sent) == meant


@settings(max_examples=40, deadline=None)
@given(values=st.lists(words.map(str.strip).filter(bool), min_size=1, max_size=4))
def test_we_and_hl7apy_read_the_same_fields(values: list[str]) -> None:
    field = "^".join(escape(value) for value in values)
    text = adt("A08", "1", pid_=f"PID|1||S1^^^P^MR||{field}||19580214|F")
    ours = cut(text).segments[2].field(5)
    theirs = parse_message(text, find_groups=False).pid.pid_5.to_er7()
    assert ours.rstrip("^") == theirs.rstrip("^")


# Times -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("202604101000", datetime(2026, 4, 10, 15, 0, tzinfo=UTC)),
        ("20260410100030.25+0200", datetime(2026, 4, 10, 8, 0, 30, tzinfo=UTC)),
        ("202601101000", datetime(2026, 1, 10, 16, 0, tzinfo=UTC)),
    ],
)
def test_an_instant_without_offset_is_in_the_practices_zone(text: str, instant: datetime) -> None:
    assert read_instant(text, CHICAGO) == instant


@pytest.mark.parametrize(
    "text", ["", "2026", "20260410", "20261301", "2026-04-10", "202604102560", "000101010000+2400"]
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_instant(text, CHICAGO)


def test_a_day_is_read_from_a_date_or_a_timestamp() -> None:
    assert read_day("19580214") == read_day("195802141200") == date(1958, 2, 14)
    with pytest.raises(ValueError, match="full HL7 date"):
        read_day("195802")


@given(st.text(alphabet="0123456789+-.²٣", max_size=24))
def test_no_timestamp_breaks_the_reader(text: str) -> None:
    for read in (read_day, lambda text: read_instant(text, CHICAGO)):
        with suppress(ValueError):
            read(text)


# Character sets ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("charset", "codec"),
    [("UNICODE UTF-8", "utf-8"), ("8859/1", "iso-8859-1"), ("8859/15", "iso-8859-15")],
)
def test_names_are_read_in_the_character_set_of_msh_18(charset: str, codec: str) -> None:
    raw = adt("A08", "1", charset=charset).replace("Okafor", "Ñandú").encode(codec)
    header = read_header(raw)
    assert header.charset == charset
    assert cut(decode(raw, charset)).segments[2].value(5) == "Ñandú"


@pytest.mark.parametrize(("charset", "raw"), [("ASCII", b"\xd1"), ("UNICODE UTF-8", b"\xd1 ")])
def test_bytes_of_another_character_set_are_told(charset: str, raw: bytes) -> None:
    with pytest.raises(NotEr7, match=f"not {charset}"):
        decode(raw, charset)


def test_a_byte_order_mark_is_passed_over() -> None:
    raw = b"\xef\xbb\xbf" + siu("S12", "1").encode()
    assert read_header(raw).message_type == "SIU^S12"
    assert cut(decode(raw, "UNICODE UTF-8")).segments[0].name == "MSH"
