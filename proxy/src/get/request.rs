//! The request that the command line asks for, made anew for every URL that a redirect leads to.

use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, COOKIE,
    EXPECT, HOST, HeaderName, IF_NONE_MATCH, RANGE, REFERER, TRANSFER_ENCODING, USER_AGENT,
};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version};
use regatta_core::basic::Credentials;

use super::decode;
use super::exit_code::{Exit, Failure};
use super::netrc::Netrc;
use super::payload::{Part, Payload};
use super::redirect::Kind;
use super::url::Url;
use super::{data, form};
use crate::cli::GetArgs;
use crate::cli::value::HeaderLine;

/// Our User-Agent.
pub(crate) const PRODUCT: &str = concat!("regatta/", env!("CARGO_PKG_VERSION"));

/// A POST larger than this asks whether it may go (curl's own).
const EXPECT_ABOVE: u64 = 1 << 20;

/// A request that can be made again.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) kind: Kind,
    /// `-X`.
    method: Option<Method>,
    /// `-H`, with what its files have.
    lines: Vec<HeaderLine>,
    payload: Payload,
    /// Of the body, unless a line says another.
    content_type: Option<HeaderValue>,
    accepts: &'static str,
    /// Where the chain begins: who may have its secrets.
    first: Url,
    referer: Option<String>,
    /// Redirects say where they came from.
    refers: bool,
    authorization: Option<HeaderValue>,
    netrc: Option<Netrc>,
    literal_cookies: String,
    /// Range, or Content-Range of an upload.
    range: Option<String>,
    content_range: Option<String>,
    etag: Option<String>,
    target: Option<PathAndQuery>,
    product: Option<HeaderValue>,
    trusts_all: bool,
    compressed: bool,
    is_old: bool,
    speaks_http2_only: bool,
}

/// What belongs to one transfer beside the options.
#[derive(Clone, Debug, Default)]
pub(crate) struct Aim {
    /// `-T`.
    pub(crate) upload: Option<String>,
    /// Where `-C` goes on.
    pub(crate) offset: u64,
    /// For what must differ between requests.
    pub(crate) seed: u64,
}

impl Template {
    /// What `args` ask of `url`; reads the files that they name. The URL may get more.
    pub(crate) fn new(args: &GetArgs, url: Url, aim: &Aim) -> Result<(Self, Url), Failure> {
        let (url, kind, payload, content_type) = content(args, url, aim)?;
        let request = &args.request;
        let is_json = args.data.iter().any(|piece| matches!(piece, crate::cli::Data::Json(_)));
        let content_type = if is_json { Some("application/json".to_owned()) } else { content_type };
        let credentials = request.user.as_deref().map(Credentials::typed);
        let netrc = Netrc::of(args);
        let own = || url.credentials().filter(|_| netrc.is_none()).cloned();
        let credentials = credentials.or_else(own);
        let bearer = request.oauth2_bearer.as_ref().map(|token| format!("Bearer {token}"));
        let authorization = match bearer {
            Some(bearer) => Some(field_value("--oauth2-bearer", &bearer)?),
            None => credentials.and_then(|credentials| credentials.basic()),
        };
        let (referer, refers) = match request.referer.as_deref() {
            Some(text) => match text.strip_suffix(";auto") {
                Some(first) => (Some(first.to_owned()), true),
                None => (Some(text.to_owned()), false),
            },
            None => (None, false),
        };
        let cookies = request.cookie.iter().filter(|cookie| cookie.contains('='));
        let cookies: Vec<&str> = cookies.map(String::as_str).collect();
        let (range, content_range) = ranges(args, kind, &payload, aim.offset);
        let template = Self {
            kind,
            method: request.method.clone(),
            lines: lines(&args.request.headers)?,
            payload,
            content_type: content_type.and_then(|text| HeaderValue::from_str(&text).ok()),
            accepts: if is_json { "application/json" } else { "*/*" },
            first: url.clone(),
            referer: referer.filter(|text| !text.is_empty()),
            refers,
            authorization,
            netrc,
            literal_cookies: cookies.join(";"),
            range,
            content_range,
            etag: etag(args)?,
            target: target(args)?,
            product: request.user_agent.clone(),
            trusts_all: request.location_trusted,
            compressed: request.compressed,
            is_old: args.way.http1_0,
            speaks_http2_only: args.way.http2_prior_knowledge,
        };
        Ok((template, url))
    }

    /// The method on the wire.
    pub(crate) fn method(&self) -> Method {
        self.method.clone().unwrap_or_else(|| self.kind.method())
    }

    /// The Referer that is sent.
    pub(crate) fn referer(&self) -> Option<&str> {
        self.referer.as_deref()
    }

    /// What is sent behind the head.
    pub(crate) fn payload(&self) -> Payload {
        if self.kind.has_body() { self.payload.clone() } else { Payload::default() }
    }

