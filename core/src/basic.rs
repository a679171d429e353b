//! A name and a password, as a command line and a URL write them and as HTTP says them (RFC 7617).
//!
//! ```
//! use regatta_core::basic::Credentials;
//!
//! let aladdin = Credentials::of_url("Aladdin:open%20sesame");
//! assert_eq!(aladdin, Credentials::typed("Aladdin:open sesame"));
//! assert_eq!(aladdin.basic().unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
//! ```

use core::fmt;

use http::HeaderValue;

/// A name and a password; bytes, because neither need be text.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The name; a colon in it would end it (RFC 7617 section 2).
    pub user: Vec<u8>,
    /// The password.
    pub password: Vec<u8>,
}

/// Never shows the password.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = String::from_utf8_lossy(&self.user);
        f.debug_struct("Credentials").field("user", &user).finish_non_exhaustive()
    }
}

impl Credentials {
    /// `user:password` as it is; without a colon there is no password.
    pub fn typed(text: &str) -> Self {
        Self::pair(text, |part| part.as_bytes().to_vec())
    }

    /// `user:password` of a URL, percent-decoded.
    pub fn of_url(text: &str) -> Self {
        Self::pair(text, percent_decoded)
    }

    fn pair(text: &str, read: fn(&str) -> Vec<u8>) -> Self {
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        Self { user: read(user), password: read(password) }
    }

    /// What Authorization or Proxy-Authorization says, marked as sensitive.
    pub fn basic(&self) -> Option<HeaderValue> {
        let pair = [self.user.as_slice(), b":", self.password.as_slice()].concat();
        // Base64 is always a value.
        let mut value = HeaderValue::try_from(format!("Basic {}", base64(&pair))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// Bytes behind percent signs (RFC 3986 2.1); other signs stay.
pub fn percent_decoded(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let byte = after.first_chunk::<2>().filter(|_| first == b'%').and_then(|[high, low]| {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
        });
        decoded.push(byte.unwrap_or(first));
        rest = after.get(if byte.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    decoded
}

/// RFC 4648 section 4, with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte));
        let group = group << (8 * (3 - chunk.len()));
        for n in 0..4 {
            let index = (group >> (18 - 6 * n) & 0x3f) as usize;
            let letter = ALPHABET.get(index).filter(|_| n <= chunk.len()).unwrap_or(&b'=');
            encoded.push(char::from(*letter));
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
        assert!(Credentials::typed("a").basic().unwrap().is_sensitive());
    }

    #[test]
    fn a_password_is_never_shown() {
        let shown = format!("{:?}", Credentials::typed("Aladdin:open sesame"));
        assert_eq!(shown, r#"Credentials { user: "Aladdin", .. }"#);
    }

    #[test]
    fn base64_is_the_one_of_rfc_4648_section_10() {
        for (plain, encoded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }

    #[test]
    fn only_two_hexadecimal_digits_are_a_byte() {
        for (text, bytes) in
            [("a%20b", "a b"), ("%4a%4A", "JJ"), ("%+5", "%+5"), ("%zz%4", "%zz%4")]
        {
            assert_eq!(percent_decoded(text), bytes.as_bytes(), "{text}");
        }
    }
}
