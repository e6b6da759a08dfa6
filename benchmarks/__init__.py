"""Measurements of the whole system and of its parts; `./dev bench`. They assert no time."""
