//! What is searched for in a field: a text with `*` for anything, in any case.

/// A pattern such as `3.0.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<String>);

impl Pattern {
    /// Of its text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(text.to_lowercase().split('*').map(str::to_owned).collect())
    }

    /// The text, where it has no `*`.
    #[must_use]
    pub fn exact(&self) -> Option<&str> {
        if let [text] = &self.0[..] { Some(text) } else { None }
    }

    /// Whether a text fits it as a whole.
    #[must_use]
    pub fn fits(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let [first, rest @ ..] = &self.0[..] else { return false };
        let Some((last, between)) = rest.split_last() else { return text == *first };
        let Some(mut left) = text.strip_prefix(first.as_str()) else { return false };
        for part in between {
            // The first place is the best one: it leaves most for what follows.
            let Some(at) = left.find(part.as_str()) else { return false };
            left = &left[at + part.len()..];
        }
        left.ends_with(last.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_and_case_for_nothing() {
        let fits = [("3.0.*", "3.0.11-1"), ("*", ""), ("OpenSSL", "openssl"), ("*ssl*", "libssl3"), ("a*b*c", "abbc")];
        for (pattern, text) in fits {
            assert!(Pattern::of(pattern).fits(text), "{pattern} {text}");
        }
        let other = [
            ("3.0.*", "3.1.0"),
            ("openssl", "openssl-dev"),
            ("a*a", "a"),
            ("", "x"),
            ("*b", "bc"),
            ("3.0.*", "13.0.1"),
        ];
        for (pattern, text) in other {
            assert!(!Pattern::of(pattern).fits(text), "{pattern} {text}");
        }
        assert_eq!(Pattern::of("Bash").exact(), Some("bash"));
        assert_eq!(Pattern::of("b*").exact(), None);
    }
}
