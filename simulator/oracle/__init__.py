"""The oracle of seconds: what a journal must say, from the contract alone. The engine has no part in it."""
