"""crosstrail: who did what, where and when, in every account of every cloud."""

__version__ = "0.1.0"
