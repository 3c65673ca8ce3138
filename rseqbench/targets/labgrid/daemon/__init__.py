"""The daemon that holds reserved places, however many runs use them."""
