"""The counter, in Python."""

from componentize_py_types import Err
from wit_world.exports.api import Counter


class Actor:
    def init(self, state):
        return (state,)


class Api:
    def get(self, state):
        return (state, state.count)

    def add(self, state, by):
        count = state.count + by
        return (Counter(count), count)

    def set(self, state, count):
        return (Counter(count),)

    def fail(self, state):
        raise Err("declined, as you asked")
