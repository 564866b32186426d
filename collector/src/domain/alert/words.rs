//! Text from elsewhere as words that may stand anywhere: one line, bounded, nothing that steers a terminal or turns text.

/// At most `most` characters; blanks and whatever is no character to read become one blank.
pub(super) fn words(text: &str, most: usize) -> String {
    let mut words = String::new();
    let mut left = most;
    for word in text.split(|c: char| c.is_whitespace() || steers(c)).filter(|word| !word.is_empty()) {
        if left == 0 {
            words.push('…');
            break;
        }
        if !words.is_empty() {
            words.push(' ');
        }
        let cut: String = word.chars().take(left).collect();
        let is_cut = cut.len() < word.len();
        left = left.saturating_sub(cut.chars().count() + 1);
        words.push_str(&cut);
        if is_cut {
            words.push('…');
            break;
        }
    }
    words
}

/// Control characters, and those that turn or hide the text around them.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}
