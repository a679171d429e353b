//! What a misspelt name was meant to be.

/// A hint for people: the nearest of the names that are known, or all of them.
pub(super) fn name<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let near = known.iter().map(|name| (distance(wrong, name), *name)).min();
    match near {
        None => "none is known here".to_owned(),
        Some((far, name)) if far <= wrong.len().max(3) / 3 + 1 => {
            format!("did you mean `{name}`?")
        }
        Some(_) => format!("expected one of {}", list(&known)),
    }
}

fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// How many letters must be changed, put in or left out (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (place, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = place + 1;
        for (at, against) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *against);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(row[at] + 1).min(row[at + 1] + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_differ_are_counted() {
        let all = [("", "", 0), ("delay", "dealy", 2), ("los", "loss", 1), ("a", "b", 1)];
        for (one, other, expected) in all {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
    }

    #[test]
    fn the_nearest_is_named_only_when_it_is_near() {
        assert_eq!(name("dealy", ["loss", "delay"]), "did you mean `delay`?");
        assert_eq!(name("colour", ["loss", "delay"]), "expected one of `loss`, `delay`");
    }
}
