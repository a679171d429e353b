//! A client against a server in memory, thousands of random exchanges: what goes in comes out.

use std::collections::VecDeque;

use super::*;

/// One direction of the network: bytes under way.
type Pipe = VecDeque<u8>;

/// One direction of one message as it is to be sent, or as it was received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Message {
    body: Vec<u8>,
    trailers: Vec<(String, String)>,
}

/// A message being sent: what is left of it.
struct Sending {
    rest: VecDeque<Bytes>,
    trailers: HeaderMap,
    ready: bool,
    done: bool,
}

impl Sending {
    fn new(rng: &mut Rng, message: &Message) -> Self {
        let mut rest = VecDeque::new();
        let mut body = Bytes::from(message.body.clone());
        while !body.is_empty() {
            let most = if below(rng, 3) { 6000 } else { 40 };
            let n = 1 + rng.below(most) as usize;
            rest.push_back(body.split_to(n.min(body.len())));
        }
        let mut trailers = HeaderMap::new();
        for (name, value) in &message.trailers {
            let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
            trailers.append(name, value.parse().unwrap());
        }
        Self { rest, trailers, ready: true, done: false }
    }

    /// Sends the next frame, if one is welcome.
    fn go_on(&mut self, engine: &mut H1, stream: StreamId) {
        if !self.ready || self.done {
            return;
        }
        self.ready = false;
        let next = self.rest.pop_front();
        let last = self.rest.is_empty() && self.trailers.is_empty();
        match next {
            Some(bytes) => {
                self.done = last;
                engine.send(NOW, stream, bytes, last);
            }
            None if last => {
                self.done = true;
                engine.send(NOW, stream, Bytes::new(), true);
            }
            None => {
                self.done = true;
                engine.trailers(NOW, stream, core::mem::take(&mut self.trailers));
            }
        }
    }
}

/// What one side hears of the current exchange.
#[derive(Default)]
struct Heard {
    head: Option<Head>,
    message: Message,
    whole: bool,
    interim: usize,
    ended: bool,
    ready: bool,
    closed: bool,
    taken: usize,
    stream: Option<StreamId>,
}

impl Heard {
    fn event(&mut self, event: Event) {
        match event {
            Event::Head { stream, head, end } => {
                assert!(self.head.is_none());
                self.stream = Some(stream);
                self.head = Some(head);
                self.whole = end;
            }
            Event::Informational { .. } => self.interim += 1,
            Event::Data { bytes, end, .. } => {
                assert!(!self.whole && (end || !bytes.is_empty()));
                self.message.body.extend_from_slice(&bytes);
                self.taken += bytes.len();
                self.whole = end;
            }
            Event::Trailers { trailers, .. } => {
                assert!(!self.whole);
                self.whole = true;
                let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
                self.message.trailers =
                    trailers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
            }
            Event::Ended { .. } => self.ended = true,
            Event::Capacity { .. } => self.ready = true,
            Event::GoAway { .. } => {}
            Event::Closed { .. } => self.closed = true,
            other => panic!("{other:?}"),
        }
    }
}

/// Everything about one exchange.
#[derive(Debug)]
struct Plan {
    request: Request<()>,
    up: Option<Message>,
    response: Response<()>,
    down: Option<Message>,
    hints: usize,
    /// The handler answers when it has heard the whole request.
    patient: bool,
}

fn below(rng: &mut Rng, n: u64) -> bool {
    rng.below(n) == 0
}

fn message(rng: &mut Rng, trailers: bool) -> Message {
    let length = match rng.below(4) {
        0 => 0,
        1 => rng.below(20),
        2 => rng.below(3000),
        _ => rng.below(30_000),
    };
    let body = (0..length).map(|_| rng.next_u64() as u8).collect();
    let count = if trailers && below(rng, 3) { 1 + rng.below(3) } else { 0 };
    let trailers = (0..count).map(|n| (format!("x-{n}"), rng.next_u64().to_string())).collect();
    Message { body, trailers }
}

