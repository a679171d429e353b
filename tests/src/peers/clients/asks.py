"""Asks what standard input says, a line each, by httpx; prints a line of what came for each.

usage: asks.py BASE-URL CA 1|2    (2: HTTP/2, by ALPN or prior knowledge)
"""

import asyncio
import ssl
import sys

import httpx

ALPHABET = b"abcdefghijklmnopqrstuvwxyz"


def letters(n):
    return (ALPHABET * (n // 26 + 1))[:n]


async def pieces(n):
    for start in range(0, n, 10_000):
        yield letters(n)[start:start + 10_000]


class Client:
    def __init__(self, base, ca, version):
        two = version == "2"
        verify = ssl.create_default_context(cafile=ca)
        self.client = httpx.AsyncClient(
            base_url=base, verify=verify, http1=not two, http2=two, timeout=60,
            follow_redirects=True, trust_env=False)
        self.seen = set()

    def port(self, response):
        # It tells connections apart; of one that is closed nobody knows it.
        return response.extensions["network_stream"].get_extra_info("client_addr")

    def describe(self, response, port, body):
        connection = "old" if port in self.seen else "new"
        self.seen.add(port)
        what = "letters" if body == letters(len(body)) else body.split(b"\n")[0].decode()
        return (f"{response.status_code} {response.http_version} {connection} "
                f"{len(body)} {what}").strip()

    async def once(self, words):
        method, path, *rest = words
        content, headers = None, {}
        for word in rest:
            name, value = word.split("=", 1)
            if name == "send":
                content = letters(int(value))
            elif name == "stream":
                content = pieces(int(value))
            else:
                headers[name] = value
        try:
            async with self.client.stream(
                    method, path, content=content, headers=headers) as response:
                port = self.port(response)
                body = await response.aread()
                return self.describe(response, port, body)
        except httpx.HTTPError as error:
            print(repr(error), file=sys.stderr)
            return "error"

    async def line(self, words):
        match words[0]:
            case "PARALLEL":
                said = await asyncio.gather(*[self.once(words[2:]) for _ in range(int(words[1]))])
                whole = sum(one.split(" ")[0] == "200" for one in said)
                print(f"{whole} of {len(said)}", flush=True)
            case "PAUSE":
                async with self.client.stream(*words[1:]) as response:
                    port, chunks = self.port(response), response.aiter_bytes()
                    body = await anext(chunks)
                    print("under way", flush=True)
                    await asyncio.to_thread(sys.stdin.readline)
                    async for chunk in chunks:
                        body += chunk
                    print(self.describe(response, port, body), flush=True)
            case _:
                print(await self.once(words), flush=True)


async def main():
    client = Client(*sys.argv[1:4])
    while line := await asyncio.to_thread(sys.stdin.readline):
        await client.line(line.split())


asyncio.run(main())
