"""Marks that tell where a text came from, however it travels: they are ASCII, so no encoding changes them."""

PERSON = "pdn7391"
"""In every personal field, and wherever a channel has no business to write: it must come out nowhere."""

IDENTITY = "idn5528"
"""In what identifies: an event, a ticket, an operator, a client. Only the contract's places may copy it."""
