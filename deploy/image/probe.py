"""Runs inside the image, given to its Python as a text: `python - SERVICE...`. Fails where something was cut away that is used.

Decides what "used" is: every module of crosstrail, what it imports on first use, TLS, time zones, the database driver, and the
descriptions of the AWS services that it is given. It writes to /tmp and /data alone.
"""

import contextlib
import importlib
import importlib.util
import pkgutil
import ssl
import subprocess
import sys
import zoneinfo

import botocore.session
from cryptography.fernet import Fernet

import crosstrail

LAKE = importlib.util.find_spec("duckdb") is not None
OF_THE_LAKE = ("crosstrail.lake.", "crosstrail.engines.", "crosstrail.demo.")
OF_ITS_EXTRAS = ("sigma", "prompt_toolkit")
"""Rules and the SQL shell need these, and the lake."""

for module in pkgutil.walk_packages(crosstrail.__path__, "crosstrail."):
    if module.name.endswith("__main__") or (not LAKE and module.name.startswith(OF_THE_LAKE)):
        continue
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        if LAKE or (error.name or "").partition(".")[0] not in OF_ITS_EXTRAS:
            raise
for name in sys.argv[1:]:
    botocore.session.get_session().create_client(name, region_name="us-east-1")
assert ssl.create_default_context().cert_store_stats()["x509_ca"] > 50
assert Fernet(Fernet.generate_key()).encrypt(b"x")
importlib.import_module("key_value.aio.stores.redis")
zoneinfo.ZoneInfo("Asia/Shanghai")
psycopg = importlib.import_module("psycopg")
assert psycopg.pq.__impl__ == "binary"
with contextlib.suppress(psycopg.OperationalError):
    psycopg.connect("host=127.0.0.1 port=1 connect_timeout=2")
if LAKE:
    subprocess.run(["crosstrail", "demo"], check=True, stdout=subprocess.DEVNULL)
    importlib.import_module("pyiceberg.catalog.rest")
print("everything crosstrail uses is there")
