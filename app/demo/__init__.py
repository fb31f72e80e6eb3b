"""The demonstration: synthetic people, a month of history, and the whole path on real input."""
