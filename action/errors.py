"""The one error that ends the step with a sentence instead of a traceback."""


class ActionFailed(Exception):
    """The step cannot go on; the text says why and what to do."""
