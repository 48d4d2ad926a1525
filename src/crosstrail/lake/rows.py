"""Audit records to Arrow: the columns of the lake, a batch at a time.

Decides how a value of a record becomes a value of a column. Columns are built one by one over all records of a batch,
because a dictionary a record costs several times more. A batch that holds a value of a wrong type is built again with
every value coerced. Loaded only by what reads log files, so it imports Arrow at the top.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import accumulate
from typing import NamedTuple

import pyarrow as pa

from crosstrail.clouds.shape import principal_of, time_of, username_of
from crosstrail.lake.json_text import compact


class Row(NamedTuple):
    """One event. `micros` is its time in microseconds since 1970, UTC; `shape` has AWS's field names, `json` the whole record."""

    cloud: str
    account: str
    micros: int
    id: str
    shape: Mapping[str, object]
    json: bytes
    resources: list[tuple[str, str]]
    username: str
    source: str


_TEXTS = {
    "eventversion": "eventVersion",
    "eventsource": "eventSource",
    "eventname": "eventName",
    "awsregion": "awsRegion",
    "sourceipaddress": "sourceIPAddress",
    "useragent": "userAgent",
    "errorcode": "errorCode",
    "errormessage": "errorMessage",
    "requestid": "requestID",
    "eventtype": "eventType",
    "apiversion": "apiVersion",
    "recipientaccountid": "recipientAccountId",
    "sharedeventid": "sharedEventID",
    "annotation": "annotation",
    "vpcendpointid": "vpcEndpointId",
    "vpcendpointaccountid": "vpcEndpointAccountId",
    "eventcategory": "eventCategory",
    "sessioncredentialfromconsole": "sessionCredentialFromConsole",
}
_BOOLEANS = {"readonly": "readOnly", "managementevent": "managementEvent"}
_MAPS = {
    "requestparameters": "requestParameters",
    "responseelements": "responseElements",
    "additionaleventdata": "additionalEventData",
    "serviceeventdetails": "serviceEventDetails",
    "addendum": "addendum",
    "edgedevicedetails": "edgeDeviceDetails",
    "insightdetails": "insightDetails",
}
_STRUCTS = {"useridentity": "userIdentity", "tlsdetails": "tlsDetails", "resources": "resources"}
MAP_COLUMNS = frozenset(_MAPS)
FIELD_OF_COLUMN = _TEXTS | _BOOLEANS | _MAPS | _STRUCTS
"""Column -> the field of a record."""
_UTC_MICROS = pa.timestamp("us", "UTC")


def to_table(rows: Sequence[Row], schema: pa.Schema, source_of: Callable[[str], str] = str) -> pa.Table:
    """The rows with all columns of `schema`, in the order given. `source_of`: what is kept of the name of a row's file."""
    originals = [row.json for row in rows]
    try:
        columns = _columns(rows, [row.shape for row in rows], schema)
    except (pa.ArrowException, TypeError, ValueError, AttributeError):
        columns = _columns(rows, [_coerced(row.shape) for row in rows], schema)
    columns["source_object"] = pa.array([source_of(row.source) for row in rows], pa.string())
    columns["eventjson"] = pa.array(originals, pa.string())
    columns["eventjsonchecksum"] = pa.array([hashlib.sha256(text).hexdigest() for text in originals], pa.string())
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)


def _columns(rows: Sequence[Row], shapes: Sequence[Mapping[str, object]], schema: pa.Schema) -> dict[str, pa.Array]:
    columns: dict[str, pa.Array] = {}
    present: set[str] = set()
    for shape in shapes:
        present.update(shape)
    for name, key in FIELD_OF_COLUMN.items():
        kind = schema.field(name).type
        if key in present:
            columns[name] = _column(name, [shape.get(key) for shape in shapes], kind)
        else:
            columns[name] = pa.nulls(len(rows), kind)
    identities = [one if isinstance(one := shape.get("userIdentity"), dict) else {} for shape in shapes]
    usernames = [row.username or username_of(identity) for row, identity in zip(rows, identities, strict=True)]
    made: dict[str, Sequence[object]] = {
        "principal": [
            principal_of(identity) or _kind_of(shape) for identity, shape in zip(identities, shapes, strict=True)
        ],
        "username": usernames,
        "access_key_id": [identity.get("accessKeyId") for identity in identities],
        "eventtime": [row.micros for row in rows],
        "eventid": [row.id for row in rows],
        "cloud": [row.cloud for row in rows],
        "account": [row.account for row in rows],
    }
    columns |= {name: pa.array(values, schema.field(name).type) for name, values in made.items()}
    columns |= _resource_columns([row.resources for row in rows], schema)
    return columns | {name: pa.nulls(len(rows), schema.field(name).type) for name in ("verified", "other_versions")}


