"""Models of other programs' files and strings, read as declarations; one file a format, found by its suffix.

A format's file has ``SUFFIXES``, and ``read(text, place, name, kind)``, the :class:`Imported` of a text: ``place`` says
where it came from, ``name`` which of several models is meant (empty for the only one), and ``kind`` is the class of the
model. A format whose files are no text has ``read_file(place, name, kind)`` instead. Nothing of a file is ever run.
"""

from izhigen.importers.imported import Imported
from izhigen.importers.reading import read, split, suffixes

__all__ = ["Imported", "read", "split", "suffixes"]
