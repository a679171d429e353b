//! What a server of HTTP/3 owes its clients and itself, on virtual time.

mod stage;

use bytes::Bytes;
use http::header::ALT_SVC;
use http::{HeaderMap, Request, Response, Version};
use http_body_util::{BodyExt as _, Full};
use regatta_core::downstream::Advertise;
use regatta_core::upstream::Protocols;
use regatta_runtime::{Body, Client, ServerBuilder, ServerHandle};
use regatta_sim::{Host, Net};

use self::stage::{hosts, server, trusting};

/// Sends every request's body back.
async fn serve(server: &Host, port: u16, builder: ServerBuilder<Host>) -> ServerHandle<Host> {
    let at = format!("192.0.2.1:{port}");
    stage::serve(server, &at, builder, |request: Request<Body>| async {
        let own = request.headers().get("say").cloned();
        let body = request.into_body().collect().await.map(|all| all.to_bytes());
        let mut response = Response::new(Full::new(body.unwrap_or_default()));
        response.headers_mut().extend(own.map(|own| (ALT_SVC, own)));
        response
    })
    .await
}

fn client(host: &Host, protocols: Protocols) -> Client<Host> {
    let builder = trusting(host);
    builder.profile(|profile| profile.protocols = protocols).build().unwrap()
}

/// The fields of an answer; `say` is what the service itself says in Alt-Svc.
async fn fields(client: &Client<Host>, url: &str, say: Option<&str>) -> (Version, HeaderMap) {
    let mut request = Request::get(url).body(Full::new(Bytes::new())).unwrap();
    if let Some(say) = say {
        request.headers_mut().insert("say", say.parse().unwrap());
    }
    let (head, body) = client.request(request).await.unwrap().into_parts();
    body.collect().await.unwrap();
    (head.version, head.headers)
}

#[test]
fn answers_over_tcp_say_where_http3_is() {
    let net = Net::seeded(1);
    let (host, from) = hosts(&net);
    net.run(async {
        serve(&host, 443, server(&host).plain_too()).await;
        serve(&host, 444, server(&host).alt_svc(Advertise::Off)).await;
        serve(&host, 445, server(&host).downstream(|port| port.advertise_on_http3 = true)).await;
        let day = |port: u16| Some(format!("h3=\":{port}\"; ma=86400"));
        let all = [
            (Protocols::Http1, "https://www.test/", None, Version::HTTP_11, day(443)),
            (Protocols::Auto, "https://www.test/", None, Version::HTTP_2, day(443)),
            (Protocols::Auto, "https://www.test/", Some("clear"), Version::HTTP_2, None),
            (Protocols::Http1, "http://www.test:443/", None, Version::HTTP_11, None),
            (Protocols::Http3, "https://www.test/", None, Version::HTTP_3, None),
            (Protocols::Http2, "https://www.test:444/", None, Version::HTTP_2, None),
            (Protocols::Http3, "https://www.test:445/", None, Version::HTTP_3, day(445)),
        ];
        for (protocols, url, say, version, expected) in all {
            let (came, fields) = fields(&client(&from, protocols), url, say).await;
            let expected = say.map(str::to_owned).or(expected);
            let said: Vec<_> =
                fields.get_all(ALT_SVC).iter().map(|one| one.to_str().unwrap()).collect();
            assert_eq!(
                (came, said),
                (version, expected.iter().map(String::as_str).collect()),
                "{url}"
            );
        }
    })
    .unwrap();
}
