//! By which ways requests reach their origins: the proxies, and the profiles that stand for them.
//!
//! A pool belongs to an origin and a profile, so a way is a profile. Behind those of the builder,
//! P in number, come one for all that proxies forward, and one for each own profile and proxy
//! that tunnels go through:
//!
//! ```text
//! 0 .. P-1   direct
//! P          to a proxy that forwards: the pool is the proxy's, whatever the origins
//! P+1 ..     through a proxy's tunnel, with the settings of an own profile
//! ```

use std::sync::Arc;

use http::header::PROXY_AUTHORIZATION;
use http::{HeaderMap, Request};
use regatta_core::engine::AbsoluteForm;
use regatta_core::id::ProfileId;
use regatta_core::proxies::{Proxies, Proxy, Route};
use regatta_core::types::Origin;
use regatta_core::upstream::{NoWay, Protocols};

use crate::error::{Error, Kind};
use crate::settings::Profile;

/// The ways of one client.
#[derive(Debug, Default)]
pub(crate) struct Roads {
    proxies: Proxies,
    /// Each proxy once.
    each: Vec<Arc<Proxy>>,
    /// What the builder's profiles speak.
    own: Vec<Protocols>,
}

/// Where a request goes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Led {
    pub(crate) to: Origin,
    pub(crate) profile: ProfileId,
    /// Whose it is, where that is not where it goes: a proxy forwards it.
    pub(crate) asked: Option<Origin>,
}

impl Roads {
    /// The ways of a client with these profiles, and all profiles that stand for them.
    /// `to_proxy` has the TLS settings of proxies themselves; else the first one's trust holds
    /// there, and nothing else of it.
    pub(crate) fn new(
        proxies: Proxies,
        mut profiles: Vec<Profile>,
        to_proxy: Option<Profile>,
    ) -> Result<(Self, Vec<Profile>), Error> {
        let own = profiles.iter().map(|profile| profile.protocols).collect();
        let roads = Self { each: proxies.each(), own, proxies };
        if roads.each.is_empty() {
            return Ok((roads, profiles));
        }
        let own = profiles.clone();
        let to_proxy = to_proxy.unwrap_or_else(|| match own.first() {
            Some(Profile { roots, key_log, .. }) => {
                let (roots, key_log) = (roots.clone(), key_log.clone());
                Profile { roots, key_log, ..Profile::default() }
            }
            None => Profile::default(),
        });
        profiles.push(Profile { protocols: Protocols::Http1, ..to_proxy });
        for profile in own {
            profiles.extend(roads.each.iter().map(|_| profile.clone()));
        }
        if profiles.len() > usize::from(u16::MAX) {
            let text = "more profiles than can be had with proxies: one each is needed";
            return Err(Error::new(Kind::Config(text.to_owned())));
        }
        Ok((roads, profiles))
    }

    /// The profile with the TLS settings of proxies.
    pub(crate) fn to_proxy(&self) -> ProfileId {
        id(self.own.len())
    }

    /// The proxy whose tunnel connections of this profile go through.
    pub(crate) fn via(&self, profile: ProfileId) -> Option<&Arc<Proxy>> {
        let (_, proxy) = self.tunnel(profile)?;
        self.each.get(proxy)
    }

    /// The profile whose TLS settings this one has.
    pub(crate) fn base(&self, profile: ProfileId) -> usize {
        self.tunnel(profile).map_or_else(|| usize::from(profile.0), |(own, _)| own)
    }

    /// Own profile and proxy of a tunnel.
    fn tunnel(&self, profile: ProfileId) -> Option<(usize, usize)> {
        let at = usize::from(profile.0).checked_sub(self.own.len() + 1)?;
        let own = at.checked_div(self.each.len())?;
        (own < self.own.len()).then_some((own, at.checked_rem(self.each.len())?))
    }

    /// Whether an origin can be reached with an own profile at all.
    pub(crate) fn may(&self, origin: &Origin, profile: ProfileId) -> Result<(), NoWay> {
        self.speaks(profile).may(origin.scheme, false)
    }