def _resource_columns(resources: Sequence[Sequence[tuple[str, str]]], schema: pa.Schema) -> dict[str, pa.Array]:
    """Two lists a row, beside each other, made of all rows' values at once."""
    offsets = pa.array([0, *accumulate(map(len, resources))], pa.int32())
    flat = [one for listed in resources for one in listed]
    return {
        name: pa.ListArray.from_arrays(
            offsets, pa.array([one[place] for one in flat], pa.string()), type=schema.field(name).type
        )
        for place, name in enumerate(("resource_types", "resource_names"))
    }


def _is_federated(identity: Mapping[str, object]) -> bool:
    """Whether it may have the map that `_in_order` puts in order; few have."""
    context = identity.get("sessionContext")
    return isinstance(context, dict) and bool(context.get("webIdFederationData"))


def _in_order(identity: Mapping[str, object]) -> Mapping[str, object]:
    """The identity with its one map's keys in order, as those of map columns are."""
    context = identity.get("sessionContext")
    federation = context.get("webIdFederationData") if isinstance(context, dict) else None
    attributes = federation.get("attributes") if isinstance(federation, dict) else None
    if not isinstance(context, dict) or not isinstance(federation, dict) or not isinstance(attributes, dict):
        return identity
    federation = {**federation, "attributes": dict(sorted(attributes.items()))}
    return {**identity, "sessionContext": {**context, "webIdFederationData": federation}}


def _kind_of(shape: Mapping[str, object]) -> str:
    """insight/ApiErrorRateInsight/End, aggregated/PT5M: these have no caller, and a reader must tell an insight's start from
    its end, and many calls from one."""
    for name, field, keys in (
        ("insight", "insightDetails", ("insightType", "state")),
        ("aggregated", "timeWindow", ("windowSize",)),
    ):
        if isinstance(details := shape.get(field), dict):
            return "/".join([name, *(one for key in keys if isinstance(one := details.get(key), str))])
    return ""


def _column(name: str, values: Sequence[object], kind: pa.DataType) -> pa.Array:
    if name in _MAPS:
        return _map_array(values, kind)
    if name == "useridentity":
        values = [_in_order(value) if isinstance(value, dict) and _is_federated(value) else value for value in values]
    if name in _STRUCTS:
        return _renamed(pa.array(values, _written(name, kind)), kind)
    return pa.array(values, kind)


def _map_array(values: Sequence[object], kind: pa.MapType) -> pa.Array:
    """Maps of text: scalars as text, nested values as compact JSON, NULL for null. What is no object has the key `value`."""
    offsets: list[int | None] = []
    keys: list[str] = []
    items: list[str | bytes | None] = []
    for value in values:
        if value is None:
            offsets.append(None)
            continue
        offsets.append(len(keys))
        if type(value) is not dict:
            value = {"value": value}
        for key in sorted(value):  # maps are the same when their entries are, whatever the order of a record's keys
            item = value[key]
            keys.append(key)
            items.append(item if type(item) is str else _as_text(item))
    offsets.append(len(keys))
    return pa.MapArray.from_arrays(
        pa.array(offsets, pa.int32()), pa.array(keys, pa.string()), pa.array(items, pa.string()), type=kind
    )


def _as_text(value: object) -> str | bytes | None:
    if value is None or type(value) is str:
        return value
    if type(value) is int:
        return str(value)
    try:
        return compact(value)
    except (TypeError, RecursionError):  # nested deeper than can be written: only in JSON that was text inside a record
        return None


