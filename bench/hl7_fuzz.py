"""Mutations of real HL7 v2 messages against the real listener, over its real socket.

`python -m bench.hl7_fuzz --messages 10000` starts `homestretch hl7-listen` as a process of its own
on a new SQLite file, sends the mutations on a few connections at once, and then holds the database
against what was sent. Every complete frame must be stored and have its answer, every incomplete
one must end its connection, and the listener must answer a good message after each of them. What
is a complete frame is told by a regular expression here, not by the listener's own reader.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import structlog
from sqlalchemy import select

from app.config import Settings
from app.context import Context, open_context
from app.hl7.process import process_waiting
from app.store import Hl7InboundRow, Hl7StrayRow, PatientRow, Tenant
from app.store.upgrade import upgrade
from tests.app.hl7_messages import SETTINGS, ZPI, adt, merge, msh, pid, siu

HOST, TENANT = "127.0.0.1", "fuzz"
ROOT = Path(__file__).parent.parent
MOST_MESSAGE_BYTES, MOST_STRAY_BYTES = 256 * 1024, 1024
_CONNECTIONS, _BATCH = 4, 16

# What one leaves over counts against the stray bytes before the next, which has 1020 at most.
_MOST_LEFT_OVER = 4

_FRAME = re.compile(
    rb"[^\x0b]{0,%d}\x0b([^\x0b\x1c]{0,%d})\x1c\r" % (MOST_STRAY_BYTES, MOST_MESSAGE_BYTES)
)


@dataclass(frozen=True)
class Wire:
    """What is written to a socket: `contents` are its complete frames.

    `is_clean` is whether what is left over after them can't end the connection; else it has one
    of its own.
    """

    kind: str
    data: bytes
    contents: tuple[bytes, ...]
    is_clean: bool


@dataclass
class Report:
    """`failures` is empty when nothing was lost and nothing broke."""

    sent: Counter[str] = field(default_factory=Counter)
    frames: int = 0
    broken: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    strays: int = 0
    seconds: float = 0.0
    process_seconds: float = 0.0
    memory_mb: float = 0.0
    memory_before_mb: float = 0.0
    failures: list[str] = field(default_factory=list)


def shapes() -> list[str]:
    """Messages as they are seen on interfaces; `CTRL` stands for MSH-10."""
    golden = ROOT / "tests"
    written = [
        golden / "app/golden/session-oru.hl7",
        golden / "app/golden/document-mdm.hl7",
        golden / "billing/golden/charges.hl7",
    ]
    return [
        *(adt(event, "CTRL", ZPI) for event in ("A01", "A03", "A04", "A08", "A28", "A31")),
        adt("A08", "CTRL", pid_=pid("SYN-9999")),
        merge("CTRL", "SYN-0001", "SYN-0777"),
        merge("CTRL", "SYN-0888", "SYN-0999"),
        *(siu(event, "CTRL") for event in ("S12", "S13", "S14", "S15", "S26")),
        msh("ACK^A08^ACK", "CTRL") + "\rMSA|AA|X\r",
        *(
            path.read_text("utf-8").replace("\n", "\r").replace("|HS-1|", "|CTRL|")
            for path in written
        ),
    ]


# Mutations of the message ------------------------------------------------------------------------


def _flip(rng: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5, 40))):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _segments(change: Callable[[random.Random, list[bytes]], list[bytes]]) -> Mutation:
    def mutate(rng: random.Random, content: bytes) -> bytes:
        return b"\r".join(change(rng, content.split(b"\r")))

    return mutate


def _drop(rng: random.Random, lines: list[bytes]) -> list[bytes]:
    place = rng.randrange(len(lines))
    return lines[:place] + lines[place + 1 :]


def _double(rng: random.Random, lines: list[bytes]) -> list[bytes]:
    place = rng.randrange(len(lines))
    return lines[: place + 1] + lines[place:]


def _reorder(rng: random.Random, lines: list[bytes]) -> list[bytes]:
    shuffled = lines[rng.randrange(2) :]
    rng.shuffle(shuffled)
    return lines[: len(lines) - len(shuffled)] + shuffled


def _other_delimiters(rng: random.Random, content: bytes) -> bytes:
    old = rng.choice(b"|^~\\&")
    new = rng.choice(b"!@$%*#;:|^~\\&aZ0 \t\n")
    if rng.random() < 0.5:
        return content.replace(bytes([old]), bytes([new]))
    head, _, rest = content.partition(b"\r")
    return head.replace(bytes([old]), bytes([new])) + b"\r" + rest


def _huge(rng: random.Random, content: bytes) -> bytes:
    size = rng.choice((1_000, 20_000, 200_000, 400_000))
    filling = rng.choice((b"x", b"^", b"~", b"\\T\\", b"|", b"\r", b"\xc3\x91", b"NTE|1\r"))
    place = rng.randrange(len(content))
    return content[:place] + filling * (size // len(filling)) + content[place:]


def _other_letters(rng: random.Random, content: bytes) -> bytes:
    text = content.decode("utf-8", "replace").replace("Ada", "Añá日")
    declared = rng.choice(("ASCII", "8859/1", "8859/15", "UNICODE UTF-8", "UNICODE UTF-16", ""))
    codec = rng.choice(("utf-8", "iso-8859-1", "utf-16-le", "utf-16", "utf-7", "cp037"))
    return text.replace("UNICODE UTF-8", declared).encode(codec, "replace")


def _cut_short(rng: random.Random, content: bytes) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _insert(rng: random.Random, content: bytes) -> bytes:
    place = rng.randrange(len(content) + 1)
    junk = rng.choice(
        (rng.randbytes(rng.randrange(1, 40)), b'""', b"\x00", b"\\", b"\r\r\r", b"&^|")
    )
    return content[:place] + junk + content[place:]


def _field_swap(rng: random.Random, content: bytes) -> bytes:
    fields = content.split(b"|")
    a, b = rng.randrange(len(fields)), rng.randrange(len(fields))
    fields[a], fields[b] = fields[b], fields[a]
    return b"|".join(fields)


def _other_ends(rng: random.Random, content: bytes) -> bytes:
    return content.replace(b"\r", rng.choice((b"\n", b"\r\n", b"", b"\n\r")))


Mutation = Callable[[random.Random, bytes], bytes]

_OF_THE_MESSAGE: dict[str, Mutation] = {
    "bytes flipped": _flip,
    "segment dropped": _segments(_drop),
    "segment doubled": _segments(_double),
    "segments reordered": _segments(_reorder),
    "other delimiters": _other_delimiters,
    "huge field": _huge,
    "other letters": _other_letters,
    "cut short": _cut_short,
    "junk inserted": _insert,
    "fields swapped": _field_swap,
    "other line ends": _other_ends,
    "untouched": lambda _rng, content: content,
}


# Mutations of the frame --------------------------------------------------------------------------


def _nested(rng: random.Random, content: bytes) -> bytes:
    place = rng.randrange(len(content) + 1)
    return b"\x0b" + content[:place] + b"\x0b" + content + b"\x1c\r" + content[place:] + b"\x1c\r"


def _cut_frame(rng: random.Random, content: bytes) -> bytes:
    whole = b"\x0b" + content + b"\x1c\r"
    return whole + whole[: rng.randrange(1, len(whole))]


def _fs_inside(rng: random.Random, content: bytes) -> bytes:
    place = rng.randrange(len(content))
    return b"\x0b" + content[:place] + b"\x1c" + content[place:] + b"\x1c\r"


def _stray(rng: random.Random, content: bytes) -> bytes:
    junk = rng.randbytes(rng.choice((1, 30, 900, 1020, 1025, 5000))).replace(b"\x0b", b"\x0c")
    return junk + b"\x0b" + content + b"\x1c\r" + b"\n" * rng.randrange(3)


def _double_end(rng: random.Random, content: bytes) -> bytes:
    return b"\x0b" + content + b"\x1c\r\x1c\r" + b"\x0b" + content + b"\x1c\r"


_OF_THE_FRAME: dict[str, Mutation] = {
    "nested frame": _nested,
    "cut frame": _cut_frame,
    "FS inside": _fs_inside,
    "stray bytes": _stray,
    "double end": _double_end,
}


def make_wire(rng: random.Random, number: int, bases: list[str]) -> Wire:
    content = rng.choice(bases).replace("CTRL", f"F-{number}").encode()
    kind = rng.choice([*_OF_THE_MESSAGE] * 2 + [*_OF_THE_FRAME])
    if kind in _OF_THE_FRAME:
        data = _OF_THE_FRAME[kind](rng, content)
    else:
        data = b"\x0b" + _OF_THE_MESSAGE[kind](rng, content) + b"\x1c\r"
    contents, position = [], 0
    while found := _FRAME.match(data, position):
        contents.append(found[1])
        position = found.end()
    left = data[position:]
    is_clean = b"\x0b" not in left and len(left) <= _MOST_LEFT_OVER
    return Wire(kind, data, tuple(contents), is_clean)


# Sending -----------------------------------------------------------------------------------------


class Sender:
    """One connection that is used again and again, and probes after every batch."""

    def __init__(self, port: int, name: str) -> None:
        self._port = port
        self._name = name
        self._probes = 0
        self._connection = self._connect()
        self._received = b""
        self.failures: list[str] = []
        self.batches: list[tuple[list[bytes], int]] = []

    def send(self, wires: list[Wire]) -> None:
        clean = [wire for wire in wires if wire.is_clean]
        self._probes += 1
        probe = f"{self._name}-{self._probes}"
        good = adt("A03", probe, pid_=pid("SYN-9999"))
        data = b"".join(wire.data for wire in clean) + b"\x0b" + good.encode() + b"\x1c\r"
        writer = threading.Thread(target=self._connection.sendall, args=(data,))
        writer.start()
        answers = self._answers_until(probe)
        writer.join()
        sent = [content for wire in clean for content in wire.contents]
        if answers is None:
            kinds = ", ".join(wire.kind for wire in clean)
            self.failures.append(f"no answer to a good message after: {kinds}")
            self._connection = self._connect()
        else:
            self.batches.append((sent, answers))
        for wire in wires:
            if not wire.is_clean:
                self._send_alone(wire)

    def close(self) -> None:
        self._connection.close()

    def _connect(self) -> socket.socket:
        self._received = b""
        return socket.create_connection((HOST, self._port), timeout=20)

    def _answers_until(self, probe: str) -> int | None:
        """How many answers came before the probe's; None where its own never came."""
        count = 0
        while True:
            answer, separator, rest = self._received.partition(b"\x1c\r")
            if separator:
                self._received = rest
                if f"|{probe}".encode() in answer.split(b"\rMSA|")[1].split(b"\r")[0]:
                    return count
                count += 1
                continue
            try:
                chunk = self._connection.recv(65536)
            except OSError:
                return None
            if not chunk:
                return None
            self._received += chunk

    def _send_alone(self, wire: Wire) -> None:
        """What breaks a rule ends its own connection, after the answers to what came before."""
        received = b""
        with socket.create_connection((HOST, self._port), timeout=20) as connection:
            try:
                connection.sendall(wire.data)
                connection.shutdown(socket.SHUT_WR)
                while chunk := connection.recv(65536):
                    received += chunk
            except TimeoutError:
                self.failures.append(f"the connection stayed open after: {wire.kind}")
            except OSError:
                # Cut with bytes of ours unread: the answers on their way may be lost with it.
                self.batches.append((list(wire.contents), -1))
                return
        self.batches.append((list(wire.contents), received.count(b"\x1c\r")))