fn plan(rng: &mut Rng) -> Plan {
    let method = ["GET", "POST", "PUT", "HEAD", "DELETE"][rng.below(5) as usize];
    let mut request = request(method, "http://a/path?query");
    let code = [200, 200, 200, 404, 204, 304][rng.below(6) as usize];
    let mut response = status(code);
    let old = below(rng, 6);
    let length = |map: &mut HeaderMap, message: &Message| {
        map.insert("content-length", message.body.len().to_string().parse().unwrap());
    };
    let mut up = None;
    if matches!(method, "POST" | "PUT") && !below(rng, 4) {
        let sized = old || below(rng, 2);
        let message = message(rng, !sized);
        if sized {
            length(request.headers_mut(), &message);
        }
        if !old && below(rng, 4) {
            request.headers_mut().insert("expect", "100-continue".parse().unwrap());
        }
        up = Some(message);
    }
    let mut down = None;
    if method != "HEAD" && code != 204 && code != 304 && !below(rng, 4) {
        let sized = below(rng, 2);
        let message = message(rng, !sized && !old);
        if sized {
            length(response.headers_mut(), &message);
        }
        down = Some(message);
    }
    if old {
        *request.version_mut() = http::Version::HTTP_10;
        if below(rng, 2) {
            request.headers_mut().insert("connection", "keep-alive".parse().unwrap());
        }
    } else if below(rng, 12) {
        request.headers_mut().insert("connection", "close".parse().unwrap());
    }
    if below(rng, 12) {
        response.headers_mut().insert("connection", "close".parse().unwrap());
    }
    let hints = if old { 0 } else { rng.below(3) as usize };
    Plan { request, up, response, down, hints, patient: !below(rng, 4) }
}

/// Both ends of one connection and the network between them.
struct Pair {
    client: H1,
    server: H1,
    up: Pipe,
    down: Pipe,
    /// Events not taken yet are left alone by the network for a while.
    promises: [Promises; 2],
}

impl Pair {
    fn new() -> Self {
        let config = Config::default();
        Self {
            client: H1::client(&config, NOW),
            server: H1::server(&config, NOW),
            up: Pipe::new(),
            down: Pipe::new(),
            promises: [Promises::default(), Promises::default()],
        }
    }

    /// Moves some bytes one hop, on a random side.
    fn shuffle(&mut self, rng: &mut Rng) {
        let (from, to, pipe) = match rng.below(2) {
            0 => (&mut self.client, &mut self.server, &mut self.up),
            _ => (&mut self.server, &mut self.client, &mut self.down),
        };
        let most = if below(rng, 2) { 50 } else { 20_000 };
        let room = rng.below(most) as usize;
        if below(rng, 2) {
            let mut out = Output::new();
            from.transmit(NOW, &mut out, room);
            while let Some(chunk) = out.pop() {
                pipe.extend(chunk);
            }
        } else if to.wants_input() {
            let n = room.min(pipe.len());
            let direct = to.body_room();
            if direct > 0 && below(rng, 2) {
                let bytes: Vec<u8> = pipe.drain(..n.min(direct)).collect();
                to.receive_body(NOW, Bytes::from(bytes));
            } else {
                let bytes: Vec<u8> = pipe.drain(..n).collect();
                to.receive(NOW, &bytes);
            }
        }
    }

    /// One exchange from open to the end on both sides; gives whether the connection lives.
    fn exchange(&mut self, rng: &mut Rng, plan: &Plan) -> bool {
        let stream = self.client.open(NOW, &plan.request, plan.up.is_none()).unwrap();
        self.promises[0].begin(stream);
        let (mut client, mut server) = (Heard::default(), Heard::default());
        let mut up = plan.up.as_ref().map(|message| Sending::new(rng, message));
        let mut down = plan.down.as_ref().map(|message| Sending::new(rng, message));
        let (mut hints, mut answered, mut late) = (plan.hints, false, 0);
        for step in 0.. {
            assert!(step < 2_000_000, "stuck: {plan:?}");
            self.shuffle(rng);
            self.listen(&mut client, &mut server);
            if let Some(up) = &mut up {
                up.ready |= core::mem::take(&mut client.ready);
                up.go_on(&mut self.client, stream);
            }
            if let Some(theirs) = server.stream {
                let may = server.whole || !plan.patient || below(rng, 10_000);
                if !answered && may && hints > 0 {
                    hints -= 1;
                    self.server.respond(NOW, theirs, &status(103), false);
                } else if !answered && may {
                    answered = true;
                    self.server.respond(NOW, theirs, &plan.response, plan.down.is_none());
                } else if let Some(down) = down.as_mut().filter(|_| answered) {
                    down.ready |= core::mem::take(&mut server.ready);
                    down.go_on(&mut self.server, theirs);
                }
                // The reader may be slow.
                if below(rng, 3) {
                    self.server.allow(NOW, theirs, core::mem::take(&mut server.taken));
                }
            }
            if below(rng, 3) {
                self.client.allow(NOW, stream, core::mem::take(&mut client.taken));
            }
            if server.closed && self.down.is_empty() && self.server.wire.is_empty() {
                self.client.receive_end(NOW, true, Cause::Closed);
            }
            if client.closed {
                self.server.receive_end(NOW, false, Cause::ConnectionReset);
            }
            self.listen(&mut client, &mut server);
            if client.ended && (server.ended || server.closed) {
                late += 1;
                if late > 3 {
                    break;
                }
            }
        }
        self.compare(plan, &client, &server);
        !client.closed && !server.closed
    }