    /// Whether standard input goes out: that cannot be had a second time.
    pub(crate) fn sends_stdin(&self) -> bool {
        self.kind.has_body() && self.payload.0.contains(&Part::Stdin)
    }

    /// Becomes what goes to the next URL of a chain.
    pub(crate) fn redirect(&mut self, from: &Url, status: StatusCode, args: &GetArgs) {
        self.kind = self.kind.after(status, args);
        if self.refers {
            self.referer = Some(from.to_string());
        }
    }

    /// The head for `url`, with the cookies of the jar.
    pub(crate) fn head(&self, url: &Url, jar: Option<String>) -> Request<()> {
        let is_first = self.trusts_all || self.first.same_origin(url);
        let mut headers = self.defaults(url, is_first);
        if let Some(cookies) = self.cookies(jar) {
            headers.insert(COOKIE, cookies);
        }
        for line in &self.lines {
            if let HeaderLine::Set(name, _) | HeaderLine::Remove(name) = line
                && *name != COOKIE
            {
                headers.remove(name);
            }
        }
        for line in &self.lines {
            let HeaderLine::Set(name, value) = line else { continue };
            let is_secret = *name == AUTHORIZATION || *name == COOKIE;
            let stays = (is_secret && !is_first)
                || (*name == HOST && url.host() != self.first.host())
                || (*name == CONTENT_LENGTH && !self.kind.has_body());
            if !stays {
                headers.append(name, self.own(name, value));
            }
        }
        let is_framed =
            [CONTENT_LENGTH, TRANSFER_ENCODING].iter().any(|name| headers.contains_key(name));
        if self.kind.has_body()
            && !is_framed
            && let Some(length) = self.payload.length()
        {
            // Also for none at all, which RFC 9110 8.6 asks of methods that expect one.
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        let mut request = Request::new(());
        *request.method_mut() = self.method();
        *request.uri_mut() = self.uri(url);
        *request.headers_mut() = headers;
        if self.is_old {
            *request.version_mut() = Version::HTTP_10;
        }
        request
    }

    /// What is sent unless a line says otherwise.
    fn defaults(&self, url: &Url, is_first: bool) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let product = self.product.clone();
        let product = product.unwrap_or_else(|| HeaderValue::from_static(PRODUCT));
        let mut put = |name: HeaderName, value: Option<HeaderValue>| {
            if let Some(value) = value {
                headers.insert(name, value);
            }
        };
        let text =
            |text: &Option<String>| text.as_ref().and_then(|text| HeaderValue::from_str(text).ok());
        put(USER_AGENT, Some(product).filter(|product| !product.is_empty()));
        put(ACCEPT, Some(HeaderValue::from_static(self.accepts)));
        if self.compressed {
            put(ACCEPT_ENCODING, Some(HeaderValue::from_static(decode::ACCEPTED)));
        }
        put(REFERER, text(&self.referer));
        put(IF_NONE_MATCH, text(&self.etag));
        let own = match &self.netrc {
            Some(netrc) => netrc.credentials(url).and_then(|known| known.basic()),
            None => url.credentials().and_then(Credentials::basic),
        };
        let authorization = self.authorization.clone().filter(|_| is_first);
        put(AUTHORIZATION, authorization.or(own));
        if self.kind.has_body() {
            put(CONTENT_TYPE, self.content_type.clone());
            put(CONTENT_RANGE, text(&self.content_range));
            if self.expects(url) {
                put(EXPECT, Some(HeaderValue::from_static("100-continue")));
            }
        } else {
            put(RANGE, text(&self.range));
        }
        headers
    }

    /// A value of `-H`; a form's type always says what its boundary is.
    fn own(&self, name: &HeaderName, value: &HeaderValue) -> HeaderValue {
        let boundary = self.content_type.as_ref().and_then(|kind| {
            let text = kind.to_str().ok()?;
            text.find("; boundary=").map(|at| &text[at..])
        });
        match boundary.filter(|_| *name == CONTENT_TYPE && self.kind.has_body()) {
            None => value.clone(),
            Some(boundary) => {
                let both = [value.as_bytes(), boundary.as_bytes()].concat();
                HeaderValue::from_bytes(&both).unwrap_or_else(|_| value.clone())
            }
        }
    }

    /// Whether the body waits for 100 Continue: not over HTTP/2 or HTTP/1.0.
    fn expects(&self, url: &Url) -> bool {
        let length = self.payload.length();
        let is_large = match self.kind {
            Kind::Put => length != Some(0),
            _ => length.is_none_or(|length| length > EXPECT_ABOVE),
        };
        is_large && !self.is_old && !self.speaks_http2_only && !url.is_https()
    }

