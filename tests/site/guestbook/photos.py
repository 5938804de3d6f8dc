"""Which uploads are accepted as photos.

They are given out from our own address, so anything that a browser could run has to stay out.
"""

from django.core.exceptions import ValidationError
from django.core.files import File

EXTENSIONS = ("jpg", "jpeg", "png", "gif", "webp")
LIMIT = 2 * 1024 * 1024


def is_small(photo: File) -> None:
    """ValidationError if the file is larger than LIMIT bytes."""
    if photo.size > LIMIT:
        raise ValidationError("This photo is larger than 2 MB.", code="large")


def is_a_photo(photo: File) -> None:
    """ValidationError if the file does not begin as one of these formats does."""
    photo.seek(0)
    head = photo.read(12)
    photo.seek(0)
    known = head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a"))
    if not known and not (head.startswith(b"RIFF") and head.endswith(b"WEBP")):
        raise ValidationError("This file is not a JPEG, PNG, GIF or WebP photo.", code="format")
