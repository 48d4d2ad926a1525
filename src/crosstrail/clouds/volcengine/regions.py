"""Which regions Volcengine has, written by hand on 2026-11-25.

Sources: its documentation of regions and zones (https://www.volcengine.com/docs/6396/76304), and the names in the SDK
(volcenginesdk-core 5.0.54, endpoint/providers/standard_provider.py). The list serves to tell a slip of the pen from a region,
no more: one that an account lists in its `regions`, or `region`, is asked like any other.
"""

from __future__ import annotations

KNOWN_REGIONS = frozenset(
    (
        "cn-beijing",
        "cn-beijing2",
        "cn-beijing-autodriving",
        "cn-beijing-selfdrive",
        "cn-chengdu",
        "cn-datong",
        "cn-guangzhou",
        "cn-guilin-boe",
        "cn-hongkong",
        "cn-nantong",
        "cn-north-1",
        "cn-shanghai",
        "cn-shanghai-autodriving",
        "cn-wulanchabu",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-southeast-3",
    )
)