IDENTITY_FIELDS = {  # the columns' lower-case names -> as the records write them, where that is not the same
    "principalid": "principalId",
    "accountid": "accountId",
    "accesskeyid": "accessKeyId",
    "username": "userName",
    "sessioncontext": "sessionContext",
    "creationdate": "creationDate",
    "mfaauthenticated": "mfaAuthenticated",
    "sessionissuer": "sessionIssuer",
    "webidfederationdata": "webIdFederationData",
    "federatedprovider": "federatedProvider",
    "sourceidentity": "sourceIdentity",
    "ec2roledelivery": "ec2RoleDelivery",
    "ec2issuedinvpc": "ec2IssuedInVpc",
    "onbehalfof": "onBehalfOf",
    "userid": "userId",
    "identitystorearn": "identityStoreArn",
    "inscopeof": "inScopeOf",
    "sourcearn": "sourceArn",
    "sourceaccount": "sourceAccount",
    "issuertype": "issuerType",
    "credentialsissuedto": "credentialsIssuedTo",
    "invokedby": "invokedBy",
    "identityprovider": "identityProvider",
    "tlsversion": "tlsVersion",
    "ciphersuite": "cipherSuite",
    "clientprovidedhostheader": "clientProvidedHostHeader",
}
RESOURCE_FIELDS = {"accountid": "accountId", "type": "type", "arn": "ARN", "arnprefix": "ARNPrefix"}


@cache
def _written(name: str, kind: pa.DataType) -> pa.DataType:
    return _as_written(kind, RESOURCE_FIELDS if name == "resources" else IDENTITY_FIELDS)


def _as_written(kind: pa.DataType, keys: Mapping[str, str]) -> pa.DataType:
    """The type with field names as records write them and times as text."""
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(keys.get(part.name, part.name), _as_written(part.type, keys)) for part in kind])
    if pa.types.is_list(kind):
        return pa.list_(_as_written(kind.value_type, keys))
    if pa.types.is_map(kind):
        return pa.map_(pa.string(), pa.string())
    return pa.string()


def _renamed(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """The values of `array` under the field names and types of `kind`."""
    if array.type.equals(kind, check_metadata=True):
        return array
    if pa.types.is_struct(kind):
        inner = array.flatten()  # unlike array.field(), it makes the parts of a null struct null
        parts = [_renamed(part, field.type) for part, field in zip(inner, kind, strict=True)]
        return pa.StructArray.from_arrays(parts, fields=list(kind), mask=array.is_null())
    if pa.types.is_list(kind):
        values = _renamed(array.values, kind.value_type)
        return pa.ListArray.from_arrays(array.offsets, values, type=kind, mask=array.is_null())
    if pa.types.is_timestamp(kind):
        return array.cast(_UTC_MICROS).cast(kind)
    return array.cast(kind)


def _coerced(shape: Mapping[str, object]) -> dict[str, object]:
    """The record with every value of the type its column wants, or absent where it cannot be; eventjson still has it."""
    good = dict(shape)
    for key in _TEXTS.values():
        if key in good:
            good[key] = _text(good[key])
    for key in _BOOLEANS.values():
        if type(good.get(key)) is not bool:
            good[key] = {"true": True, "false": False}.get(str(good.get(key)).lower())
    good["userIdentity"] = _coerced_identity(good.get("userIdentity"))
    tls = good.get("tlsDetails")
    good["tlsDetails"] = {key: _text(value) for key, value in tls.items()} if isinstance(tls, dict) else None
    listed = good.get("resources")
    good["resources"] = (
        [{key: _text(value) for key, value in one.items()} for one in listed if isinstance(one, dict)]
        if isinstance(listed, list)
        else None
    )
    return good


_OBJECTS_IN_IDENTITY = frozenset(
    ("sessionContext", "attributes", "sessionIssuer", "webIdFederationData", "onBehalfOf", "inScopeOf")
)


def _coerced_identity(value: object) -> dict[str, object] | None:
    if not isinstance(value, dict):
        return None
    good: dict[str, object] = {}
    for key, inner in value.items():
        if key in _OBJECTS_IN_IDENTITY:
            good[key] = _coerced_identity(inner)
        elif key == "creationDate":
            good[key] = _iso_or_none(inner)
        else:
            good[key] = _text(inner)
    return good


def _iso_or_none(value: object) -> str | None:
    try:
        return time_of(value).isoformat()
    except ValueError:
        return None


def _text(value: object) -> str | None:
    text = _as_text(value)
    return text.decode() if isinstance(text, bytes) else text
