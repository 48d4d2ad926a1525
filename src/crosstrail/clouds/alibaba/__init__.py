"""Alibaba Cloud: ActionTrail, and STS for the credentials that ask it. Nothing of it is in another package."""
