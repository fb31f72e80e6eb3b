"""The clinical domain of remote therapeutic monitoring: pure values and functions.

Nothing here knows a database, a web request, a clock or the environment; time and
settings come in as arguments.
"""
