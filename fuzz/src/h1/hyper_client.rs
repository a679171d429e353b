//! A response as hyper's client reads it.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::rc::Rc;

use http::{Request, Response};
use hyper::client::conn::http1;

use super::hyper_server::read_body;
use super::memory::{Memory, poll_until_still};
use super::message::{End, Message};
use crate::body::Empty;
use crate::cuts::Input;

/// What hyper makes of the answer to `request`: nothing when it refuses the head.
pub(super) fn read(input: &Input<'_>, request: &Request<()>) -> Option<Message> {
    let heard = Rc::new(RefCell::new(None));
    let memory = Memory::new(input.text, input.then, true);
    let mut builder = http1::Builder::new();
    builder.max_headers(1_000);
    let handshake = builder.handshake::<_, Empty>(memory);
    let (mut sender, connection) = poll_until_still(handshake)?.ok()?;
    let request = request.clone().map(|()| Empty);
    let ask = async {
        let response = sender.send_request(request).await.ok()?;
        let (head, body) = response.into_parts();
        *heard.borrow_mut() = Some(Message::response(Response::from_parts(head, ())));
        let end = read_body(body, |change| {
            if let Some(message) = heard.borrow_mut().as_mut() {
                change(message);
            }
        });
        Some(end.await)
    };
    let mut ask = core::pin::pin!(ask);
    let mut connection = core::pin::pin!(connection);
    let mut over = false;
    let end = poll_until_still(poll_fn(|context| {
        over = over || connection.as_mut().poll(context).is_ready();
        ask.as_mut().poll(context)
    }));
    let mut message = heard.take()?;
    message.end = end.flatten().unwrap_or(End::Open);
    Some(message)
}
