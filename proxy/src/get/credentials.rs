//! Names and passwords, and how HTTP says them (RFC 7617).

use http::HeaderValue;

/// A name and a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: Vec<u8>,
    pub(crate) password: Vec<u8>,
}

impl Credentials {
    /// `user:password`, as `-u` has it.
    pub(crate) fn typed(text: &str) -> Self {
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        Self { user: user.as_bytes().to_vec(), password: password.as_bytes().to_vec() }
    }

    /// `user:password` of a URL, percent-decoded.
    pub(crate) fn of_url(text: &str) -> Self {
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        Self { user: percent_decode(user), password: percent_decode(password) }
    }

    /// The Authorization field.
    pub(crate) fn basic(&self) -> Option<HeaderValue> {
        let pair = [self.user.as_slice(), b":", self.password.as_slice()].concat();
        let mut value = HeaderValue::from_str(&format!("Basic {}", base64(&pair))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// Bytes behind percent signs (RFC 3986 2.1); other signs stay.
pub(crate) fn percent_decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 3;
            }
            (byte, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    decoded
}

/// RFC 4648 section 4, with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for n in 0..4 {
            let index = group >> (18 - 6 * n) & 0x3f;
            let letter = if n <= chunk.len() { ALPHABET[index as usize] } else { b'=' };
            encoded.push(char::from(letter));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_said_as_rfc_7617_says_them() {
        // The example of RFC 7617 section 2.
        let expected = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
        assert_eq!(Credentials::typed("Aladdin:open sesame").basic().unwrap(), expected);
        assert_eq!(Credentials::of_url("Aladdin:open%20sesame").basic().unwrap(), expected);
        assert_eq!(Credentials::typed("a").basic().unwrap(), "Basic YTo=");
    }

    #[test]
    fn base64_is_the_one_of_rfc_4648_section_10() {
        for (plain, encoded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }
}
