//! Writes counts for people.

/// Returns a count with a comma between thousands.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a count and its noun: `1 frame`, `2 frames`, `3 boxes`, `4 entries`.
pub fn counted(n: u64, noun: &str) -> String {
    let count = count(n);
    let before_y = noun.strip_suffix('y').filter(|stem| {
        let last = stem.chars().last();
        last.is_some_and(|letter| !"aeiou".contains(letter))
    });
    let is_sibilant = ["s", "x", "ch", "sh"].iter().any(|end| noun.ends_with(end));
    match before_y {
        _ if n == 1 => format!("{count} {noun}"),
        Some(stem) => format!("{count} {stem}ies"),
        None if is_sibilant => format!("{count} {noun}es"),
        None => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_follow_their_counts() {
        for (n, noun, text) in [
            (1, "frame", "1 frame"),
            (0, "frame", "0 frames"),
            (2_477, "car", "2,477 cars"),
            (1_000_000, "entry", "1,000,000 entries"),
            (1, "entry", "1 entry"),
            (2, "day", "2 days"),
            (3, "box", "3 boxes"),
            (4, "class", "4 classes"),
            (5, "batch", "5 batches"),
        ] {
            assert_eq!(counted(n, noun), text);
        }
    }
}