    fn cookies(&self, jar: Option<String>) -> Option<HeaderValue> {
        let mut text = jar.unwrap_or_default();
        if !self.literal_cookies.is_empty() {
            if !text.is_empty() {
                text.push_str("; ");
            }
            text.push_str(&self.literal_cookies);
        }
        HeaderValue::from_str(&text).ok().filter(|value| !value.is_empty())
    }

    fn uri(&self, url: &Url) -> Uri {
        let Some(target) = &self.target else { return url.uri().clone() };
        let mut parts = url.uri().clone().into_parts();
        parts.path_and_query = Some(target.clone());
        Uri::from_parts(parts).unwrap_or_else(|_| url.uri().clone())
    }
}

/// What is sent and where: data may go into the URL, an upload's name too.
fn content(
    args: &GetArgs,
    url: Url,
    aim: &Aim,
) -> Result<(Url, Kind, Payload, Option<String>), Failure> {
    let malformed =
        |error: super::url::UrlError| Failure::new(Exit::MalformedUrl, error.to_string());
    let mut url = url;
    for piece in &args.request.url_query {
        url = url.with_query(&data::query(piece)?).map_err(malformed)?;
    }
    let plain = if args.request.head { Kind::Head } else { Kind::Get };
    if let Some(file) = &aim.upload {
        let name = file.rsplit('/').next().unwrap_or(file);
        let part = match file.as_str() {
            "-" | "." => Part::Stdin,
            file => Part::file(std::path::Path::new(file), aim.offset).map_err(|error| {
                Failure::new(Exit::Read, format!("cannot read {file} to send it: {error}"))
            })?,
        };
        if part != Part::Stdin {
            url = url.with_name(name).map_err(malformed)?;
        }
        return Ok((url, Kind::Put, Payload(vec![part]), None));
    }
    if !args.form.is_empty() {
        let form = form::build(&args.form, args.content.form_escape, aim.seed)?;
        return Ok((url, Kind::Post, form.payload, Some(form.content_type)));
    }
    if args.data.is_empty() {
        return Ok((url, plain, Payload::default(), None));
    }
    let joined = data::join(&args.data)?;
    if args.request.get {
        return Ok((url.with_query(&joined).map_err(malformed)?, plain, Payload::default(), None));
    }
    let kind = "application/x-www-form-urlencoded".to_owned();
    Ok((url, Kind::Post, Payload(vec![Part::Bytes(joined.into())]), Some(kind)))
}

/// All `-H` or `--proxy-header`; a file has one a line.
pub(crate) fn lines(given: &[HeaderLine]) -> Result<Vec<HeaderLine>, Failure> {
    let mut lines = Vec::new();
    for line in given {
        let HeaderLine::File(file) = line else {
            lines.push(line.clone());
            continue;
        };
        let text = String::from_utf8_lossy(&data::read(file)?).into_owned();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let line = crate::cli::value::header(line)
                .map_err(|error| Failure::new(Exit::Usage, format!("{file}: {error}")))?;
            lines.push(line);
        }
    }
    Ok(lines)
}

/// Range of a download, or Content-Range of an upload.
fn ranges(
    args: &GetArgs,
    kind: Kind,
    payload: &Payload,
    offset: u64,
) -> (Option<String>, Option<String>) {
    let range = match &args.request.range {
        _ if offset > 0 => Some(format!("{offset}-")),
        Some(range) if range.contains('-') => Some(range.clone()),
        Some(range) => Some(format!("{range}-")),
        None => None,
    };
    let Some(range) = range else { return (None, None) };
    if !kind.has_body() {
        return (Some(format!("bytes={range}")), None);
    }
    let length = payload.length().unwrap_or_default();
    let text = if offset > 0 {
        let total = offset + length;
        format!("bytes {range}{}/{total}", total.saturating_sub(1))
    } else {
        format!("bytes {range}/{length}")
    };
    (None, Some(text))
}

/// What `--etag-compare` has; an empty one is unlike every other.
fn etag(args: &GetArgs) -> Result<Option<String>, Failure> {
    let Some(file) = &args.output.etag_compare else { return Ok(None) };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            let text = format!("cannot read the ETag of {}: {error}", file.display());
            return Err(Failure::new(Exit::Read, text));
        }
    };
    let etag = text.lines().next().unwrap_or_default().trim();
    Ok(Some(if etag.is_empty() { "\"\"".to_owned() } else { etag.to_owned() }))
}

fn target(args: &GetArgs) -> Result<Option<PathAndQuery>, Failure> {
    let Some(target) = &args.request.request_target else { return Ok(None) };
    let parsed = target.parse::<PathAndQuery>().ok();
    let parsed = parsed.filter(|_| target.starts_with('/') || target == "*");
    parsed.map(Some).ok_or_else(|| {
        let text = format!("--request-target {target}: expected a path that begins with / or *");
        Failure::new(Exit::MalformedUrl, text)
    })
}

