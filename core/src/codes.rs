//! The registered names of error codes.

/// HTTP/2 (RFC 9113 7), from 0 on.
const HTTP2: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

/// HTTP/3 (RFC 9114 8.1), from 0x100 on.
const HTTP3: [&str; 17] = [
    "H3_NO_ERROR",
    "H3_GENERAL_PROTOCOL_ERROR",
    "H3_INTERNAL_ERROR",
    "H3_STREAM_CREATION_ERROR",
    "H3_CLOSED_CRITICAL_STREAM",
    "H3_FRAME_UNEXPECTED",
    "H3_FRAME_ERROR",
    "H3_EXCESSIVE_LOAD",
    "H3_ID_ERROR",
    "H3_SETTINGS_ERROR",
    "H3_MISSING_SETTINGS",
    "H3_REQUEST_REJECTED",
    "H3_REQUEST_CANCELLED",
    "H3_REQUEST_INCOMPLETE",
    "H3_MESSAGE_ERROR",
    "H3_CONNECT_ERROR",
    "H3_VERSION_FALLBACK",
];

/// QPACK (RFC 9204 6), from 0x200 on.
const QPACK: [&str; 3] =
    ["QPACK_DECOMPRESSION_FAILED", "QPACK_ENCODER_STREAM_ERROR", "QPACK_DECODER_STREAM_ERROR"];

/// QUIC (RFC 9000 20.1), from 0 on.
const QUIC: [&str; 17] = [
    "NO_ERROR",
    "INTERNAL_ERROR",
    "CONNECTION_REFUSED",
    "FLOW_CONTROL_ERROR",
    "STREAM_LIMIT_ERROR",
    "STREAM_STATE_ERROR",
    "FINAL_SIZE_ERROR",
    "FRAME_ENCODING_ERROR",
    "TRANSPORT_PARAMETER_ERROR",
    "CONNECTION_ID_LIMIT_ERROR",
    "PROTOCOL_VIOLATION",
    "INVALID_TOKEN",
    "APPLICATION_ERROR",
    "CRYPTO_BUFFER_EXCEEDED",
    "KEY_UPDATE_ERROR",
    "AEAD_LIMIT_REACHED",
    "NO_VIABLE_PATH",
];

/// HTTP/3's datagrams (RFC 9297 5.2).
const DATAGRAM: u32 = 0x33;

/// From here on codes of HTTP are HTTP/3's; HTTP/2 has none so high.
pub(crate) const fn is_http3(code: u32) -> bool {
    code >= DATAGRAM
}

/// A code of HTTP/2 or HTTP/3, whose ranges do not overlap, by its name or its number.
pub(crate) fn http(code: u32) -> String {
    let at = |from: u32, names: &[&'static str]| {
        let place = usize::try_from(code.checked_sub(from)?).ok()?;
        names.get(place).copied()
    };
    let name = match code {
        DATAGRAM => Some("H3_DATAGRAM_ERROR"),
        _ => at(0x200, &QPACK).or_else(|| at(0x100, &HTTP3)).or_else(|| at(0, &HTTP2)),
    };
    spell(name, code)
}

/// A code of QUIC's transport by its name or its number.
pub(crate) fn quic(code: u32) -> String {
    let name = usize::try_from(code).ok().and_then(|code| QUIC.get(code)).copied();
    spell(name, code)
}

fn spell(name: Option<&str>, code: u32) -> String {
    match name {
        Some(name) => name.to_owned(),
        None if is_http3(code) => format!("error code {code:#x}"),
        None => format!("error code {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_names() {
        let all = [
            (0x0, "NO_ERROR", "NO_ERROR"),
            (0xa, "CONNECT_ERROR", "PROTOCOL_VIOLATION"),
            (0xd, "HTTP_1_1_REQUIRED", "CRYPTO_BUFFER_EXCEEDED"),
            (0xe, "error code 14", "KEY_UPDATE_ERROR"),
            (0x10, "error code 16", "NO_VIABLE_PATH"),
            (0x33, "H3_DATAGRAM_ERROR", "error code 0x33"),
            (0x100, "H3_NO_ERROR", "error code 0x100"),
            (0x107, "H3_EXCESSIVE_LOAD", "error code 0x107"),
            (0x110, "H3_VERSION_FALLBACK", "error code 0x110"),
            (0x111, "error code 0x111", "error code 0x111"),
            (0x200, "QPACK_DECOMPRESSION_FAILED", "error code 0x200"),
            (0x202, "QPACK_DECODER_STREAM_ERROR", "error code 0x202"),
        ];
        for (code, of_http, of_quic) in all {
            assert_eq!((http(code), quic(code)), (of_http.into(), of_quic.into()), "{code:#x}");
        }
    }
}
