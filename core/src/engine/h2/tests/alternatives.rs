//! ALTSVC frames (RFC 7838 4), which h2 passes over.

use super::*;

fn altsvc(stream: u32, payload: &[u8]) -> Vec<u8> {
    encode(kind::ALTSVC, 0, stream, payload)
}

/// What is told of alternatives: the stream, and how long what it holds is.
fn heard(engine: &mut H2) -> Vec<(u32, usize)> {
    let told = events(engine).into_iter().filter_map(|event| match event {
        Event::AltSvc { stream, payload } => Some((stream, payload.len())),
        _ => None,
    });
    told.collect()
}

// rule: AS-10
#[test]
fn a_client_tells_of_whole_frames_however_they_are_cut() {
    let payload = b"\0\x13https://example.comh3=\":443\"";
    for piece in [1, 5, 9, 13, 100] {
        let mut peer = Scripted::server(&Config::default(), &[]);
        peer.told();
        let stream = peer.open(&get("/"), true);
        peer.frames();
        let input = [altsvc(0, payload), altsvc(1, b"\0\0h3=\":443\""), altsvc(0, b"")].concat();
        input.chunks(piece).for_each(|piece| peer.feed(piece));
        let told = events(&mut peer.engine);
        let [Event::AltSvc { stream: 0, payload: said }, rest @ ..] = &told[..] else {
            panic!("{told:?}");
        };
        assert_eq!(said, payload, "{piece}");
        let rest: Vec<String> = rest.iter().map(word).collect();
        assert_eq!(rest.len(), 2, "{rest:?}");
        // The connection goes on.
        peer.feed(&block(1, true, &[0x88]));
        assert_eq!(peer.told(), [format!("{stream} 200 end"), format!("{stream} ended")]);
    }
}

// rule: AS-10
#[test]
fn what_is_too_long_or_of_no_request_is_left_and_what_waits_is_bounded() {
    let mut peer = Scripted::server(&Config::default(), &[]);
    peer.feed(&altsvc(0, &[b'x'; 4_608]));
    assert_eq!(heard(&mut peer.engine), [(0, 4_608)]);
    peer.feed(&altsvc(0, &[b'x'; 4_609]));
    peer.feed(&altsvc(1, b"\0\0clear"));
    assert_eq!(heard(&mut peer.engine), []);
    // All in one read: the newest count.
    let many: Vec<u8> = (0..40).flat_map(|n| altsvc(0, &vec![b'x'; n])).collect();
    peer.feed(&many);
    assert_eq!(heard(&mut peer.engine), (24..40).map(|n| (0, n)).collect::<Vec<_>>());
}

// rule: AS-10
#[test]
fn a_server_passes_them_over() {
    let mut peer = Scripted::client(&Config::default());
    peer.feed(&[altsvc(0, b"\0\x0fhttps://a.examh3"), ask(1, true)].concat());
    assert_eq!(peer.told(), ["s0.0 GET https://a.b/ end"]);
}
