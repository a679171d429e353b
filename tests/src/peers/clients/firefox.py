"""Opens URL in Firefox until it comes by HTTP/3, and prints what the page says then.

usage: firefox.py FIREFOX CERTUTIL URL CA FOLDER

It is driven by Marionette, a protocol of its own, over a port that it says by itself."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

firefox, certutil, url, ca, folder = sys.argv[1:6]
profile = pathlib.Path(folder, "profile")
profile.mkdir()
store = f"sql:{profile}"
subprocess.run([certutil, "-N", "-d", store, "--empty-password"], check=True)
subprocess.run([certutil, "-A", "-d", store, "-n", "tests", "-t", "C,,", "-i", ca], check=True)
at = urlsplit(url)
settings = {
    "marionette.port": 0,
    # As if the origin had said so by Alt-Svc.
    "network.http.http3.alt-svc-mapping-for-testing": f"{at.hostname};h3=:{at.port}",
    # It has no HTTP/3 where an authority is not one of its own.
    "network.http.http3.disable_when_third_party_roots_found": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
}
lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
         for name, value in settings.items()]
(profile / "user.js").write_text("".join(lines))
browser = subprocess.Popen(
    [firefox, "--headless", "--marionette", "--no-remote", "--profile", str(profile)],
    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    env=dict(os.environ, HOME=folder))


def until(what, get):
    begun = time.monotonic()
    while time.monotonic() - begun < 90:
        if browser.poll() is not None:
            sys.exit(f"firefox ended before there was {what}")
        if (got := get()) is not None:
            return got
        time.sleep(0.1)
    sys.exit(f"there is no {what}")


def port():
    try:
        return int((profile / "MarionetteActivePort").read_text())
    except (OSError, ValueError):
        return None


def receive():
    length = b""
    while (byte := stream.read(1)) != b":":
        length += byte or sys.exit("firefox ended")
    return json.loads(stream.read(int(length)))


def call(method, **parameters):
    text = json.dumps([0, 1, method, parameters]).encode()
    wire.sendall(b"%d:%s" % (len(text), text))
    _, _, error, result = receive()
    return result if error is None else sys.exit(f"{method}: {error}")


def script(text):
    return call("WebDriver:ExecuteScript", script=f"return {text}", args=[])["value"]


def page():
    call("WebDriver:Navigate", url=url)
    if script("performance.getEntriesByType('navigation')[0].nextHopProtocol") != "h3":
        return None
    said = "document.getElementById('said').textContent"
    return until("text in the page", lambda: (text := script(said)) != "nothing yet" and text or None)


try:
    wire = socket.create_connection(("127.0.0.1", until("port of Marionette", port)))
    wire.settimeout(90)
    stream = wire.makefile("rb")
    receive()
    call("WebDriver:NewSession")
    print(until("page by HTTP/3", page))
finally:
    browser.kill()
    browser.wait()
