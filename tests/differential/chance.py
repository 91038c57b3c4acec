"""The seeded source of all that is generated."""

import random


class Chance(random.Random):
    """Random choices; `mistakes` is how likely each place where a request can go wrong does.

    A request goes wrong in one place at most: which of two mistakes is told first is seldom written down anywhere.
    """

    def __init__(self, seed, mistakes=0.0):
        super().__init__(seed)
        self.mistakes = mistakes
        self.mistakes_left = 1

    def likely(self, probability) -> bool:
        return self.random() < probability

    def mistaken(self) -> bool:
        if not self.mistakes_left or self.random() >= self.mistakes:
            return False
        self.mistakes_left -= 1
        return True

    def next_request(self):
        self.mistakes_left = 1

    def one(self, pool, weights=None):
        return self.choices(pool, weights)[0] if weights else self.choice(pool)

    def some(self, pool, most) -> list:
        """One to `most` different elements."""
        pool = sorted(pool)
        return self.sample(pool, self.randint(1, min(most, len(pool))))
