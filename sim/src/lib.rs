//! regatta-sim: the production driver and engines on a virtual clock and a simulated network.
//!
//! A [`Net`] is a world of hosts, links and names in one thread. Every [`Host`] of it is a
//! [`Runtime`](regatta_runtime::Runtime) like tokio's, so that clients and servers run in it
//! unchanged, with real TLS. Everything that could go one way or another is drawn from a
//! [`Tape`](regatta_models::tape::Tape): the same tape gives the same steps and the same digest.
//!
//! In a test of one's own it reads like this; `tests/library.rs` has an IPv6 that is broken and a
//! server without power, `examples/fallback.rs` a sweep.
//!
//! ```
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Empty, Full};
//! use regatta_runtime::{Client, Server};
//! use regatta_sim::{Link, Net};
//!
//! let net = Net::seeded(7);
//! let server = net.host("server", ["192.0.2.1".parse().unwrap()]);
//! let client = net.host("client", ["192.0.2.9".parse().unwrap()]);
//! net.link(&client, &server, Link::delay(Duration::from_millis(20)));
//! net.name("www.test", ["192.0.2.1".parse().unwrap()]);
//!
//! let body = net.run(async {
//!     let at = "192.0.2.1:80".parse::<core::net::SocketAddr>().unwrap();
//!     let listening = Server::builder(server.clone()).bind(at).await.unwrap();
//!     server.spawn(listening.serve(|_| async {
//!         Response::new(Full::new(Bytes::from("hello")))
//!     }));
//!     let client = Client::builder(client).build().unwrap();
//!     let request = Request::get("http://www.test/").body(Empty::<Bytes>::new()).unwrap();
//!     let response = client.request(request).await.unwrap();
//!     response.into_body().collect().await.unwrap().to_bytes()
//! });
//! assert_eq!(body.unwrap(), "hello");
//! // One round trip to connect, one to ask.
//! assert_eq!(net.now().as_nanos(), 80_000_000);
//! # use regatta_runtime::Runtime as _;
//! ```
#![forbid(unsafe_code)]

pub mod choice;
mod datagrams;
mod executor;
pub mod explore;
mod host;
pub mod net;
pub mod peer;
#[cfg(feature = "scenario")]
pub mod report;
#[cfg(feature = "scenario")]
pub mod scenario;
pub mod step;
pub mod tls;
mod watched;
mod world;

pub use datagrams::UdpSocket;
pub use executor::{Net, Stuck};
pub use host::{Host, Listening, SimTimer, Socket};
pub use net::link::Link;
pub use net::lookup::Lookup;
