"""Opens URL in Chromium, fetches it again until that comes by HTTP/3, and prints by which protocol
each came, as the browser says itself.

usage: chromium.py CHROMIUM URL KEY FOLDER

KEY is the SHA-256 of the server's public key, in Base64. Chromium is driven over its debugging
pipe: there is no port, and no other program."""

import json
import os
import subprocess
import sys
from urllib.parse import urlsplit

# Alternatives are tried beside the connection that it has; a fetch is answered long before.
TRIES = 200

chromium, url, key, folder = sys.argv[1:5]
quiet = """--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run
    --disable-background-networking --disable-component-update --disable-sync --no-proxy-server
    --disable-extensions --enable-quic --remote-debugging-pipe"""
words = [chromium, *quiet.split(), f"--user-data-dir={folder}/profile",
         f"--ignore-certificate-errors-spki-list={key}",
         # It takes an authority of ours over QUIC only for hosts that it is told to force it on, at
         # whatever port: this forces nothing.
         f"--origin-to-force-quic-on={urlsplit(url).hostname}:1", "about:blank"]
to_read, to_write = os.pipe()
from_read, from_write = os.pipe()


def wire():
    # It reads from 3 and writes to 4; neither may lie in the other's place meanwhile.
    ends = os.dup(to_read), os.dup(from_write)
    os.dup2(ends[0], 3)
    os.dup2(ends[1], 4)


browser = subprocess.Popen(
    words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, close_fds=False, preexec_fn=wire,
    env=dict(os.environ, HOME=folder, XDG_CONFIG_HOME=folder, XDG_CACHE_HOME=folder))
os.close(to_read)
os.close(from_write)
said = os.fdopen(from_read, "rb", buffering=0)
buffered, number = b"", 0


def message():
    global buffered
    while b"\0" not in buffered:
        piece = said.read(65536)
        if not piece:
            sys.exit("chromium ended")
        buffered += piece
    one, buffered = buffered.split(b"\0", 1)
    return json.loads(one)


def call(method, page=None, **params):
    global number
    number += 1
    wanted = number
    order = {"id": wanted, "method": method, "params": params}
    if page is not None:
        order["sessionId"] = page
    os.write(to_write, json.dumps(order).encode() + b"\0")
    while (answer := message()).get("id") != wanted:
        pass
    if "error" in answer:
        sys.exit(f"{method}: {answer['error']['message']}")
    return answer["result"]


def evaluate(page, expression):
    answer = call("Runtime.evaluate", page, expression=expression, awaitPromise=True,
                  returnByValue=True)
    if "exceptionDetails" in answer:
        sys.exit(f"{expression}: {answer['exceptionDetails']}")
    return answer["result"].get("value")


# Whether the page is there is asked and not waited for: the event may have been before.
LOADED = "document.readyState === 'complete' && location.href !== 'about:blank'"
# An entry is there when the body has been read, or a moment later.
FETCH = """(async () => {
    const url = new URL(location.href);
    url.searchParams.set("n", %d);
    await (await fetch(url, { cache: "no-store" })).text();
    for (;;) {
        const entry = performance.getEntriesByName(url.href).pop();
        if (entry) return entry.nextHopProtocol;
        await new Promise(done => setTimeout(done, 5));
    }
})()"""
PAUSE = "new Promise(done => setTimeout(done, 20))"

try:
    target = call("Target.createTarget", url="about:blank")["targetId"]
    page = call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    error = call("Page.navigate", page, url=url).get("errorText")
    if error:
        sys.exit(f"the page: {error}")
    while not evaluate(page, LOADED):
        evaluate(page, PAUSE)
    print(evaluate(page, "performance.getEntriesByType('navigation')[0].nextHopProtocol"))
    for tried in range(TRIES):
        protocol = evaluate(page, FETCH % tried)
        print(protocol)
        if protocol == "h3":
            break
        evaluate(page, PAUSE)
    call("Browser.close")
finally:
    os.close(to_write)
    try:
        browser.wait(20)
    except subprocess.TimeoutExpired:
        browser.kill()
        browser.wait()
