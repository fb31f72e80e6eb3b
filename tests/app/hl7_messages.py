"""HL7 v2 messages of real shapes, about invented people."""

from __future__ import annotations

AUTHORITY = ("PRAIRIE", "2.16.840.1.113883.3.9999.1")
SETTINGS = {
    "inbound": {
        "sending_facilities": ["PRAIRIE"],
        "mrn_authority": list(AUTHORITY),
    }
}


def msh(
    message_type: str,
    control_id: str,
    *,
    facility: str = "PRAIRIE",
    processing_id: str = "P",
    version: str = "2.5.1",
    charset: str = "UNICODE UTF-8",
    accept: str = "",
    application: str = "",
) -> str:
    return (
        f"MSH|^~\\&|EPIC|{facility}|HOMESTRETCH|HOMESTRETCH|20260401120000-0500|SECURITY|"
        f"{message_type}|{control_id}|{processing_id}|{version}|||{accept}|{application}||{charset}"
    )


def pid(
    mrn: str = "SYN-0001",
    *,
    name: str = "Okafor^Ada^B^^Ms.^^L",
    born: str = "19580214",
    sex: str = "F",
    address: str = "7 Oak Street^Apt 2^Springfield^IL^62704^USA^H",
    phone: str = "(217)555-0142^PRN^PH^^^217^5550142",
) -> str:
    identifiers = (
        f"99887^^^OTHER^MR~{mrn}^^^PRAIRIE&2.16.840.1.113883.3.9999.1&ISO^MR~X1^^^PRAIRIE^PI"
    )
    return f"PID|1||{identifiers}||{name}||{born}|{sex}||2106-3|{address}||{phone}||en|M"


PV1 = "PV1|1|O|PT^ROOM 3^^PRAIRIE||||1999999919^Alvarez^Terry^^^^^^NPI||||||||||||V-4711"
ZPI = "ZPI|1|kept as sent|^~more"


def adt(event: str, control_id: str, *segments: str, pid_: str | None = None, **head: str) -> str:
    """An ADT message; `segments` stand behind PV1."""
    lines = [
        msh(f"ADT^{event}^ADT_A01", control_id, **head),
        f"EVN|{event}|20260401115900-0500",
        pid() if pid_ is None else pid_,
        PV1,
        *segments,
    ]
    return "".join(f"{line}\r" for line in lines)


def merge(control_id: str, survivor: str, given_up: str, **person: str) -> str:
    lines = [
        msh("ADT^A40^ADT_A39", control_id),
        "EVN|A40|20260401115900-0500",
        pid(survivor, **person),
        f"MRG|{given_up}^^^PRAIRIE&2.16.840.1.113883.3.9999.1&ISO^MR",
    ]
    return "".join(f"{line}\r" for line in lines)


def siu(
    event: str,
    control_id: str,
    *,
    start: str = "202604101000-0500",
    end: str = "202604101045-0500",
    mrn: str = "SYN-0001",
) -> str:
    lines = [
        msh(f"SIU^{event}^SIU_S12", control_id),
        f"SCH|P-1|APT-1|||||FOLLOWUP^Follow-up||||^^^{start}^{end}",
        pid(mrn),
        "RGS|1|A",
        f"AIS|1|A|PT30^Physical therapy|{start}|||45|min",
        "AIP|1|A|1999999919^Alvarez^Terry^^^^^^NPI",
    ]
    return "".join(f"{line}\r" for line in lines)
