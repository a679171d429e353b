//! The request that the command line asks for, and how it changes along redirects.

use std::fs;
use std::io::{self, Read as _};

use bytes::Bytes;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING, USER_AGENT,
};
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::Full;

use super::exit_code::{Exit, Failure};
use super::redirect::{self, Step};
use super::url::Url;
use crate::cli::{GetArgs, HeaderLine};

/// A request that can be made again.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) method: Method,
    /// The method was chosen by `-X`: redirects keep it.
    pub(crate) method_is_fixed: bool,
    pub(crate) headers: HeaderMap,
    /// `None` is no body; an empty one has a length all the same.
    pub(crate) body: Option<Bytes>,
}

impl Template {
    /// What `args` ask for; reads the files that they name.
    pub(crate) fn new(args: &GetArgs) -> Result<Self, Failure> {
        let body = body(args)?;
        let method = match &args.method {
            Some(method) => method.clone(),
            None if args.head => Method::HEAD,
            None if body.is_some() => Method::POST,
            None => Method::GET,
        };
        Ok(Self {
            method,
            method_is_fixed: args.method.is_some(),
            headers: headers(args, body.is_some()),
            body,
        })
    }

    /// The request for `url`.
    pub(crate) fn request(&self, url: &Url) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone().unwrap_or_default()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = url.uri().clone();
        *request.headers_mut() = self.headers.clone();
        if let Some(credentials) = url.credentials()
            && !self.headers.contains_key(AUTHORIZATION)
        {
            request.headers_mut().insert(AUTHORIZATION, credentials.clone());
        }
        let is_framed =
            [CONTENT_LENGTH, TRANSFER_ENCODING].iter().any(|name| self.headers.contains_key(name));
        if let Some(body) = self.body.as_ref().filter(|_| !is_framed) {
            // Also for none at all, which RFC 9110 8.6 asks of methods that expect one.
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        request
    }

    /// Becomes what goes to the next URL of a chain.
    pub(crate) fn redirect(&mut self, step: &Step) {
        self.method = step.method.clone();
        if !step.keeps_body {
            self.body = None;
        }
        redirect::strip(&mut self.headers, step);
    }
}

/// Defaults first; a field that is named by `-H` replaces its default.
fn headers(args: &GetArgs, has_body: bool) -> HeaderMap {
    const PRODUCT: &str = concat!("regatta/", env!("CARGO_PKG_VERSION"));
    let mut headers = HeaderMap::new();
    let agent = args.user_agent.clone().unwrap_or_else(|| HeaderValue::from_static(PRODUCT));
    headers.insert(USER_AGENT, agent);
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    if has_body {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
    }
    for line in &args.headers {
        let (HeaderLine::Set(name, _) | HeaderLine::Remove(name)) = line;
        headers.remove(name);
    }
    for line in &args.headers {
        if let HeaderLine::Set(name, value) = line {
            headers.append(name, value.clone());
        }
    }
    headers
}

/// All `-d`, then all `--data-binary`, joined by `&`.
fn body(args: &GetArgs) -> Result<Option<Bytes>, Failure> {
    if args.data.is_empty() && args.data_binary.is_empty() {
        return Ok(None);
    }
    let text = args.data.iter().map(|data| (data, false));
    let binary = args.data_binary.iter().map(|data| (data, true));
    let mut joined = Vec::new();
    for (n, (data, is_binary)) in text.chain(binary).enumerate() {
        if n > 0 {
            joined.push(b'&');
        }
        match data.strip_prefix('@') {
            Some(name) => {
                let mut read = read(name).map_err(|error| {
                    Failure::new(Exit::Read, format!("cannot read the data from {name}: {error}"))
                })?;
                if !is_binary {
                    read.retain(|byte| !matches!(byte, b'\r' | b'\n' | 0));
                }
                joined.append(&mut read);
            }
            None => joined.extend_from_slice(data.as_bytes()),
        }
    }
    Ok(Some(joined.into()))
}

