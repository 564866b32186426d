//! The join token as a person hands it over: `mu1_<id>_<secret>_<pin>`.

use std::fmt;

const ID_CHARS: usize = 8;
/// 32 bytes in base 62.
const SECRET_CHARS: usize = 43;
/// Bytes of SHA-256 over the root's public key that the token carries.
pub const PIN_BYTES: usize = 16;

/// A join token. Its secret is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    text: String,
    pin: [u8; PIN_BYTES],
}

/// Why a text is not a token; says nothing of its content.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "the token is not valid: {0}; expected mu1_<8 characters>_<43 characters>_<32 hex digits>, as `muster-collector token create` prints it"
)]
pub struct TokenError(&'static str);

impl Token {
    /// Reads a token; white space around it is allowed.
    ///
    /// # Errors
    /// When a part is missing or of the wrong length.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        let parts: Vec<&str> = text.split('_').collect();
        let [kind, id, secret, pin] = parts[..] else { return Err(TokenError("it does not have four parts")) };
        if kind != "mu1" {
            return Err(TokenError("it does not begin with mu1_"));
        }
        let alphanumeric = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if id.len() != ID_CHARS || !alphanumeric(id) {
            return Err(TokenError("its id is not 8 letters and digits"));
        }
        if secret.len() != SECRET_CHARS || !alphanumeric(secret) {
            return Err(TokenError("its secret is not 43 letters and digits"));
        }
        let pin = super::unhex(pin)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(TokenError("its pin is not 32 hex digits"))?;
        Ok(Self { text: text.to_owned(), pin })
    }

    /// The token's public part, for logs.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.text[4..4 + ID_CHARS]
    }

    /// The first bytes of SHA-256 over the root's public key.
    #[must_use]
    pub fn pin(&self) -> [u8; PIN_BYTES] {
        self.pin
    }

    /// The whole token, for the wire only.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> String {
        format!("mu1_abcd1234_{}_{}", "s".repeat(43), "0a".repeat(16))
    }

    #[test]
    fn token_shows_its_id_and_never_its_secret() {
        let token = Token::parse(&format!(" {}\n", text())).unwrap();
        assert_eq!(token.id(), "abcd1234");
        assert_eq!(token.pin(), [10; 16]);
        assert_eq!(token.reveal(), text());
        assert!(!format!("{token:?}").contains("sss"));
    }

    #[test]
    fn mistyped_token_is_refused_without_repeating_it() {
        for wrong in ["", "mu1", "mu2_a_b_c", &text()[1..], &text()[..80], &format!("{}0", text()), "mu1_é_é_é"] {
            let error = Token::parse(wrong).unwrap_err().to_string();
            assert!(!error.contains("sss"), "{error}");
        }
    }
}
