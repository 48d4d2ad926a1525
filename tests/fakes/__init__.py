"""Clouds to test against: real HTTP servers that check signatures and behave as the documented services do."""