    /// What an own profile speaks.
    fn speaks(&self, profile: ProfileId) -> Protocols {
        self.own.get(usize::from(profile.0)).copied().unwrap_or_default()
    }

    /// The proxy that connections of this key go to.
    pub(crate) fn proxy_of<'a>(
        &'a self,
        origin: &'a Origin,
        profile: ProfileId,
    ) -> Option<&'a Origin> {
        let forwards = !self.each.is_empty() && profile == self.to_proxy();
        if forwards { Some(origin) } else { self.via(profile).map(|proxy| proxy.origin()) }
    }

    /// Makes of a request for `origin` what goes out, and says where to and with which profile.
    ///
    /// What is said to a proxy alone goes to a proxy alone: a request that none forwards loses
    /// its Proxy-Authorization (RFC 9110 11.7.2).
    ///
    /// Where HTTP/3 alone is spoken there may be no such way.
    pub(crate) fn lead(
        &self,
        head: &mut Request<()>,
        origin: Origin,
        profile: ProfileId,
    ) -> Result<Led, NoWay> {
        let mut led = Led { to: origin, profile, asked: None };
        let own = usize::from(profile.0);
        self.may(&led.to, profile)?;
        if self.each.is_empty() {
            return Ok(led);
        }
        if own >= self.own.len() {
            // Those behind the builder's are not for callers.
            led.profile = ProfileId(u16::MAX);
            return Ok(led);
        }
        match self.proxies.route(&led.to) {
            Route::Forward(proxy) => {
                head.extensions_mut().insert(AbsoluteForm);
                add(head.headers_mut(), proxy.fields());
                led.asked = Some(core::mem::replace(&mut led.to, proxy.origin().clone()));
                led.profile = self.to_proxy();
            }
            Route::Tunnel(proxy) => {
                self.speaks(profile).may(led.to.scheme, true)?;
                head.headers_mut().remove(PROXY_AUTHORIZATION);
                let at = self.each.iter().position(|known| known == proxy).unwrap_or_default();
                led.profile = id(self.own.len() + 1 + own * self.each.len() + at);
            }
            Route::Direct => {
                head.headers_mut().remove(PROXY_AUTHORIZATION);
            }
        }
        Ok(led)
    }
}

/// There are never more profiles than ids.
fn id(at: usize) -> ProfileId {
    ProfileId(u16::try_from(at).unwrap_or(u16::MAX))
}

