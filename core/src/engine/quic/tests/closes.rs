//! Every code with which a peer's transport may close a connection, in its packets.

use super::forge::{MARK, REASON, closing_with};
use super::*;
use crate::types::TlsFault;

/// How a client hears of a close with `code`.
fn closed_with(code: u64) -> QuicError {
    let mut net = World::new().net_with_forger(closing_with(code));
    net.connect(0);
    net.run(SECOND);
    let (now, accepted) = (net.now, net.accepted());
    net.server.endpoint.close(now, accepted, MARK, Bytes::from_static(REASON));
    net.run_for(SECOND);
    net.clients[0].lost.pop().unwrap_or_else(|| panic!("{code:#x}: nothing was heard"))
}

#[test]
fn each_code_of_the_transport_has_its_cause_and_its_words() {
    let alert = |alert| Cause::Tls(TlsFault::Alert(alert));
    let rows = [
        (0x0, Cause::Closed, "the peer closed the connection before it answered"),
        (0x1, Cause::Quic(0x1), "QUIC's INTERNAL_ERROR"),
        (0x2, Cause::Refused, "connection refused"),
        (0x3, Cause::Quic(0x3), "QUIC's FLOW_CONTROL_ERROR"),
        (0x4, Cause::Quic(0x4), "QUIC's STREAM_LIMIT_ERROR"),
        (0x5, Cause::Quic(0x5), "QUIC's STREAM_STATE_ERROR"),
        (0x6, Cause::Quic(0x6), "QUIC's FINAL_SIZE_ERROR"),
        (0x7, Cause::Quic(0x7), "QUIC's FRAME_ENCODING_ERROR"),
        (0x8, Cause::Quic(0x8), "QUIC's TRANSPORT_PARAMETER_ERROR"),
        (0x9, Cause::Quic(0x9), "QUIC's CONNECTION_ID_LIMIT_ERROR"),
        (0xa, Cause::Quic(0xa), "QUIC's PROTOCOL_VIOLATION"),
        (0xb, Cause::Quic(0xb), "QUIC's INVALID_TOKEN"),
        (0xc, Cause::Quic(0xc), "QUIC's APPLICATION_ERROR"),
        (0xd, Cause::Quic(0xd), "QUIC's CRYPTO_BUFFER_EXCEEDED"),
        (0xe, Cause::Quic(0xe), "QUIC's KEY_UPDATE_ERROR"),
        (0xf, Cause::Quic(0xf), "QUIC's AEAD_LIMIT_REACHED"),
        (0x10, Cause::Quic(0x10), "QUIC's NO_VIABLE_PATH"),
        (0x128, Cause::Tls(TlsFault::NothingInCommon), "in common"),
        (0x12a, alert(42), "alert"),
        (0x130, alert(48), "alert"),
        (0x16d, alert(109), "alert"),
        (0x178, Cause::Tls(TlsFault::NothingInCommon), "in common"),
        (0x3ff0, Cause::Quic(0x3ff0), "QUIC's error code 0x3ff0"),
    ];
    for (code, cause, words) in rows {
        let error = closed_with(code);
        assert_eq!(error.cause, cause, "{code:#x}");
        let said = error.cause.to_string();
        assert!(said.contains(words), "{code:#x}: {said}");
        assert!(error.to_string().contains("a reason"), "{code:#x}: {error}");
    }
}
