"""Many targets, one page: which targets a call names, asking them, and the token of the next page."""
