//! A client under tower's layers: a time limit over all, tries that are repeated, and a time limit
//! for each try.
//!
//! regatta sends a request again by itself only where nobody can notice, as when a connection
//! closes before it took it. Whether a 503 or a slow answer deserves another try is for the
//! program to say, and here it says it.
//!
//! ```sh
//! cargo run -p regatta-examples --example tower_stack   # asks a small origin of its own
//! cargo run -p regatta-examples --example tower_stack -- https://example.org   # GETs that
//! ```

use std::error::Error;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use regatta_tokio::Body;
use tokio::time::{Sleep, sleep};
use tower::retry::Policy;
use tower::timeout::error::Elapsed;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt as _};

/// Who tries again needs the body again: one that can be cloned, as `Full` can at no cost.
type Question = Request<Full<Bytes>>;
type Answer = Response<Body>;

#[tokio::main]
async fn main() -> ExitCode {
    match run(std::env::args().nth(1)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(url: Option<String>) -> Result<(), Box<dyn Error + Send + Sync>> {
    let client = regatta_tokio::client().build()?;
    // The outermost layer comes first.
    let stack = ServiceBuilder::new()
        .timeout(Duration::from_secs(10))
        .retry(Tries { left: 3, pause: Duration::from_millis(20) })
        .timeout(Duration::from_millis(500))
        .service(client.clone());

    match url {
        Some(url) => {
            let (status, body) = ask(stack, &url).await?;
            println!("GET {url}: {status}, {} bytes", body.len());
            if !status.is_success() {
                return Err(format!("{url} answered {status}").into());
            }
        }
        None => {
            let origin = origin().await?;
            for path in ["/busy-twice", "/asleep-once", "/always-busy", "/never"] {
                match ask(stack.clone(), &format!("{origin}{path}")).await {
                    Ok((status, body)) => println!("{path}: {status}, {body:?}"),
                    // What fails in a layer is the layer's error; what fails in the client is
                    // still a `regatta_tokio::Error` inside of the box.
                    Err(error) if error.is::<Elapsed>() => println!("{path}: no try was in time"),
                    Err(error) => return Err(error),
                }
            }
        }
    }
    println!("\nwhat the client did:\n{}", client.stats());
    Ok(())
}

/// One GET through any stack of layers: this is all that the rest of a program sees of it.
async fn ask<S>(mut stack: S, url: &str) -> Result<(StatusCode, Bytes), BoxError>
where
    S: Service<Question, Response = Answer, Error = BoxError>,
{
    let question = Request::get(url).body(Full::default())?;
    let answer = stack.ready().await?.call(question).await?;
    let status = answer.status();
    // Tower's time limits end with the head. For the body as well there is regatta's own
    // `request_timeout`.
    Ok((status, answer.into_body().collect().await?.to_bytes()))
}

/// Tries again after a 503 and after a failure, with a pause that doubles.
#[derive(Clone, Debug)]
struct Tries {
    left: u32,
    pause: Duration,
}

impl Policy<Question, Answer, BoxError> for Tries {
    type Future = Sleep;

    fn retry(
        &mut self,
        question: &mut Question,
        answer: &mut Result<Answer, BoxError>,
    ) -> Option<Sleep> {
        let worth_it = match answer {
            Ok(answer) => answer.status() == StatusCode::SERVICE_UNAVAILABLE,
            Err(_) => true,
        };
        // The origin may have acted already. Doing it twice must be as good as once.
        if !worth_it || !question.method().is_idempotent() || self.left == 0 {
            return None;
        }
        self.left -= 1;
        let pause = self.pause;
        self.pause *= 2;
        Some(sleep(pause))
    }

    fn clone_request(&mut self, question: &Question) -> Option<Question> {
        Some(question.clone())
    }
}

/// Starts an origin that has bad moments, and says where it is.
async fn origin() -> Result<String, BoxError> {
    let server = regatta_tokio::server().bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", server.local_address()?);
    let (busy, asleep) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let answer = move |request: Request<Body>| {
        let (busy, asleep) = (Arc::clone(&busy), Arc::clone(&asleep));
        async move {
            let mut answer = Response::new(Body::from("here you are"));
            match request.uri().path() {
                "/busy-twice" if busy.fetch_add(1, Ordering::Relaxed) >= 2 => {}
                "/asleep-once" if asleep.fetch_add(1, Ordering::Relaxed) >= 1 => {}
                "/busy-twice" | "/always-busy" => {
                    *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                    *answer.body_mut() = Body::from("try later");
                }
                "/asleep-once" | "/never" => std::future::pending().await,
                _ => *answer.status_mut() = StatusCode::NOT_FOUND,
            }
            answer
        }
    };
    tokio::spawn(server.serve(answer));
    Ok(url)
}
