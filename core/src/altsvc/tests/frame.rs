use crate::altsvc::{Frame, FrameError};

fn read(stream: u32, origin: &str, value: &str) -> Result<Option<String>, FrameError> {
    let mut payload = (origin.len() as u16).to_be_bytes().to_vec();
    payload.extend_from_slice(origin.as_bytes());
    payload.extend_from_slice(value.as_bytes());
    let frame = Frame::read(stream, &payload)?;
    assert_eq!(frame.value, value.as_bytes());
    Ok(frame.origin.map(|origin| origin.to_string()))
}

// rule: AS-10
#[test]
fn an_altsvc_frame_is_about_its_stream_or_names_an_origin() {
    let value = r#"h3=":443""#;
    let of = |text: &str| Ok(Some(text.to_owned()));
    let rows = [
        (1, "", Ok(None)),
        (0, "https://Example.org", of("https://example.org:443")),
        (0, "https://[2001:db8::1]:8443", of("https://[2001:db8::1]:8443")),
        (0, "", Err(FrameError::OriginMissing)),
        (1, "https://example.org", Err(FrameError::OriginOnStream)),
        (0, "http://example.org", Err(FrameError::NoOrigin)),
        (0, "https://", Err(FrameError::NoOrigin)),
        (0, "https://:443", Err(FrameError::NoOrigin)),
        (0, "https://example.org:0", Err(FrameError::NoOrigin)),
        (0, "https://example.org/", Err(FrameError::NoOrigin)),
        (0, "https://user@example.org", Err(FrameError::NoOrigin)),
        (0, "example.org", Err(FrameError::NoOrigin)),
    ];
    for (stream, origin, expected) in rows {
        assert_eq!(read(stream, origin, value), expected, "{origin} on {stream}");
    }
    for short in [&b""[..], b"\0", b"\0\x05http"] {
        assert_eq!(Frame::read(0, short), Err(FrameError::Short));
    }
}

#[test]
fn why_a_frame_is_ignored_is_said() {
    let rows = [
        (FrameError::Short, "the ALTSVC frame is shorter than it says"),
        (FrameError::OriginMissing, "the ALTSVC frame on stream 0 names no origin"),
        (FrameError::OriginOnStream, "the ALTSVC frame on a request's stream names an origin"),
        (FrameError::NoOrigin, "the ALTSVC frame names no origin of https"),
    ];
    for (error, expected) in rows {
        assert_eq!(error.to_string(), expected);
    }
}
