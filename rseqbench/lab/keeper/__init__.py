"""The process in which labgrid is imported. It holds places for whoever started it, and outlives them to release these.

It reads requests and writes answers, a JSON object a line. Each request has a number, and the answers come in any
order. The first answer, number 0, says whether the coordinator was reached.
"""
