//! Nobody can listen: everything is empty.

use core::net::SocketAddr;

use http::{Request, StatusCode};
use regatta_core::types::{Cause, Origin, Protocol};

use crate::error::Error;
use crate::hooks::{ConnectionEvent, ConnectionFacts, RequestEvent, RequestFacts};
use crate::server::ConnectionHandle;
use crate::timeline::Timeline;

/// The span of one request of a client.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestSpan(());

impl RequestSpan {
    pub(crate) const fn of(_: &Request<()>, _: &Origin, _: bool) -> Self {
        Self(())
    }

    pub(crate) const fn listens(&self) -> bool {
        false
    }

    pub(crate) const fn tell(&self, _: &RequestFacts, _: &RequestEvent, _: Option<&Timeline>) {}

    pub(crate) fn answered(&self, _: StatusCode, _: u32, _: impl FnOnce() -> Timeline) {}

    pub(crate) const fn failed(&self, _: &Error, _: u32) {}
}

pub(crate) const fn hears_connections() -> bool {
    false
}

pub(crate) const fn tell_connection(_: &ConnectionFacts, _: &ConnectionEvent) {}

/// The span of one request of a server.
#[derive(Debug)]
pub(crate) struct ServerSpan;

impl ServerSpan {
    pub(crate) const fn of(_: &Request<()>, _: Option<&ConnectionHandle>) -> Self {
        Self
    }

    pub(crate) fn scope<T>(&self, work: impl FnOnce() -> T) -> T {
        work()
    }

    pub(crate) const fn answered(&self, _: StatusCode) {}

    pub(crate) const fn given_up(&self) {}
}

pub(crate) const fn served(_: Option<SocketAddr>, _: Protocol, _: bool) {}

pub(crate) const fn closed(_: Option<SocketAddr>, _: Cause) {}

#[cfg(feature = "http3")]
pub(crate) const fn port_lost(_: Option<SocketAddr>, _: Cause) {}
