"""The only part of floecast that reaches for the network, and only when a user asks for it."""