/// Adds fields that are not there.
fn add(headers: &mut HeaderMap, fields: &HeaderMap) {
    for (name, value) in fields {
        if !headers.contains_key(name) {
            headers.insert(name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use regatta_core::proxies::Bypass;

    use super::*;

    fn roads() -> (Roads, Vec<Profile>) {
        let proxy = |text| Proxy::parse(text).unwrap();
        let proxies = Proxies::new()
            .http(proxy("u:p@one.test:1"))
            .https(proxy("x:y@other.test:2"))
            .except(Bypass::parse("near.test"));
        let http2 = Profile { protocols: Protocols::Http2, ..Profile::default() };
        Roads::new(proxies, vec![Profile::default(), http2], None).unwrap()
    }

    /// Where a request goes, and what it says to whom.
    fn led(uri: &str, profile: u16) -> String {
        let (roads, profiles) = roads();
        let mut head = Request::get(uri).header("proxy-authorization", "own").body(()).unwrap();
        let origin = Origin::of(head.uri()).unwrap();
        let Led { to, profile, .. } = roads.lead(&mut head, origin, ProfileId(profile)).unwrap();
        let via = roads.via(profile).map_or("none", |proxy| &proxy.origin().host);
        let whole = head.extensions().get::<AbsoluteForm>().is_some();
        let secret = head.headers().get("proxy-authorization").map(|value| value.to_str().unwrap());
        let protocols = profiles.get(usize::from(profile.0)).map(|profile| profile.protocols);
        let base = roads.base(profile);
        format!("{to} via {via}, {protocols:?} of {base}, {whole} {secret:?}")
    }

    #[test]
    fn a_way_is_a_profile() {
        for (uri, profile, expected) in [
            ("http://near.test", 0, "http://near.test:80 via none, Some(Auto) of 0, false None"),
            (
                "http://far.test",
                0,
                "http://one.test:1 via none, Some(Http1) of 2, true Some(\"own\")",
            ),
            (
                "https://far.test",
                0,
                "https://far.test:443 via other.test, Some(Auto) of 0, false None",
            ),
            (
                "https://far.test",
                1,
                "https://far.test:443 via other.test, Some(Http2) of 1, false None",
            ),
            (
                "https://near.test",
                1,
                "https://near.test:443 via none, Some(Http2) of 1, false None",
            ),
            (
                "https://far.test",
                2,
                "https://far.test:443 via none, None of 65535, false Some(\"own\")",
            ),
        ] {
            assert_eq!(led(uri, profile), expected, "{uri} {profile}");
        }
    }

    #[test]
    fn no_two_ways_share_a_profile() {
        let (roads, profiles) = roads();
        assert_eq!(profiles.len(), 2 + 1 + 4);
        let ways = (0..7).map(|at| (roads.base(ProfileId(at)), roads.via(ProfileId(at))));
        let shown: Vec<String> = ways
            .map(|(base, via)| format!("{base} {}", via.map_or("-", |p| &p.origin().host)))
            .collect();
        let expected =
            ["0 -", "1 -", "2 -", "0 one.test", "0 other.test", "1 one.test", "1 other.test"];
        assert_eq!(shown, expected);
    }

    #[test]
    fn credentials_are_added_where_there_are_none() {
        let (roads, _) = roads();
        let mut head = Request::get("http://far.test/").body(()).unwrap();
        let origin = Origin::of(head.uri()).unwrap();
        roads.lead(&mut head, origin, ProfileId(0)).unwrap();
        assert_eq!(head.headers()["proxy-authorization"], "Basic dTpw");
    }

    #[test]
    fn http3_alone_has_no_way_but_https_without_a_proxy() {
        let http3 = Profile { protocols: Protocols::Http3, ..Profile::default() };
        let proxies = Proxies::new()
            .all(Proxy::parse("one.test:1").unwrap())
            .except(Bypass::parse("near.test"));
        for proxies in [Proxies::new(), proxies] {
            let is_direct = proxies.each().is_empty();
            let (roads, _) = Roads::new(proxies, vec![http3.clone()], None).unwrap();
            let lead = |uri: &str| {
                let mut head = Request::get(uri).body(()).unwrap();
                let origin = Origin::of(head.uri()).unwrap();
                roads.lead(&mut head, origin, ProfileId(0)).map(|led| led.profile)
            };
            assert_eq!(lead("http://near.test"), Err(NoWay::PlainText));
            assert_eq!(lead("http://far.test"), Err(NoWay::PlainText));
            assert_eq!(lead("https://near.test"), Ok(ProfileId(0)));
            let far = match is_direct {
                true => Ok(ProfileId(0)),
                false => Err(NoWay::Tunnel),
            };
            assert_eq!(lead("https://far.test"), far);
        }
    }

    #[test]
    fn without_proxies_nothing_changes() {
        let (roads, profiles) = Roads::new(Proxies::new(), vec![Profile::default()], None).unwrap();
        assert_eq!(profiles.len(), 1);
        let mut head =
            Request::get("http://a.test").header("proxy-authorization", "own").body(()).unwrap();
        let origin = Origin::of(head.uri()).unwrap();
        let direct = Led { to: origin.clone(), profile: ProfileId(7), asked: None };
        assert_eq!(roads.lead(&mut head, origin, ProfileId(7)), Ok(direct));
        assert_eq!(head.headers()["proxy-authorization"], "own");
    }
}
