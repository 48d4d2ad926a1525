"""Which regions Volcengine has. From its documentation of regions and zones (https://www.volcengine.com/docs/6396/76304) and the
regions that its SDK lists; an account's own `regions` add others."""

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
