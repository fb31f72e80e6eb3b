"""Small answers of a payer to one claim: 277CA and 835, as files."""

from __future__ import annotations

from datetime import date
from itertools import count

_numbers = count(1000)


def _enveloped(kind: str, function: str, version: str, on: date, body: list[str]) -> bytes:
    number = next(_numbers)
    segments = [
        f"ISA*00*{'':10}*00*{'':10}*ZZ*CLEARHOUSE     *ZZ*PRAIRIEREHAB   "
        f"*{on:%y%m%d}*0900*^*00501*{number:09d}*0*T*:",
        f"GS*{function}*CLEARHOUSE*PRAIRIEREHAB*{on:%Y%m%d}*0900*{number}*X*{version}",
        f"ST*{kind}*0001*{version}",
        *(segment.replace("NUMBER", str(number)) for segment in body),
        f"SE*{len(body) + 2}*0001",
        f"GE*1*{number}",
        f"IEA*1*{number:09d}",
    ]
    return "".join(f"{segment}~\n" for segment in segments).encode()


def claim_answer(claim_id: str, on: date, *, number: str | None, accepted: bool = True) -> bytes:
    """A 277CA: accepted into adjudication under the payer's `number`, or rejected."""
    body = [
        f"BHT*0085*08*CA-NUMBER*{on:%Y%m%d}*0900*TH",
        "HL*1**20*1",
        "NM1*PR*2*SAMPLE MEDICARE MAC*****PI*00000",
        "HL*2*1*PT",
        f"TRN*2*{claim_id}",
        f"STC*{'A2:20:PR' if accepted else 'A7:562:82'}*{on:%Y%m%d}*WQ*115.9",
    ]
    if number is not None:
        body.append(f"REF*1K*{number}")
    return _enveloped("277", "HN", "005010X214", on, body)


def remittance(
    claim_id: str,
    on: date,
    *,
    number: str | None,
    charge: str,
    paid: str,
    status: str = "1",
    adjustments: str = "",
    remarks: str = "",
) -> bytes:
    """An 835 for one claim as a whole; `adjustments` is a CAS, `remarks` an MOA segment."""
    body = [
        f"BPR*I*{paid}*C*CHK************{on:%Y%m%d}",
        "TRN*1*EFT-NUMBER*1123456789",
        "N1*PR*SAMPLE MEDICARE MAC",
        "N1*PE*PRAIRIE REHAB CLINIC*XX*1999999901",
        "LX*1",
        f"CLP*{claim_id}*{status}*{charge}*{paid}*0*MB*{number or ''}",
        *([adjustments] if adjustments else []),
        *([remarks] if remarks else []),
    ]
    return _enveloped("835", "HP", "005010X221A1", on, body)
