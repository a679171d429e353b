"""A server of HTTP/3 by aioquic: PORT FOLDER IDLE. It serves the folder's files, some paths that
every peer has, and says what it was asked."""

import asyncio
import pathlib
import sys
from urllib.parse import parse_qsl, urlsplit

from aioquic.asyncio import QuicConnectionProtocol, serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated, StopSendingReceived, StreamReset

PORT, FOLDER, IDLE = int(sys.argv[1]), pathlib.Path(sys.argv[2]), float(sys.argv[3])
REQUEST_CANCELLED = 0x10C


class Server(QuicConnectionProtocol):
    http = None

    def quic_event_received(self, event):
        if isinstance(event, ProtocolNegotiated):
            self.http, self.requests = H3Connection(self._quic), {}
        if isinstance(event, (StreamReset, StopSendingReceived)):
            self.requests.pop(event.stream_id, None)
        if self.http is None:
            return
        for each in self.http.handle_event(event):
            if isinstance(each, HeadersReceived) and each.stream_id not in self.requests:
                self.requests[each.stream_id] = [each.headers, bytearray()]
                if (b"expect", b"100-continue") in each.headers:
                    self.http.send_headers(each.stream_id, [(b":status", b"100")])
            if isinstance(each, DataReceived):
                self.requests[each.stream_id][1].extend(each.data)
            if isinstance(each, (HeadersReceived, DataReceived)) and each.stream_ended:
                self.answer(each.stream_id, *self.requests.pop(each.stream_id))
        self.transmit()

    def answer(self, stream, headers, body):
        asked = dict(headers)
        method, path = asked[b":method"].decode(), urlsplit(asked[b":path"].decode())
        fields, trailers, status = [], [], 200
        file = FOLDER / path.path[1:]
        if path.path == "/cut":
            self._quic.reset_stream(stream, REQUEST_CANCELLED)
            return
        if path.path == "/echo":
            fields = [(b"x-echo-method", method.encode())]
            fields += [(name, value) for name, value in headers if name == b"content-type"]
            body = bytes(body)
        elif path.path == "/empty":
            status, body = 204, b""
        elif path.path == "/away":
            status, body, fields = 302, b"", [(b"location", b"/hello")]
        elif path.path == "/early":
            hint = (b"link", b"</style.css>; rel=preload")
            self.http.send_headers(stream, [(b":status", b"103"), hint])
            body = b"hello\n"
        elif path.path == "/epoch":
            # The next request needs another connection.
            body = b"full\n" if self._quic._handshake_complete else b"early\n"
            asyncio.get_running_loop().call_soon(self.close)
        elif path.path == "/trailers":
            body, trailers = b"hello\n", [(b"x-trailer", b"behind the body")]
        elif path.path == "/headers":
            body = b"".join(name + b": " + value + b"\n" for name, value in headers)
        elif path.path == "/response-headers":
            body = b"these are the fields\n"
            fields = [(name.encode(), value.encode()) for name, value in parse_qsl(path.query)]
        elif path.path != "/" and file.is_file():
            body = file.read_bytes()
        else:
            status, body = 404, b"404\n"
        fields.append((b"content-length", str(len(body)).encode()))
        if status == 204:
            fields = []
        over = method == "HEAD" or not (body or trailers)
        self.http.send_headers(stream, [(b":status", str(status).encode())] + fields, over)
        if not over:
            if body:
                self.http.send_data(stream, body, not trailers)
            if trailers:
                self.http.send_headers(stream, trailers, True)


async def main():
    settings = QuicConfiguration(
        alpn_protocols=H3_ALPN, is_client=False, idle_timeout=IDLE, max_datagram_frame_size=65536
    )
    settings.load_cert_chain(FOLDER / "cert.pem", FOLDER / "key.pem")
    tickets = {}
    await serve(
        "127.0.0.1",
        PORT,
        configuration=settings,
        create_protocol=Server,
        session_ticket_fetcher=lambda label: tickets.pop(label, None),
        session_ticket_handler=lambda ticket: tickets.__setitem__(ticket.ticket, ticket),
    )
    await asyncio.Future()


asyncio.run(main())
