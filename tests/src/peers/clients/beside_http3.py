"""What a client by aioquic does beside requests, and a line of what came for each.

usage: beside_http3.py URL CA early      asks for the URL; again on a second connection, in its first
                                         flight; and on a third with the second's ticket once more
       beside_http3.py URL CA datagrams  opens a tunnel for `echo`, and sends datagrams until each
                                         has come back
"""

import asyncio
import sys
from urllib.parse import urlsplit

from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, DatagramReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration

WITH_DATAGRAMS = sys.argv[3] == "datagrams"


class Protocol(QuicConnectionProtocol):
    http = None

    def __init__(self, *args, **named):
        super().__init__(*args, **named)
        self.heads, self.bodies, self.ended = {}, {}, {}
        self.datagrams = asyncio.Queue()

    def speak(self):
        # What aioquic calls WebTransport says that datagrams are understood.
        if self.http is None:
            self.http = H3Connection(self._quic, enable_webtransport=WITH_DATAGRAMS)

    def quic_event_received(self, event):
        self.speak()
        for each in self.http.handle_event(event):
            if isinstance(each, HeadersReceived):
                self.heads[each.stream_id].set_result(dict(each.headers)[b":status"].decode())
            if isinstance(each, DataReceived):
                self.bodies[each.stream_id].extend(each.data)
            if isinstance(each, DatagramReceived):
                self.datagrams.put_nowait((each.stream_id, each.data))
            if getattr(each, "stream_ended", False) and not self.ended[each.stream_id].done():
                self.ended[each.stream_id].set_result(None)

    def ask(self, head, end):
        self.speak()
        stream = self._quic.get_next_available_stream_id()
        loop = asyncio.get_running_loop()
        self.heads[stream], self.ended[stream] = loop.create_future(), loop.create_future()
        self.bodies[stream] = bytearray()
        self.http.send_headers(stream, [(n.encode(), v.encode()) for n, v in head], end)
        self.transmit()
        return stream


def settings(url, ca):
    made = QuicConfiguration(
        alpn_protocols=H3_ALPN, is_client=True, max_datagram_frame_size=65536
    )
    made.load_verify_locations(ca)
    return made


async def get(url, ca, ticket=None):
    """Asks on a connection of its own; what came, and the tickets."""
    made, tickets = settings(url, ca), []
    made.session_ticket = ticket
    async with connect(
        url.hostname, url.port, configuration=made, create_protocol=Protocol,
        session_ticket_handler=tickets.append, wait_connected=ticket is None,
    ) as protocol:
        head = [(":method", "GET"), (":scheme", "https"), (":authority", url.netloc),
                (":path", url.path)]
        stream = protocol.ask(head, True)
        waited = "" if protocol._quic._handshake_complete else ", asked in the first flight"
        await protocol.ended[stream]
        taken = ", taken" if protocol._quic.tls.early_data_accepted else ""
        while not tickets:
            await protocol.ping()
        status, body = await protocol.heads[stream], bytes(protocol.bodies[stream])
        print(f"{status} {body.decode().strip()}{waited}{taken}", flush=True)
        return tickets


async def early(url, ca):
    ticket = (await get(url, ca))[0]
    await get(url, ca, ticket)
    # A ticket is good once: what comes with it again may be a replay.
    await get(url, ca, ticket)


async def datagrams(url, ca):
    async with connect(
        url.hostname, url.port, configuration=settings(url, ca), create_protocol=Protocol
    ) as protocol:
        head = [(":method", "CONNECT"), (":protocol", "echo"), (":scheme", "https"),
                (":authority", url.netloc), (":path", url.path)]
        stream = protocol.ask(head, False)
        print(await protocol.heads[stream], flush=True)
        for data in [b"short", b"", b"x" * 1_000]:
            for _ in range(100):
                protocol.http.send_datagram(stream, data)
                protocol.transmit()
                try:
                    back = await asyncio.wait_for(protocol.datagrams.get(), 0.2)
                except asyncio.TimeoutError:
                    continue
                if back == (stream, data):
                    print(f"{len(data)} bytes came back", flush=True)
                    break
        protocol.http.send_data(stream, b"", True)
        protocol.transmit()
        await protocol.ended[stream]
        print("ended", flush=True)


async def main():
    act = datagrams if WITH_DATAGRAMS else early
    await act(urlsplit(sys.argv[1]), sys.argv[2])


asyncio.run(main())
