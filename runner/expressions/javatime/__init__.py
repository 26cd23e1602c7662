"""Java's dates: nanoseconds in any year, zones, and the pattern letters of `java.time`."""

from .formatting import format_moment
from .moments import Moment, moment_of
from .reading import read_moment
from .zones import zone_of

__all__ = ["Moment", "format_moment", "moment_of", "read_moment", "zone_of"]