def fuzz(messages: int, seed: int, data_dir: Path) -> Report:
    """Sends `messages` mutations and holds the database against them."""
    context = _prepared(data_dir)
    report = Report()
    rng, bases = random.Random(seed), shapes()
    wires = [make_wire(rng, number, bases) for number in range(messages)]
    report.sent.update(wire.kind for wire in wires)
    report.frames = sum(len(wire.contents) for wire in wires)
    report.broken = sum(not wire.is_clean for wire in wires)
    listener, port = _start_listener(data_dir)
    try:
        senders = [Sender(port, f"PROBE{number}") for number in range(_CONNECTIONS)]
        report.memory_before_mb = _peak_memory_mb(listener.pid)
        began = time.monotonic()
        threads = [
            threading.Thread(target=_work, args=(sender, wires[number::_CONNECTIONS]))
            for number, sender in enumerate(senders)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        report.seconds = time.monotonic() - began
        report.memory_mb = _peak_memory_mb(listener.pid)
        for sender in senders:
            report.failures += sender.failures
            sender.close()
    finally:
        listener.send_signal(signal.SIGTERM)
        exit_code = listener.wait(timeout=30)
    if exit_code != 0:
        report.failures.append(f"the listener ended with {exit_code}")
    _reconcile(context, report, [batch for sender in senders for batch in sender.batches])
    _act(context, report)
    context.database.engine.dispose()
    return report


def _work(sender: Sender, wires: list[Wire]) -> None:
    for start in range(0, len(wires), _BATCH):
        sender.send(wires[start : start + _BATCH])


def _reconcile(context: Context, report: Report, batches: list[tuple[list[bytes], int]]) -> None:
    """Every frame is stored, and had an answer unless the rules of HL7 say that none is due."""
    with context.database.begin(TENANT) as db:
        rows = db.execute(select(Hl7InboundRow.sha256, Hl7InboundRow.answer, Hl7InboundRow.content))
        stored = {sha256: (answer, content) for sha256, answer, content in rows}
        strays = db.execute(select(Hl7StrayRow.sha256, Hl7StrayRow.answer, Hl7StrayRow.content))
        for sha256, answer, content in strays:
            stored[sha256] = (answer, content)
            report.strays += 1
    for contents, answers in batches:
        due = 0
        for content in contents:
            answer, kept = stored.get(hashlib.sha256(content).hexdigest(), (None, None))
            if kept != content:
                report.failures.append(f"lost: a frame of {len(content)} bytes")
            report.answers[answer or "none due"] += 1
            due += answer is not None
        if answers not in (due, -1):
            report.failures.append(f"{answers} answers to {due} frames")


def _act(context: Context, report: Report) -> None:
    began = time.monotonic()
    process_waiting(context, TENANT)
    report.process_seconds = time.monotonic() - began
    with context.database.begin(TENANT) as db:
        for state, reason in db.execute(select(Hl7InboundRow.state, Hl7InboundRow.reason)):
            report.states[state] += 1
            if state == "waiting" or (reason or "").startswith("our error"):
                report.failures.append(f"{state}: {reason}")


def _prepared(data_dir: Path) -> Context:
    context = open_context(Settings(data_dir=data_dir))
    upgrade(context.database.engine)
    with context.database.begin(None) as db:
        db.add(
            Tenant(
                id=TENANT,
                name="Fuzz",
                iss="https://fuzz.example/fhir",
                clinician_client_id="a",
                portal_client_id="b",
                backend_client_id="c",
                time_zone="America/Chicago",
                hl7=SETTINGS,
            )
        )
    with context.database.begin(TENANT) as db:
        db.add(
            PatientRow(
                fhir_id="ada",
                name="Ada Okafor",
                birth_date=date(1958, 2, 14),
                time_zone="America/Chicago",
                demographics={
                    "family": "Okafor",
                    "given": "Ada",
                    "birth_date": "1958-02-14",
                    "mrn": "SYN-0001",
                },
                billing={},
                seen_at=datetime(2026, 1, 1, tzinfo=UTC),
            )
        )
    return context


def _start_listener(data_dir: Path) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "app.cli", "hl7-listen", "--port", "0"),
            *("--messages-per-s", "1000000", "--max-message-bytes", str(MOST_MESSAGE_BYTES)),
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "HOMESTRETCH_DATA_DIR": str(data_dir),
            "HOMESTRETCH_DATABASE_URL": "",
            "HOMESTRETCH_BROKER_URL": "memory://",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.readline()
    found = re.search(r":(\d+)", said)
    if found is None:
        process.kill()
        raise RuntimeError("the listener did not start")
    return process, int(found[1])


def _peak_memory_mb(pid_: int) -> float:
    """The most that the process ever held, by the kernel."""
    status = Path(f"/proc/{pid_}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return 0.0 if found is None else int(found[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="Where the database goes; in memory: /dev/shm.")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        report = fuzz(options.messages, options.seed, Path(folder))
    print(f"{options.messages} mutations, seed {options.seed}")
    print(f"frames complete {report.frames}, broken by rule {report.broken}")
    print(f"kinds    {json.dumps(dict(report.sent.most_common()))}")
    print(f"answers  {json.dumps(dict(report.answers.most_common()))}")
    print(f"states   {json.dumps(dict(report.states.most_common()))}, strays {report.strays}")
    print(
        f"received in {report.seconds:.1f} s ({report.frames / report.seconds:.0f} a second), "
        f"acted on in {report.process_seconds:.1f} s"
    )
    print(f"listener's peak memory {report.memory_before_mb:.0f} -> {report.memory_mb:.0f} MB")
    print(f"failures {len(report.failures)}")
    for failure, count in Counter(report.failures).most_common(20):
        print(f"  {count} x {failure}")
    sys.exit(1 if report.failures else 0)


if __name__ == "__main__":
    main()
