"""Removes from an image's environment what crosstrail never opens: `python3 prune.py ENVIRONMENT`, at build time only.

Decides which parts of libraries those are: descriptions of AWS services that are never called, parts of Arrow that the
lake does not use, headers, and other libraries' own tests. `make image-test` runs the server on what is left.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

_AWS_SERVICES = {
    "athena", "bedrock-agentcore-control", "cloudtrail", "ec2", "ecr", "glue", "organizations", "rds", "s3",
    "secretsmanager", "signin", "sso", "sso-oidc", "sts",
}  # fmt: skip
_UNUSED = (
    "pyarrow/include", "pyarrow/src", "pyarrow/tests", "pyarrow/_pyarrow_cpp_tests*", "pyarrow/*.py[xd]",
    "pyarrow/libarrow_flight.so*", "pyarrow/_flight*", "pyarrow/libarrow_python_flight.so*",
    "pyarrow/libarrow_python*.so", "pyarrow/libarrow_python*.so.*.*.*", "sqlalchemy/testing",
    "zstandard/_cffi*", "hive_metastore",
)  # fmt: skip


def prune(environment: Path) -> None:
    """`environment` is a virtual environment."""
    [packages] = environment.glob("lib/python3*/site-packages")
    for service in (packages / "botocore" / "data").iterdir():
        if service.is_dir() and service.name not in _AWS_SERVICES:
            shutil.rmtree(service)
    for pattern in _UNUSED:
        for path in packages.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


if __name__ == "__main__":
    prune(Path(sys.argv[1]))
