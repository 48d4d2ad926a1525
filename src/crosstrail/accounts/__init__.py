"""Which accounts exist, and (with their credentials) how to act in each of them."""
