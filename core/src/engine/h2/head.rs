//! Heads as the h2 crate takes and gives them.

use http::header;
use http::uri::{Parts, PathAndQuery};
use http::{Method, Request, Response, Uri, Version};

pub(super) use crate::engine::head::{expects_continue, fields, has_no_content};

use crate::engine::Extended;
use crate::engine::head::{Target, strip};

/// A request as h2 takes it: absolute URI without user information, no connection fields, Host
/// moved into the authority. `None` if scheme or authority is missing.
pub(super) fn request(head: &Request<()>) -> Option<Request<()>> {
    let protocol = head.extensions().get::<h2::ext::Protocol>().cloned();
    let named = || head.extensions().get::<Extended>().map(|named| named.as_str().into());
    let protocol = protocol.or_else(named).filter(|_| *head.method() == Method::CONNECT);
    let Target { scheme, authority, path } = crate::engine::head::target(head, protocol.is_some())?;
    let mut target = Parts::default();
    target.scheme = scheme.cloned();
    target.authority = Some(authority.into_owned());
    target.path_and_query = path.map(|path| match path.as_str() {
        // An empty one must be said.
        "/" => PathAndQuery::from_static("/"),
        _ => path.clone(),
    });
    let mut out = Request::new(());
    *out.method_mut() = head.method().clone();
    *out.version_mut() = Version::HTTP_2;
    *out.headers_mut() = fields(head.headers());
    out.headers_mut().remove(header::HOST);
    *out.uri_mut() = Uri::from_parts(target).ok()?;
    if let Some(protocol) = protocol {
        out.extensions_mut().insert(protocol);
    }
    Some(out)
}

/// A response as h2 takes it.
pub(super) fn response(mut head: Response<()>) -> Response<()> {
    *head.version_mut() = Version::HTTP_2;
    strip(head.headers_mut());
    head
}

/// A request that came is made whole. `false` when it names no host, or two (H2-5, H-3), and for
/// a CONNECT without a port (H-6).
pub(super) fn complete(head: &mut Request<()>) -> bool {
    let Some(protocol) = head.extensions().get::<h2::ext::Protocol>() else {
        return crate::engine::head::complete(head, false);
    };
    let Some(named) = Extended::new(protocol.as_str()) else { return false };
    head.extensions_mut().insert(named);
    crate::engine::head::complete(head, true)
}
