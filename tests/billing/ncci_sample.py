"""NCCI files in CMS's layout. Every row is invented: no edit or limit in them is CMS's."""

from __future__ import annotations

from collections.abc import Sequence

# As in the real files: copyright, a title, a header over four lines, rows.
PTP_HEADER = (
    "CPT only copyright 2026 American Medical Association.  All rights reserved.\t\t\t\t\t\t",
    "Column1/Column2 Edits\t\t\t\t\t\t",
    "Column 1\tColumn 2\t*=in existence\tEffective\tDeletion\tModifier\tPTP Edit Rationale",
    "\t\tprior to 1996\tDate\tDate\t0=not allowed\t",
    "\t\t\t\t*=no data\t1=allowed\t",
    "\t\t\t\t\t9=not applicable\t",
)
MUE_HEADER = (
    '"CPT codes, descriptions and other data only are copyright 2026 American Medical\n'
    'Association. CPT® is a registered trademark.\n",,,\n'
    '"HCPCS/\nCPT Code",Practitioner Services MUE Values,MUE Adjudication Indicator,MUE Rationale'
)
PtpCells = tuple[str, str, str, str, str, str, str]

# Invented pairs: with RTM on either side, within the families, far from them, deleted, never valid.
PTP_ROWS: tuple[PtpCells, ...] = (
    ("00001", "00002", "*", "19960101", "*", "0", "Invented"),
    ("00003", "98980", "", "20260101", "*", "1", "Invented"),
    ("98977", "98980", "", "20260101", "20261115", "0", "Invented"),
    ("98980", "98979", "", "20261116", "*", "1", "Invented"),
    ("98975", "00009", "", "20200101", "20251231", "0", "Invented"),
    ("98975", "98977", "", "20260401", "20260401", "9", "Invented"),
    ("99454", "98975", "", "20261001", "*", "0", "Invented"),
    ("99457", "99458", "", "20261001", "*", "1", "Invented"),
    ("99457", "00001", "", "20261001", "*", "1", "Invented"),
    ("G0001", "G0002", "", "20261001", "*", "1", "Invented"),
)
MUE_ROWS: tuple[tuple[str, str, str, str], ...] = (
    ("0001U", "1", "2 Date of Service Edit: Policy", "Invented"),
    ("98975", "1", "2 Date of Service Edit: Policy", "Invented"),
    ("98981", "3", "3 Date of Service Edit: Clinical", "Invented: Data"),
    ("98980", "2", "1 Line Edit", "Invented"),
    ("99454", "1", "2 Date of Service Edit: Policy", "Invented"),
    ("G0001", "0", "3 Date of Service Edit: Clinical", "Invented"),
)


def ptp_text(rows: Sequence[PtpCells] = PTP_ROWS) -> bytes:
    """A part of the PTP table: tab-separated, lines end as on Windows."""
    lines = [*PTP_HEADER, *("\t".join(row) for row in rows)]
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


def ptp_csv(rows: Sequence[PtpCells] = PTP_ROWS) -> bytes:
    """The same saved as CSV, its header on one line."""
    header = (
        "Column 1,Column 2,*=In existence prior to 1996,Effective Date,Deletion Date *=no data,"
        '"Modifier 0=not allowed 1=allowed 9=not applicable",PTP Edit Rationale'
    )
    lines = ["CPT only copyright 2026,,,,,,", header, *(",".join(row) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def mue_csv(
    rows: Sequence[tuple[str, str, str, str]] = MUE_ROWS, header: str = MUE_HEADER
) -> bytes:
    lines = [header, *(",".join(f'"{cell}"' for cell in row) for row in rows)]
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")