fn read(name: &str) -> io::Result<Vec<u8>> {
    if name != "-" {
        return fs::read(name);
    }
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tests::get;

    fn template(line: &str) -> Template {
        Template::new(&get(line).unwrap()).unwrap()
    }

    #[test]
    fn the_method_follows_from_the_options() {
        assert_eq!(template("a").method, Method::GET);
        assert_eq!(template("-I a").method, Method::HEAD);
        assert_eq!(template("-d x a").method, Method::POST);
        assert_eq!(template("-X PUT -d x a").method, Method::PUT);
        assert_eq!(template("-X BREW a").method.as_str(), "BREW");
    }

    #[test]
    fn fields_replace_their_defaults() {
        let headers = template("a").headers;
        assert_eq!(headers.len(), 2);
        assert_eq!(headers[ACCEPT], "*/*");
        assert!(headers[USER_AGENT].to_str().unwrap().starts_with("regatta/"));
        assert_eq!(template("-A me a").headers[USER_AGENT], "me");
        assert_eq!(template("-d x a").headers[CONTENT_TYPE], "application/x-www-form-urlencoded");
        let headers = template("-H Accept:a -H accept:b -H User-Agent: a").headers;
        assert_eq!(headers.get_all(ACCEPT).iter().collect::<Vec<_>>(), ["a", "b"]);
        assert!(!headers.contains_key(USER_AGENT));
    }

    #[test]
    fn data_is_joined_and_files_lose_their_line_ends() {
        let data = |line: &str| template(line).body.unwrap();
        assert_eq!(data("-d a=b -d c a"), "a=b&c");
        assert_eq!(template("a").body, None);
        let file = std::env::temp_dir().join(format!("regatta-data-{}", std::process::id()));
        fs::write(&file, "one\r\ntwo\n").unwrap();
        let name = file.display();
        assert_eq!(data(&format!("-d @{name} a")), "onetwo");
        assert_eq!(data(&format!("--data-binary @{name} -d x a")), "x&one\r\ntwo\n");
        fs::remove_file(&file).unwrap();
        let failure = Template::new(&get(&format!("-d @{name} a")).unwrap()).unwrap_err();
        assert_eq!(failure.exit, Exit::Read);
    }

    #[test]
    fn a_body_has_a_length_unless_it_is_framed_otherwise() {
        let url = Url::parse("http://c/").unwrap();
        let length = |line: &str| {
            template(line).request(&url).headers().get(CONTENT_LENGTH).map(HeaderValue::to_owned)
        };
        assert_eq!(length("a"), None);
        assert_eq!(length("-d abc a"), Some(HeaderValue::from(3)));
        assert_eq!(length("-d= a"), Some(HeaderValue::from(0)));
        assert_eq!(length("-d abc -H transfer-encoding:chunked a"), None);
        assert_eq!(length("-d abc -H content-length:2 a"), Some(HeaderValue::from(2)));
    }

    #[test]
    fn credentials_of_the_url_are_sent_unless_the_field_is_given() {
        let url = Url::parse("http://a:b@c/").unwrap();
        assert_eq!(template("a").request(&url).headers()[AUTHORIZATION], "Basic YTpi");
        let given = template("-H Authorization:mine a").request(&url);
        assert_eq!(given.headers()[AUTHORIZATION], "mine");
        assert_eq!(given.uri(), "http://c/");
    }

    #[test]
    fn a_redirect_takes_the_body_away_with_the_method() {
        let mut template = template("-d x a");
        let url = Url::parse("http://b/").unwrap();
        let step = Step { url, method: Method::GET, keeps_body: false, leaves_origin: true };
        template.redirect(&step);
        assert_eq!((template.method, template.body), (Method::GET, None));
        assert!(!template.headers.contains_key(CONTENT_TYPE));
    }
}
