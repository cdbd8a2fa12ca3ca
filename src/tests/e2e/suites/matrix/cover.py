"""A choice of combinations in which every two values meet that can meet at all."""

from itertools import combinations


def cover(possible):
    """Of these tuples as few as a greedy choice needs; always the same ones, in the order of `possible`."""
    possible = list(dict.fromkeys(possible))
    missing, chosen = pairs(possible), set()
    while missing:
        best = max(possible, key=lambda each: len(pairs([each]) & missing))
        missing -= pairs([best])
        chosen.add(best)
    return [each for each in possible if each in chosen]


def pairs(tuples):
    """All pairs of values that occur together, with the places they have."""
    return {pair for each in tuples for pair in combinations(enumerate(each), 2)}
