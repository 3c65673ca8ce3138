"""A lab of boards that labgrid manages: its places, held while we measure. docs/labgrid.md says what a user sees of it.

labgrid lives in a process of its own, the keeper, which also releases what we hold when we die.
"""
