"""What a person does with a browser, without one: ../../browser has tests with a real one."""

import html
import re
from urllib.parse import urljoin, urlsplit

import requests


def browse(authorize):
    """Goes to the URL of an authorization request as alice does, who logs in and
    agrees to all that is asked for. Returns the URL with which the browser comes
    back to the client."""
    browser = requests.Session()
    answer = browser.get(authorize, allow_redirects=False)
    for _ in range(10):
        here = answer.url
        if "Location" in answer.headers:
            to = urljoin(here, answer.headers["Location"])
            if urlsplit(to).netloc != urlsplit(here).netloc:
                return to
            answer = browser.get(to, allow_redirects=False)
            continue
        step = "login" if 'name="password"' in answer.text else "consent"
        answer = browser.post(here.split("?")[0], data=filled_in(answer.text, step), allow_redirects=False)
    raise SystemExit("the browser did not come back to the client")


def filled_in(page, step):
    """What a browser sends of a page's form as it stands, with a button."""
    form = [("step", step)]
    if step == "login":
        form += [("username", "alice"), ("password", "alice likes tea")]
    for tag in re.findall(r"<input [^>]*>", page):
        has = {name: html.unescape(value) for name, value in re.findall(r' ([a-z]+)(?:="([^"]*)")?', tag)}
        ticked = has.get("type") in ("checkbox", "radio") and "checked" in has and "disabled" not in has
        if has.get("type") == "hidden" or ticked:
            form.append((has["name"], has["value"]))
    return form
