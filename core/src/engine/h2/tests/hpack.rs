//! RFC 7541 and RFC 9113 4.3: field blocks that cannot be decoded, and those that must be.

use super::*;

// rule: H2-9a
#[test]
fn a_block_that_cannot_be_decoded_ends_the_connection() {
    let huffman = |bytes: &[u8]| {
        let length = 0x80 | u8::try_from(bytes.len()).unwrap();
        [&[0x00, 1, b'x', length], bytes].concat()
    };
    for (name, fields) in [
        ("index 0", vec![0x80]),
        ("an index of nothing", vec![0xc2]),
        ("a far index", vec![0xff, 0x80, 0x80, 0x01]),
        ("the name of nothing", vec![0x7f, 0x20, 1, b'x']),
        ("an index without end", [vec![0xff; 12], vec![0]].concat()),
        ("a length without end", [vec![0x00, 0x7f], vec![0xff; 12], vec![0]].concat()),
        ("a size update behind a field", vec![0x82, 0x20]),
        ("a size update that is too large", vec![0x3f, 0xe2, 0x1f]),
        ("a string that is cut off", vec![0x00, 5, b'x']),
        ("padding of eight bits", huffman(&[0x1f, 0xff])),
        ("padding of zeros", huffman(&[0x18])),
        ("the end of the string as a symbol", huffman(&[0xff, 0xff, 0xff, 0xfc])),
    ] {
        let mut server = Scripted::client(&Config::default());
        server.feed(&block(1, true, &[&REQUEST[..], &fields].concat()));
        let mut client = Scripted::server(&Config::default(), &[]);
        client.open(&get("/"), true);
        client.frames();
        client.feed(&block(1, true, &[&[0x88][..], &fields].concat()));
        for mut peer in [server, client] {
            let code = peer.frames_of(kind::GOAWAY).first().map(Seen::code);
            // COMPRESSION_ERROR, which h2 calls PROTOCOL_ERROR where all is in one frame.
            assert!(matches!(code, Some(1 | 9)), "{name}: {code:?}");
            let told = peer.told();
            assert!(told.last().is_some_and(|word| word.starts_with("Closed")), "{name}: {told:?}");
        }
    }
}
