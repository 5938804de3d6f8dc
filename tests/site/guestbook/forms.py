"""What a visitor fills in."""

from django import forms

from guestbook.models import Entry


class EntryForm(forms.ModelForm):
    class Meta:
        model = Entry
        fields = ("name", "message", "photo")
        widgets = {  # noqa: RUF012 - Django reads it once, nobody writes it
            "name": forms.TextInput({"autocomplete": "name"}),
            "message": forms.Textarea({"rows": 4}),
            "photo": forms.FileInput({"accept": "image/jpeg,image/png,image/gif,image/webp"}),
        }
