"""A made-up organisation with an incident in it, the same on every machine."""