    fn listen(&mut self, client: &mut Heard, server: &mut Heard) {
        while let Some(event) = self.client.poll_event() {
            self.promises[0].event(&event);
            client.event(event);
        }
        while let Some(event) = self.server.poll_event() {
            self.promises[1].event(&event);
            if matches!(event, Event::Reset { .. }) {
                server.closed = true;
                continue;
            }
            server.event(event);
        }
    }

    fn compare(&self, plan: &Plan, client: &Heard, server: &Heard) {
        let none = Message::default();
        let Some(Head::Request(request)) = &server.head else { panic!("no request: {plan:?}") };
        assert_eq!(request.method(), plan.request.method());
        assert_eq!(request.uri(), "/path?query");
        let sent = plan.up.as_ref().unwrap_or(&none);
        if server.whole {
            assert!(&server.message == sent, "{:?}", plan.request);
        } else {
            assert!(sent.body.starts_with(&server.message.body), "{plan:?}");
            assert!(!plan.patient || plan.up.is_some());
        }
        let Some(Head::Response(response)) = &client.head else { panic!("no response: {plan:?}") };
        assert_eq!(response.status(), plan.response.status());
        assert!(client.whole, "{plan:?}");
        assert!(&client.message == plan.down.as_ref().unwrap_or(&none), "{:?}", plan.response);
        assert_eq!(client.interim, plan.hints);
    }
}

#[test]
fn what_goes_in_comes_out() {
    let mut rng = Rng::new(6);
    let (mut pair, mut reused, mut whole) = (Pair::new(), 0, 0);
    for _ in 0..3000 {
        let plan = plan(&mut rng);
        if pair.exchange(&mut rng, &plan) {
            reused += 1;
            assert!(pair.up.is_empty() && pair.down.is_empty(), "{plan:?}");
        } else {
            pair = Pair::new();
        }
        whole += usize::from(plan.patient);
    }
    assert!(reused > 1500 && whole > 1500, "{reused} reused, {whole} whole");
}

/// Tunnels: both directions at once, each with an end of its own.
#[test]
fn tunnels_carry_everything_both_ways() {
    let mut rng = Rng::new(9110);
    for round in 0..200 {
        let mut pair = Pair::new();
        let head = if round % 2 == 0 {
            request("CONNECT", "b:443")
        } else {
            let mut head = get();
            head.headers_mut().insert("connection", "upgrade".parse().unwrap());
            head.headers_mut().insert("upgrade", "x".parse().unwrap());
            head
        };
        let mut answer = status(if round % 2 == 0 { 200 } else { 101 });
        answer.headers_mut().insert("upgrade", "x".parse().unwrap());
        let (up, down) = (message(&mut rng, false), message(&mut rng, false));
        let mut sending = [Sending::new(&mut rng, &up), Sending::new(&mut rng, &down)];
        let (mut client, mut server) = (Heard::default(), Heard::default());
        let stream = pair.client.open(NOW, &head, false).unwrap();
        pair.promises[0].begin(stream);
        let mut answered = false;
        while !client.closed || !server.closed {
            pair.shuffle(&mut rng);
            pair.listen(&mut client, &mut server);
            sending[0].ready |= core::mem::take(&mut client.ready);
            sending[0].go_on(&mut pair.client, stream);
            if let Some(theirs) = server.stream {
                if !core::mem::replace(&mut answered, true) {
                    // An upgraded request was whole before the tunnel began.
                    server.whole = false;
                    pair.server.respond(NOW, theirs, &answer, false);
                }
                sending[1].ready |= core::mem::take(&mut server.ready);
                sending[1].go_on(&mut pair.server, theirs);
                pair.server.allow(NOW, theirs, core::mem::take(&mut server.taken));
            }
            pair.client.allow(NOW, stream, core::mem::take(&mut client.taken));
            // Until the answer is there the client holds back what is sent.
            let released = client.head.is_some() && pair.client.wire.is_empty();
            if sending[0].done && released && pair.up.is_empty() {
                pair.server.receive_end(NOW, true, Cause::Closed);
            }
            if sending[1].done && pair.server.wire.is_empty() && pair.down.is_empty() {
                pair.client.receive_end(NOW, true, Cause::Closed);
            }
        }
        assert!(client.message == down && server.message == up, "round {round}");
        assert!(client.ended && client.whole && server.ended && server.whole);
    }
}
