//! Which proxies the command line and the environment name, by curl's rules.

use http::HeaderValue;
use http::header::USER_AGENT;
use regatta_core::basic::Credentials;
use regatta_tokio::{Bypass, Proxies, Proxy, ProxyError};

use super::exit_code::{Exit, Failure};
use super::request;
use crate::cli::GetArgs;
use crate::cli::value::HeaderLine;

/// The port of a proxy that names none.
const PORT: u16 = 1080;

/// The proxies of one part of the line. `variable` reads the environment.
pub(crate) fn of(
    args: &GetArgs,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Proxies, Failure> {
    let given = &args.proxy;
    let variable = |name: &str| match &given.noproxy {
        Some(list) if name.eq_ignore_ascii_case("no_proxy") => Some(list.clone()),
        _ => variable(name),
    };
    let proxies = match given.proxy.as_deref().map(str::trim) {
        None => Proxies::of_variables(variable, PORT)
            .map_err(|error| failure(&error.error, error.to_string()))?,
        Some("") => Proxies::new(),
        Some(text) => {
            let list = ["no_proxy", "NO_PROXY"].into_iter().find_map(variable);
            let bypass = Bypass::parse(&list.unwrap_or_default());
            match bypass.is_all() {
                true => Proxies::new(),
                false => Proxies::new().all(proxy(text)?).except(bypass),
            }
        }
    };
    if proxies.is_empty() {
        return Ok(proxies);
    }
    let lines = request::lines(&given.proxy_header)?;
    let user = given.proxy_user.as_deref().map(Credentials::typed);
    let agent = args.request.user_agent.clone();
    let agent = agent.unwrap_or_else(|| HeaderValue::from_static(request::PRODUCT));
    let said = |mut proxy: Proxy| {
        if let Some(value) = user.as_ref().and_then(Credentials::basic)
            && !proxy.has_credentials()
        {
            proxy = proxy.with_field(http::header::PROXY_AUTHORIZATION, value);
        }
        if !agent.is_empty() {
            proxy = proxy.with_connect_field(USER_AGENT, agent.clone());
        }
        for line in &lines {
            if let HeaderLine::Set(name, value) = line {
                proxy = proxy.with_field(name.clone(), value.clone());
            }
        }
        proxy
    };
    Ok(proxies.map(said).tunnels_all(given.proxytunnel))
}

fn proxy(text: &str) -> Result<Proxy, Failure> {
    Proxy::parse_with_port(text, PORT).map_err(|error| failure(&error, format!("--proxy: {error}")))
}

fn failure(error: &ProxyError, text: String) -> Failure {
    let exit = match error {
        ProxyError::Scheme(_) => Exit::CouldNotConnect,
        _ => Exit::CouldNotResolveProxy,
    };
    Failure::new(exit, text)
}

#[cfg(test)]
mod tests {
    use regatta_core::types::Origin;
    use regatta_tokio::Route;

    use super::*;

    /// How a URL is reached with these options and this environment.
    fn way(line: &str, variables: &[(&str, &str)], url: &str) -> String {
        let args = crate::cli::tests::get(&format!("{line} {url}")).unwrap();
        let read = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let proxies = match of(&args, read) {
            Ok(proxies) => proxies,
            Err(failure) => return failure.to_string(),
        };
        let origin = Origin::of(&url.parse().unwrap()).unwrap();
        let (way, proxy) = match proxies.route(&origin) {
            Route::Direct => return "direct".to_owned(),
            Route::Forward(proxy) => ("forward", proxy),
            Route::Tunnel(proxy) => ("tunnel", proxy),
        };
        let mut fields: Vec<String> = proxy
            .fields()
            .iter()
            .map(|(name, value)| format!("{name}={}", value.to_str().unwrap()))
            .collect();
        fields.sort();
        format!("{way} {proxy} {}", fields.join(" ")).trim_end().to_owned()
    }

    #[test]
    fn options_go_before_the_environment() {
        let set: &[(&str, &str)] =
            &[("http_proxy", "e.test:1"), ("https_proxy", "s.test:2"), ("NO_PROXY", "near.test")];
        for (line, url, expected) in [
            ("", "http://a.test/", "forward http://e.test:1"),
            ("", "https://a.test/", "tunnel http://s.test:2"),
            ("", "http://near.test/", "direct"),
            ("-x p.test", "http://a.test/", "forward http://p.test:1080"),
            ("-x p.test:3128", "https://a.test/", "tunnel http://p.test:3128"),
            ("-x p.test", "http://near.test/", "direct"),
            ("-x p.test --noproxy b.test", "http://near.test/", "forward http://p.test:1080"),
            ("-x p.test --noproxy b.test", "http://c.b.test/", "direct"),
            ("--noproxy b.test", "http://near.test/", "forward http://e.test:1"),
            ("--noproxy *", "http://a.test/", "direct"),
            ("-p", "http://a.test/", "tunnel http://e.test:1"),
            ("-U u:p", "http://a.test/", "forward http://e.test:1 proxy-authorization=Basic dTpw"),
            (
                "-x u:p@p.test -U other:one",
                "http://a.test/",
                "forward http://p.test:1080 proxy-authorization=Basic dTpw",
            ),
            ("--proxy-header a:b", "http://a.test/", "forward http://e.test:1 a=b"),
        ] {
            assert_eq!(way(line, set, url), expected, "{line} {url}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_said() {
        let expected = "regatta: (7) --proxy: the proxy's scheme is socks5, expected http or https";
        assert_eq!(way("-x socks5://u:secret@p.test", &[], "http://a.test/"), expected);
        let said = way("-x p.test:port", &[], "http://a.test/");
        assert!(said.starts_with("regatta: (5) --proxy: expected a proxy like "), "{said}");
        let said = way("", &[("all_proxy", "socks5://p.test")], "http://a.test/");
        assert!(said.starts_with("regatta: (7) all_proxy: the proxy's scheme"), "{said}");
        assert_eq!(way("-x socks5://p.test --noproxy *", &[], "http://a.test/"), "direct");
    }
}
