"""The guestbook in Django's admin."""

from django.contrib import admin

from guestbook.models import Entry


@admin.register(Entry)
class EntryAdmin(admin.ModelAdmin):
    list_display = ("name", "created", "photo")
    list_filter = ("created",)
    search_fields = ("name", "message")
    readonly_fields = ("created",)
