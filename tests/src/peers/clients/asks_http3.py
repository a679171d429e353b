"""Asks what standard input says, a line each, by aioquic; prints a line of what came for each.

usage: asks_http3.py BASE-URL CA 3
"""

import asyncio
import sys
from urllib.parse import urlsplit

from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, StreamReset

ALPHABET = b"abcdefghijklmnopqrstuvwxyz"
REQUEST_REJECTED = 0x10B


def letters(n):
    return (ALPHABET * (n // 26 + 1))[:n]


class Rejected(Exception):
    """The request was not looked at."""


class Answer:
    def __init__(self):
        self.status, self.fields, self.body, self.trailers = None, {}, bytearray(), []
        self.begun, self.done = (asyncio.get_running_loop().create_future() for _ in range(2))
        self.begun.add_done_callback(lambda begun: begun.exception())
        self.done.add_done_callback(lambda done: done.exception())

    def fail(self, error):
        for future in (self.begun, self.done):
            if not future.done():
                future.set_exception(error)


class Protocol(QuicConnectionProtocol):
    http, ended = None, False

    def __init__(self, *args, **named):
        super().__init__(*args, **named)
        self.answers, self.used = {}, False

    def quic_event_received(self, event):
        # From the first event on: the server's streams may open during the handshake.
        if self.http is None:
            self.http = H3Connection(self._quic)
        if isinstance(event, ConnectionTerminated):
            self.ended = True
            for answer in self.answers.values():
                answer.fail(Rejected() if answer.status is None else OSError(str(event)))
        if isinstance(event, StreamReset) and event.stream_id in self.answers:
            rejected = event.error_code == REQUEST_REJECTED
            answer = self.answers.pop(event.stream_id)
            answer.fail(Rejected() if rejected else OSError(str(event)))
        for each in self.http.handle_event(event):
            answer = self.answers.get(getattr(each, "stream_id", None))
            if answer is None:
                continue
            if isinstance(each, HeadersReceived):
                status = dict(each.headers).get(b":status", b"").decode()
                if answer.status is not None:
                    answer.trailers = each.headers
                elif status != "" and not status.startswith("1"):
                    answer.status, answer.fields = status, dict(each.headers)
                if not answer.begun.done():
                    answer.begun.set_result(status)
            if isinstance(each, DataReceived):
                answer.body.extend(each.data)
            if each.stream_ended and not answer.done.done():
                answer.done.set_result(None)
                del self.answers[each.stream_id]

    def ask(self, method, authority, path, fields, end):
        stream = self._quic.get_next_available_stream_id()
        answer = self.answers[stream] = Answer()
        head = [(":method", method), (":scheme", "https"), (":authority", authority),
                (":path", path), *fields]
        head = [(name.encode(), value.encode()) for name, value in head]
        self.http.send_headers(stream, head, end)
        self.transmit()
        return stream, answer

    def send(self, stream, data, end):
        self.http.send_data(stream, data, end)
        self.transmit()


class Client:
    def __init__(self, base, ca):
        self.url = urlsplit(base)
        self.settings = QuicConfiguration(alpn_protocols=H3_ALPN, is_client=True)
        self.settings.load_verify_locations(ca)
        self.protocol, self.waits, self.kept = None, asyncio.Lock(), []

    async def connection(self):
        async with self.waits:
            if self.protocol is None or self.protocol.ended:
                # A connection ends with what this gives, and others may have answers under way.
                kept = connect(self.url.hostname, self.url.port,
                               configuration=self.settings, create_protocol=Protocol)
                self.protocol = await kept.__aenter__()
                self.kept.append(kept)
            return self.protocol

    def describe(self, protocol, answer):
        connection = "old" if protocol.used else "new"
        protocol.used = True
        body = bytes(answer.body)
        what = "letters" if body == letters(len(body)) else body.split(b"\n")[0].decode(errors="replace")
        trailers = "".join(f" {name.decode()}: {value.decode()}" for name, value in answer.trailers)
        return f"{answer.status} HTTP/3 {connection} {len(body)} {what}{trailers}".strip()

    async def once(self, words, pause=None):
        method, path, *rest = words
        content, fields, waits = None, [], False
        for word in rest:
            name, value = word.split("=", 1)
            if name == "send":
                content = [letters(int(value))]
                fields.append(("content-length", value))
            elif name == "stream":
                whole = letters(int(value))
                content = [whole[at:at + 10_000] for at in range(0, len(whole), 10_000)]
            else:
                fields.append((name, value))
                waits = waits or (name, value) == ("expect", "100-continue")
        # Each connection takes one of fifty at least before it takes no more.
        for _ in range(50):
            protocol = await self.connection()
            try:
                stream, answer = protocol.ask(
                    method, self.url.netloc, path, fields, content is None)
                if waits and await answer.begun != "100":
                    return "no 100"
                for at, piece in enumerate(content or []):
                    protocol.send(stream, piece, at + 1 == len(content))
                if pause is not None:
                    await answer.begun
                    await pause()
                await answer.done
                return self.describe(protocol, answer)
            except Rejected:
                # What was not looked at may go again, on another connection.
                if self.protocol is protocol:
                    self.protocol = None
            except OSError as error:
                print(repr(error), file=sys.stderr)
                return "error"
        return "rejected again and again"

    async def line(self, words):
        match words[0]:
            case "PARALLEL":
                said = await asyncio.gather(*[self.once(words[2:]) for _ in range(int(words[1]))])
                whole = sum(one.split(" ")[0] == "200" for one in said)
                print(f"{whole} of {len(said)}", flush=True)
            case "PAUSE":
                async def pause():
                    print("under way", flush=True)
                    await asyncio.to_thread(sys.stdin.readline)
                print(await self.once(words[1:], pause), flush=True)
            case _:
                print(await self.once(words), flush=True)


async def main():
    client = Client(*sys.argv[1:3])
    while line := await asyncio.to_thread(sys.stdin.readline):
        await client.line(line.split())


asyncio.run(main())
