//! A response that ends behind each of its bytes in turn: what each beginning of it comes to.

use core::net::SocketAddr;
use std::process::Stdio;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use regatta_models::tape::Tape;
use regatta_runtime::{Client, Listener as _, Runtime};
use regatta_sim::choice::Choices;
use regatta_sim::{Host, Net};
use regatta_tokio::Tokio;
use tokio::process::Command;

use super::fault::{Step, Way, serve_each};
use super::http2;
use crate::dsl::run_for;
use crate::peers::program::regatta;
use crate::serve::ANY;

/// What a beginning of an answer comes to: curl's exit code, and the sentence behind the origin.
type Comes = (i32, &'static str);

const NOTHING: Comes = (52, "the peer closed the connection before it answered");
const CUT: Comes = (18, "the connection ended in the middle of a response");
const WHOLE: Comes = (0, "");

/// An answer, and what its beginnings come to: so many of them in a row come to the same.
struct Answer {
    way: Way,
    bytes: Vec<u8>,
    comes: Vec<(usize, Comes)>,
}

fn answers() -> Vec<Answer> {
    let text = |text: &str| text.as_bytes().to_vec();
    let framed = [http2::SETTINGS, &http2::head(1, &[]), &http2::data(1, b"hello", 0)].concat();
    let framed = [&framed[..], &http2::data(1, b"world", http2::END_STREAM)].concat();
    vec![
        Answer {
            way: Way::Http1,
            bytes: text("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"),
            comes: vec![(1, NOTHING), (42, CUT), (1, WHOLE)],
        },
        Answer {
            way: Way::Http1,
            bytes: text(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\
                 a: b\r\n\r\n",
            ),
            comes: vec![(1, NOTHING), (71, CUT), (1, WHOLE)],
        },
        Answer {
            way: Way::Http1,
            bytes: text("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\nhello"),
            comes: vec![(1, NOTHING), (46, CUT), (6, WHOLE)],
        },
        Answer {
            way: Way::Http2,
            // The answer's head is whole behind 19 bytes.
            bytes: framed,
            comes: vec![(19, NOTHING), (28, CUT), (1, WHOLE)],
        },
    ]
}

impl Answer {
    /// One script for each beginning. A whole answer leaves its connection open, unless its end
    /// is what says so: the next request would meet the end on its way.
    fn scripts(&self) -> Vec<Vec<Step>> {
        let ends = self.comes.last().is_some_and(|(times, _)| *times > 1);
        let cut = |at: usize| {
            let mut script = vec![Step::Request, Step::Say(self.bytes[..at].to_vec())];
            if ends || at < self.bytes.len() {
                script.push(Step::Finish);
            }
            script
        };
        (0..=self.bytes.len()).map(cut).collect()
    }

    fn expected(&self) -> Vec<Comes> {
        self.comes.iter().flat_map(|(times, comes)| vec![*comes; *times]).collect()
    }

    /// What came and should not have, as runs of the same.
    fn wrong(&self, came: &[String], expected: &[String]) -> Option<String> {
        let mut runs: Vec<(usize, &String)> = Vec::new();
        for one in came {
            match runs.last_mut() {
                Some((times, last)) if *last == one => *times += 1,
                _ => runs.push((1, one)),
            }
        }
        let text = String::from_utf8_lossy(&self.bytes);
        (came != expected).then(|| format!("{text:?} came to {runs:?}"))
    }
}

/// Asks once for each beginning, by what is sent only once, and once more.
async fn play<R: Runtime>(runtime: R, listener: R::Listener, answer: &Answer) -> Option<String> {
    let at = listener.local_address().unwrap();
    let scripts = answer.scripts();
    let count = scripts.len();
    runtime.spawn(serve_each(runtime.clone(), listener, answer.way, scripts, || {}));
    let protocols = answer.way.protocols();
    let client = Client::builder(runtime).profile(|profile| profile.protocols = protocols);
    let client = client.build().unwrap();
    let mut came = Vec::new();
    for _ in 0..count {
        came.push(match post(&client, at).await {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        });
        client.check();
    }
    let next = post(&client, at).await;
    assert_eq!(next.unwrap(), "ok", "the next");
    assert_eq!(client.inspect(|upstream| upstream.requests()), 0);
    let say = |(_, says): Comes| match says {
        "" => String::new(),
        says => format!("http://{at}: {says}"),
    };
    let expected: Vec<String> = answer.expected().into_iter().map(say).collect();
    answer.wrong(&came, &expected)
}

async fn post<R: Runtime>(
    client: &Client<R>,
    at: SocketAddr,
) -> Result<Bytes, regatta_runtime::Error> {
    let request =
        Request::post(format!("http://{at}/")).body(Full::new(Bytes::from_static(b"x"))).unwrap();
    Ok(client.request(request).await?.into_body().collect().await?.to_bytes())
}

fn check(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn on_sockets() {
    run_for(super::sockets::PATIENCE, async {
        let mut wrong = Vec::new();
        for answer in answers() {
            let runtime = Tokio::new();
            let listener = runtime.listen(ANY.into()).await.unwrap();
            wrong.extend(play(runtime, listener, &answer).await);
        }
        check(&wrong);
    });
}

#[test]
fn simulated() {
    let mut wrong = Vec::new();
    for answer in answers() {
        for net in [Net::seeded(1), Net::new(Choices::new(Tape::seeded(2)), 2)] {
            let host: Host = net.host("host", ["192.0.2.1".parse().unwrap()]);
            let at: SocketAddr = "192.0.2.1:80".parse().unwrap();
            let played = net.run(async {
                let listener = host.listen(at.into()).await.unwrap();
                play(host.clone(), listener, &answer).await
            });
            wrong.extend(played.unwrap_or_else(|stuck| Some(stuck.to_string())));
        }
    }
    check(&wrong);
}

/// One run of `regatta get` asks for all beginnings.
#[test]
fn said() {
    // Built before the clock runs.
    regatta();
    run_for(super::sockets::PATIENCE, async {
        let mut wrong = Vec::new();
        for answer in answers() {
            let runtime = Tokio::new();
            let listener = runtime.listen(ANY.into()).await.unwrap();
            let origin = format!("http://{}", listener.local_address().unwrap());
            let scripts = answer.scripts();
            let count = scripts.len();
            let serving = tokio::spawn(serve_each(runtime, listener, answer.way, scripts, || {}));
            let mut command = Command::new(regatta());
            command.args(["get", "-sS", "-d", "x", "-w", "%{exitcode} %{errormsg}\\n"]);
            if answer.way == Way::Http2 {
                command.arg("--http2-prior-knowledge");
            }
            for _ in 0..=count {
                command.args(["-o", "/dev/null", &origin]);
            }
            let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
            serving.abort();
            let said = String::from_utf8(output.stdout).unwrap();
            let came: Vec<String> = said.lines().map(|line| line.trim().to_owned()).collect();
            let say = |(code, says): Comes| match says {
                "" => code.to_string(),
                says => format!("{code} {origin}: {says}"),
            };
            let next = (0, "");
            let expected: Vec<String> =
                answer.expected().into_iter().chain([next]).map(say).collect();
            wrong.extend(answer.wrong(&came, &expected));
        }
        check(&wrong);
    });
}
