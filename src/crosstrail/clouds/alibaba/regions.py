"""Which regions ActionTrail has, and where STS answers for them. From Alibaba Cloud's OpenAPI metadata; an account's own
`regions` add others."""

from __future__ import annotations

HOME_REGION = "cn-hangzhou"
"""RequestInfo where nothing names another."""
KNOWN_REGIONS = frozenset(
    (
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-southeast-1",
        "ap-southeast-3",
        "ap-southeast-5",
        "ap-southeast-7",
        "cn-beijing",
        "cn-chengdu",
        "cn-guangzhou",
        "cn-hangzhou",
        "cn-heyuan",
        "cn-hongkong",
        "cn-huhehaote",
        "cn-nanjing",
        "cn-north-2-gov-1",
        "cn-qingdao",
        "cn-shanghai",
        "cn-shanghai-finance-1",
        "cn-shenzhen",
        "cn-wulanchabu",
        "cn-zhangjiakou",
        "eu-central-1",
        "eu-west-1",
        "me-east-1",
        "na-south-1",
        "us-east-1",
        "us-west-1",
    )
)
SEPARATE = frozenset(("cn-north-2-gov-1", "cn-shanghai-finance-1"))
"""Of the government and of finance: they have other accounts than the public cloud."""
WITHOUT_STS = frozenset(("cn-hangzhou-finance", "cn-shenzhen-finance-1"))
"""Regions for which the global STS answers."""
