"""Writes docs/fhir/package again: `python -m fhir.guide [FOLDER]`."""

import shutil
import sys
from pathlib import Path

from fhir.guide.package import package_files

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/fhir/package")
if folder.exists():
    shutil.rmtree(folder)
for path, content in package_files().items():
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(content, "utf-8")
print(f"{folder}: {sum(1 for _ in folder.rglob('*.json'))} files")
