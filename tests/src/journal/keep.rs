//! Keeping one: nothing is out of order, nothing is lost unsaid, and nothing secret is in it.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use regatta_core::journal::End;
use regatta_tokio::{ErrorKind, Recording};

use super::{Memory, finished, recording, same};
use crate::ask::{get, http2, send};
use crate::dsl::{Peer, code, data, go_away, headers, reset, run, run_on_two};
use crate::serve::{Serving, text};

/// Several threads tell the hub things at once; the journal has the order that the upstream saw.
#[test]
fn many_at_once() {
    run_on_two(async {
        let server = Serving::plain(async |_| text("ok")).await;
        let (recording, memory) = recording();
        let builder = regatta_tokio::client().record(&recording);
        let client = builder.pool(|pool| pool.max_requests_per_connection = 3.try_into().ok());
        let client = client.build().unwrap();
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (client, url) = (client.clone(), server.url("/"));
                tokio::spawn(async move {
                    for _ in 0..40 {
                        get(&client, &url).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let journal = finished(&recording, &memory);
        assert_eq!(journal.matches(" requested ").count(), 320);
        assert_eq!(journal.matches("> finished ").count(), 320);
    });
}

/// Ended in the middle of everything: only whole steps are in it.
#[test]
fn finished_while_the_client_is_busy() {
    run_on_two(async {
        let server = Serving::plain(async |_| text("ok")).await;
        let client = |recording: &Recording| http2().record(recording).build().unwrap();
        for _ in 0..50 {
            let (recording, memory) = recording();
            let client = client(&recording);
            let url = server.url("/");
            let asks = (0..4).map(|_| {
                let (client, url) = (client.clone(), url.clone());
                tokio::spawn(async move {
                    for _ in 0..5 {
                        get(&client, &url).await.unwrap();
                    }
                })
            });
            let asks: Vec<_> = asks.collect();
            get(&client, &url).await.unwrap();
            let journal = finished(&recording, &memory);
            for ask in asks {
                ask.await.unwrap();
            }
            assert_eq!(memory.text(), journal, "nothing is written after the end");
        }
    });
}

/// Header fields, paths and bodies stay where they are.
#[test]
fn names_nothing_secret() {
    run(async {
        let server = Serving::plain(async |_| text("secret answer")).await;
        let (recording, memory) = recording();
        let client = regatta_tokio::client().record(&recording).build().unwrap();
        let request = Request::post(server.url("/secret/path?secret=query"))
            .header("authorization", "Bearer secret")
            .body(Full::new(Bytes::from_static(b"secret question")))
            .unwrap();
        send(&client, request).await.unwrap();
        let url = server.url("/").replace("http://", "http://user:secret@");
        get(&client, url).await.unwrap();
        assert!(!finished(&recording, &memory).contains("secret"));
    });
}

/// A journal of a client that is gone ends by itself.
#[test]
fn a_client_that_is_dropped() {
    let (recording, memory) = recording();
    run(async {
        let server = Serving::plain(async |_| text("ok")).await;
        let client = regatta_tokio::client().record(&recording).build().unwrap();
        get(&client, server.url("/")).await.unwrap();
    });
    drop(recording);
    let journal = memory.text();
    assert_eq!(same(&journal).end, End::Complete);
    assert!(journal.contains(" drain\n"), "{journal}");
}

/// One recording, one client.
#[test]
fn a_second_client_is_an_error() {
    run(async {
        let (recording, memory) = recording();
        let builder = regatta_tokio::client().record(&recording);
        let first = builder.clone().build().unwrap();
        let error = builder.build().unwrap_err();
        let said = "record: this recording has the journal of another client";
        assert_eq!(*error.kind(), ErrorKind::Config(said.to_owned()));
        drop(first);
        finished(&recording, &memory);
    });
}

/// A sink that writes only when it is told to.
struct Slow {
    may: Receiver<()>,
    to: Memory,
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Nobody tells any more: it is as fast as it can be.
        let _ = self.may.recv();
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Requests do not wait for a disk, memory is bounded, and what is lost is told.
#[test]
fn a_sink_that_is_too_slow() {
    run_on_two(async {
        let server = Serving::plain(async |_| text("ok")).await;
        let (go, may): (Sender<()>, _) = channel();
        let memory = Memory::default();
        let recording = Recording::bounded(Slow { may, to: memory.clone() }, 2_000);
        let client = regatta_tokio::client().record(&recording).build().unwrap();
        for _ in 0..50 {
            get(&client, server.url("/")).await.unwrap();
        }
        drop(go);
        assert_eq!(recording.finish().unwrap(), End::Gap);
        let journal = memory.text();
        let summary = same(&journal);
        assert_eq!(summary.end, End::Gap);
        assert!((1..150).contains(&summary.steps), "{summary}");
        assert!(journal.len() < 6_000, "{} bytes", journal.len());
    });
}

/// A sink that takes nothing.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The requests are worth more than their journal.
#[test]
fn a_sink_that_fails() {
    run(async {
        let server = Serving::plain(async |_| text("ok")).await;
        let recording = Recording::new(Broken);
        let client = regatta_tokio::client().record(&recording).build().unwrap();
        for _ in 0..3 {
            assert_eq!(get(&client, server.url("/")).await.unwrap(), "ok");
        }
        for _ in 0..2 {
            let error = recording.finish().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
    });
}

/// A connection that ends under its requests: the hub tells the upstream things by itself then,
/// and those are in the journal too.
#[test]
fn what_the_hub_says_itself() {
    run(async {
        let (recording, memory) = recording();
        let (client, peer) = (http2().record(&recording).build().unwrap(), Peer::bind().await);
        let script = async {
            for round in 0..3 {
                let mut frames = peer.frames().await;
                frames.recv(headers(1).end()).await;
                if round == 2 {
                    frames.send_all(&[headers(1).status(200), data(1, "ok").end()]).await;
                    return frames;
                }
                frames.send(reset(1, code::REFUSED_STREAM)).await;
                frames.send(go_away(0, code::NO_ERROR)).await;
            }
            unreachable!("the third round returns");
        };
        let client = &client;
        let asks = async {
            let mut said = get(client, peer.url("/")).await;
            while said.is_err() {
                said = get(client, peer.url("/")).await;
            }
            said
        };
        let (said, _frames) = tokio::join!(asks, script);
        assert_eq!(said.unwrap(), "ok");
        finished(&recording, &memory);
    });
}
