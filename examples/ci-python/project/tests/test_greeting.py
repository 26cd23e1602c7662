"""What the project promises."""

import unittest

from greeting import greeting


class Greeting(unittest.TestCase):
    """How people are greeted."""

    def test_somebody_is_greeted_by_name(self):
        self.assertEqual(greeting("Ada"), "Hello, Ada!")

    def test_nobody_is_the_world(self):
        self.assertEqual(greeting(""), "Hello, world!")
