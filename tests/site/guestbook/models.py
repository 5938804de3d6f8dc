"""What visitors leave behind."""

from django.core.validators import FileExtensionValidator
from django.db import models

from guestbook.photos import EXTENSIONS, is_a_photo, is_small


class Entry(models.Model):
    """One visitor's words, with a photo if they like."""

    name = models.CharField("Your name", max_length=80)
    message = models.TextField("Your message", max_length=2000)
    photo = models.FileField(
        "A photo",
        upload_to="photos/%Y/%m",
        blank=True,
        db_default="",  # a release that does not know the field yet can still add entries
        validators=[FileExtensionValidator(EXTENSIONS), is_small, is_a_photo],
        help_text="JPEG, PNG, GIF or WebP, at most 2 MB.",
    )
    created = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        ordering = ("-created", "-pk")
        verbose_name_plural = "entries"

    def __str__(self) -> str:
        return f"{self.name}, {self.created:%Y-%m-%d}"
