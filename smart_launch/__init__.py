"""SMART App Launch 2.2: the client, and a development EHR to try it against."""
