"""Reminders to patients: where they may be sent, by which gateway, and what they say."""