fn field_value(option: &str, text: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        Failure::new(Exit::BadArgument, format!("{option} has what cannot stand in a field"))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tests::get;

    fn at(line: &str, url: &str) -> Template {
        let url = Url::parse(url).unwrap();
        Template::new(&get(line).unwrap(), url, &Aim::default()).unwrap().0
    }

    fn template(line: &str) -> Template {
        at(line, "http://c/")
    }

    fn headers(line: &str) -> HeaderMap {
        let template = template(line);
        template.head(&template.first, None).headers().clone()
    }

    #[test]
    fn the_method_follows_from_the_options() {
        for (line, method) in [
            ("a", "GET"),
            ("-I a", "HEAD"),
            ("-d x a", "POST"),
            ("-F x=y a", "POST"),
            ("-G -d x a", "GET"),
            ("-I -G -d x a", "HEAD"),
            ("-X PUT -d x a", "PUT"),
            ("-X BREW a", "BREW"),
        ] {
            assert_eq!(template(line).method().as_str(), method, "{line}");
        }
    }

    #[test]
    fn fields_replace_their_defaults() {
        let plain = headers("a");
        assert_eq!(plain.len(), 2);
        assert_eq!(plain[ACCEPT], "*/*");
        assert!(plain[USER_AGENT].to_str().unwrap().starts_with("regatta/"));
        assert_eq!(headers("-A me a")[USER_AGENT], "me");
        assert_eq!(headers("-d x a")[CONTENT_TYPE], "application/x-www-form-urlencoded");
        assert_eq!(headers("--json x a")[CONTENT_TYPE], "application/json");
        let own = headers("-H Accept:a -H accept:b -H User-Agent: a");
        assert_eq!(own.get_all(ACCEPT).iter().collect::<Vec<_>>(), ["a", "b"]);
        assert!(!own.contains_key(USER_AGENT));
    }

    #[test]
    fn a_body_has_a_length_unless_it_is_framed_otherwise() {
        let length = |line: &str| headers(line).get(CONTENT_LENGTH).map(HeaderValue::to_owned);
        assert_eq!(length("a"), None);
        assert_eq!(length("-d abc a"), Some(HeaderValue::from(3)));
        assert_eq!(length("-d= a"), Some(HeaderValue::from(1)));
        assert_eq!(length("-d abc -H transfer-encoding:chunked a"), None);
        assert_eq!(length("-d abc -H content-length:2 a"), Some(HeaderValue::from(2)));
    }

    #[test]
    fn secrets_stay_with_their_origin() {
        let lines = "-L -u a:b -H Cookie:c=d";
        let mut template = at(&format!("{lines} a"), "http://a/");
        let own = template.head(&template.first, None);
        assert_eq!(own.headers()[AUTHORIZATION], "Basic YTpi");
        assert_eq!(own.headers()[COOKIE], "c=d");
        for elsewhere in ["https://a/", "http://a:81/", "http://b/"] {
            let head = template.head(&Url::parse(elsewhere).unwrap(), None);
            assert!(!head.headers().contains_key(AUTHORIZATION), "{elsewhere}");
            assert!(!head.headers().contains_key(COOKIE), "{elsewhere}");
        }
        template.trusts_all = true;
        let head = template.head(&Url::parse("http://b/").unwrap(), None);
        assert_eq!(head.headers()[AUTHORIZATION], "Basic YTpi");
        let given = at("-H Authorization:mine a", "http://a:b@c/");
        assert_eq!(given.head(&given.first, None).headers()[AUTHORIZATION], "mine");
        assert_eq!(at("a", "http://a:b@c/").head(&given.first, None).uri(), "http://c/");
    }

    #[test]
    fn a_redirect_takes_the_body_away_with_the_kind() {
        let args = get("-d x -e r;auto a").unwrap();
        let url = Url::parse("http://b/").unwrap();
        let (mut template, _) = Template::new(&args, url.clone(), &Aim::default()).unwrap();
        template.redirect(&url, StatusCode::FOUND, &args);
        let head = template.head(&url, None);
        assert_eq!((head.method(), template.payload()), (&Method::GET, Payload::default()));
        assert!(!head.headers().contains_key(CONTENT_TYPE));
        assert_eq!(head.headers()[REFERER], "http://b/");
    }

    #[test]
    fn ranges_of_downloads_and_uploads() {
        let range = |line: &str| headers(line).get(RANGE).map(HeaderValue::to_owned);
        assert_eq!(range("-r 1-2 a").unwrap(), "bytes=1-2");
        assert_eq!(range("-r 5 a").unwrap(), "bytes=5-");
        assert_eq!(range("-r -5 a").unwrap(), "bytes=-5");
        assert_eq!(headers("-r 0-2 -d abc a")[CONTENT_RANGE], "bytes 0-2/3");
    }
}
