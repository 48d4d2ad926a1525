"""Write docs/output.schema.json from the columns that commands declare: python tests/write_schemas.py"""

from __future__ import annotations

import json
from pathlib import Path

from crosstrail.cli.row_types import schemas

SCHEMAS = Path(__file__).parents[1] / "docs" / "output.schema.json"


def schema_text() -> str:
    return json.dumps(schemas(), indent=1) + "\n"


if __name__ == "__main__":
    SCHEMAS.write_text(schema_text())
