"""Makes the table of docs/clinical/protocols.md anew: `python -m rtm.protocols [FILE]`."""

import sys
from pathlib import Path

from rtm.protocols import load_protocols
from rtm.protocols.page import with_table

page = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/clinical/protocols.md")
page.write_text(with_table(page.read_text("utf-8"), load_protocols()), "utf-8")
print(f"{page}: {len(load_protocols())} protocols")
