"""Ledger to money: dated RTM rules, the tally, claims and their wire formats."""
