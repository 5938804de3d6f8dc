"""A visitor who fills in the form of the sample site."""

from tests.docker.hosts import ask


def sign(url: str, photo: str) -> str:
    """Signs the guestbook with a photo of that name; the page that comes then."""
    form = ask(f"{url}/")
    cookie = form.headers["set-cookie"].split(";")[0]
    token = form.text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    fields = {"csrfmiddlewaretoken": token, "name": "Łucja", "message": "Zażółć"}
    parts = [
        f'--sep\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    head = f'--sep\r\nContent-Disposition: form-data; name="photo"; filename="{photo}"\r\n'
    head += "Content-Type: image/png\r\n\r\n"
    png = b"\x89PNG\r\n\x1a\n" + bytes(32)
    body = ("".join(parts) + head).encode() + png + b"\r\n--sep--\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=sep", "Cookie": cookie}
    sent = ask(f"{url}/", "POST", body, kind)
    assert sent.status == 302, sent.text
    return ask(f"{url}/").text
