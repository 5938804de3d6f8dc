"""The pages: the guestbook itself, and one for machines that ask how it is."""

from django.contrib import messages
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from guestbook.forms import EntryForm
from guestbook.models import Entry

SHOWN = 50


def index(request: HttpRequest) -> HttpResponse:
    """Show the latest entries and the form; take what is sent with it."""
    form = EntryForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Thank you for signing!")
        return redirect("index")
    page = {"form": form, "entries": Entry.objects.all()[:SHOWN], "count": Entry.objects.count()}
    return render(request, "guestbook/index.html", page)


@never_cache
@require_safe
def health(_request: HttpRequest) -> HttpResponse:
    """Say "ok" if this process can serve visitors, which it cannot without the database."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return HttpResponse("no database\n", status=503, content_type="text/plain")
    return HttpResponse("ok\n", content_type="text/plain")
