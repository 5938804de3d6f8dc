"""A photo with an entry.

The default stays in the database, so that the release before this one can still add entries.
"""

import django.core.validators
from django.db import migrations, models

import guestbook.photos


class Migration(migrations.Migration):
    dependencies = [("guestbook", "0001_initial")]
    operations = [
        migrations.AddField(
            model_name="entry",
            name="photo",
            field=models.FileField(
                blank=True,
                db_default="",
                help_text="JPEG, PNG, GIF or WebP, at most 2 MB.",
                upload_to="photos/%Y/%m",
                validators=[
                    django.core.validators.FileExtensionValidator(("jpg", "jpeg", "png", "gif", "webp")),
                    guestbook.photos.is_small,
                    guestbook.photos.is_a_photo,
                ],
                verbose_name="A photo",
            ),
        ),
    ]
