//! The journal of a client whose whole world is simulated: the same to the byte every time, and
//! replayed without the world.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use regatta_core::journal::{End, replay};
use regatta_models::tape::Tape;
use regatta_runtime::{Client, Recording, Roots, Runtime as _, Server};
use regatta_sim::choice::Choices;
use regatta_sim::{Link, Net, tls};

/// A file in memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Requests over TLS to a server that drains its connection now and then.
fn journal(seed: u64) -> String {
    let net = Net::new(Choices::new(Tape::seeded(seed)), seed);
    let server = net.host("server", ["192.0.2.1".parse().unwrap()]);
    let client = net.host("client", ["192.0.2.9".parse().unwrap()]);
    net.link(&client, &server, Link::delay(Duration::from_millis(20)));
    net.name("www.test", ["192.0.2.1".parse().unwrap()]);
    let memory = Memory::default();
    let recording = Recording::new(memory.clone());
    let asked = net.run(async {
        let at: SocketAddr = "192.0.2.1:443".parse().unwrap();
        let builder = Server::builder(server.clone()).tls(tls::good());
        let listening = builder.bind(at).await.unwrap();
        server.spawn(listening.serve(|request: Request<regatta_runtime::Body>| async move {
            if request.uri().path().ends_with('3') {
                request.body().connection().unwrap().drain();
            }
            Response::new(Full::new(Bytes::from_static(b"here")))
        }));
        let roots = Roots::Der(vec![tls::ROOT.to_vec()]);
        let client = Client::builder(client).roots(roots).record(&recording).build().unwrap();
        for n in 0..10 {
            let request = Request::get(format!("https://www.test/{n}"));
            let response = client.request(request.body(Full::<Bytes>::default()).unwrap()).await;
            response.unwrap().into_body().collect().await.unwrap();
        }
        assert_eq!(recording.finish().unwrap(), End::Complete);
    });
    asked.unwrap();
    String::from_utf8(memory.0.lock().unwrap().clone()).unwrap()
}

#[test]
fn a_simulated_run_is_written_the_same_every_time_and_replays() {
    for seed in 0..10 {
        let first = journal(seed);
        assert_eq!(first, journal(seed), "seed {seed}");
        let summary = replay(first.as_bytes()).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(summary.end, End::Complete);
        assert_eq!(first.matches("> finished ").count(), 10);
        assert!(first.contains(" refusing "), "{first}");
    }
}
