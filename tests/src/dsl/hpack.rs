//! The smallest HPACK that every decoder understands: literals without indexing and without
//! Huffman (RFC 7541 6.2.2). What peers send stays opaque but for indexed pseudo-fields.

/// Encodes fields, pseudo-fields first.
pub(super) fn encode(fields: &[(String, String)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        string(&mut block, name);
        string(&mut block, value);
    }
    block
}

fn string(block: &mut Vec<u8>, text: &str) {
    integer(block, text.len());
    block.extend_from_slice(text.as_bytes());
}

/// A length with a 7-bit prefix (RFC 7541 5.1).
fn integer(block: &mut Vec<u8>, n: usize) {
    if n < 127 {
        block.push(n as u8);
        return;
    }
    block.push(127);
    let mut rest = n - 127;
    while rest >= 128 {
        block.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    block.push(rest as u8);
}

/// The status of a block that begins with an indexed one (RFC 7541 appendix A).
pub(super) fn status(block: &[u8]) -> Option<u16> {
    match block.first()? {
        0x88 => Some(200),
        0x89 => Some(204),
        0x8a => Some(206),
        0x8b => Some(304),
        0x8c => Some(400),
        0x8d => Some(404),
        0x8e => Some(500),
        _ => None,
    }
}
