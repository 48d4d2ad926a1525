"""Maps compared as Trino compares them: by what they hold, whatever the order of their keys.

DuckDB compares a map as the list it is held in. So what is grouped, made distinct, partitioned or put into a set operation
is written with sorted keys; types without a map inside stay as they are and cost nothing. It never decides what may be
compared.
"""

from __future__ import annotations

from dataclasses import replace

from crosstrail.engines.sql.expr import Expr
from crosstrail.engines.sql.types import Type, duck


def holds_map(kind: Type) -> bool:
    return kind.name == "map" or any(holds_map(part) for part in kind.args)


def canonical(value: Expr) -> Expr:
    """The same value with the keys of all its maps in order."""
    return replace(value, sql=canonical_sql(value.sql, value.type)) if holds_map(value.type) else value


def canonical_sql(sql: str, kind: Type, depth: int = 0) -> str:
    if not holds_map(kind):
        return sql
    item = f"m{depth}"
    if kind.name == "array":
        return f"list_transform({sql}, lambda {item}: {canonical_sql(item, kind.element, depth + 1)})"
    if kind.name == "row":
        read = [(key, f"struct_extract({sql}, '{key}')", part) for key, part in zip(kind.keys, kind.args, strict=True)]
        fields = ", ".join(f'"{key}" := {canonical_sql(field, part, depth)}' for key, field, part in read)
        return f"(CASE WHEN {sql} IS NULL THEN CAST(NULL AS {duck(kind)}) ELSE struct_pack({fields}) END)"
    if not holds_map(kind.args[1]):
        in_order = f"map_keys({sql}) = list_sort(map_keys({sql}))"
        return f"(CASE WHEN {in_order} THEN {sql} ELSE map_from_entries(list_sort(map_entries({sql}))) END)"
    value = canonical_sql(f"struct_extract({item}, 'value')", kind.args[1], depth + 1)
    entries = f"list_transform(map_entries({sql}), lambda {item}: struct_pack(key := struct_extract({item}, 'key'), value := {value}))"
    return f"map_from_entries(list_sort({entries}))"


def equal_maps(left: str, right: str, equal_values: str) -> str:
    """Whether two maps are equal: NULL where only a NULL among their values leaves it open. `equal_values` compares their
    values in the order of keys, which are the lists `a` and `b` of the struct `v`."""
    same = f"list_sort(map_keys({left})) = list_sort(map_keys({right}))"
    values = [
        f"list_transform(list_sort(map_keys({side})), lambda k: map_extract_value({side}, k))" for side in (left, right)
    ]
    named = (
        f"list_extract(list_transform([struct_pack(a := {values[0]}, b := {values[1]})], lambda v: {equal_values}), 1)"
    )
    return f"(CASE WHEN {left} IS NULL OR {right} IS NULL THEN NULL WHEN NOT ({same}) THEN false ELSE {named} END)"
