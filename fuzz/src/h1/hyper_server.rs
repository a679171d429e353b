//! Requests as hyper's server reads them.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;

use http::{Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;

use super::memory::{Memory, poll_until_still};
use super::message::{End, Message};
use super::server::{answer, is_tunnel};
use crate::body::Empty;
use crate::cuts::Input;

type Heard = Rc<RefCell<Vec<Message>>>;

/// Every request that hyper accepts, answered like ours are.
pub(super) fn read(input: &Input<'_>) -> Vec<Message> {
    let heard = Heard::default();
    let service = service_fn(|request| serve(Rc::clone(&heard), request));
    let mut builder = http1::Builder::new();
    builder.auto_date_header(false).half_close(true).max_headers(1_000);
    let connection = builder.serve_connection(Memory::new(input.text, input.then, false), service);
    // An error has ended what was under way; what was heard before it counts.
    let _ = poll_until_still(connection);
    heard.take()
}

async fn serve(heard: Heard, request: Request<Incoming>) -> Result<Response<Empty>, Infallible> {
    let (head, body) = request.into_parts();
    let head = Request::from_parts(head, ());
    let response = answer(&head).map(|()| Empty);
    let tunnel = is_tunnel(&head);
    let at = heard.borrow().len();
    heard.borrow_mut().push(Message::request(head));
    if tunnel {
        heard.borrow_mut()[at].end = End::Whole;
    } else {
        let read = read_body(body, |change| change(&mut heard.borrow_mut()[at])).await;
        heard.borrow_mut()[at].end = read;
    }
    Ok(response)
}

/// Reads a body to its end; `change` enters what came.
pub(super) async fn read_body(
    mut body: Incoming,
    mut change: impl FnMut(&mut dyn FnMut(&mut Message)),
) -> End {
    loop {
        match poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            None => return End::Whole,
            Some(Err(_)) => return End::Broken,
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => change(&mut |message| message.body.extend_from_slice(&data)),
                Err(frame) => {
                    if let Ok(trailers) = frame.into_trailers() {
                        change(&mut |message| message.trailers = trailers.clone());
                    }
                }
            },
        }
    }
}
