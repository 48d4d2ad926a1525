"""Where log objects come from: one module a kind of source, all behind the protocol of base.py."""
