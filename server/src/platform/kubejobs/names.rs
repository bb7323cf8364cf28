//! What Kubernetes accepts as names, said in words before it refuses them.

/// A name of an object, as most kinds have them: labels of a domain.
///
/// # Errors
/// A sentence that says what would be right.
pub fn object(name: &str) -> Result<(), String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if name.len() <= 253 && name.chars().all(inner) && edge(name.chars().next()) && edge(name.chars().next_back()) {
        Ok(())
    } else {
        Err(format!("{name:?} is no name in Kubernetes: small letters, digits, - and . only, such as team-a."))
    }
}

/// A label: `zone` or `example.org/zone`, and its value.
///
/// # Errors
/// As `object`.
pub fn label(name: &str, value: &str) -> Result<(), String> {
    let (prefix, last) = name.rsplit_once('/').map_or((None, name), |(prefix, last)| (Some(prefix), last));
    let word = |text: &str| {
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        text.len() <= 63
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            && edge(text.chars().next())
            && edge(text.chars().next_back())
    };
    if prefix.is_none_or(|prefix| object(prefix).is_ok()) && word(last) && (value.is_empty() || word(value)) {
        Ok(())
    } else {
        Err(format!("{name}={value} is no label: such as zone=b or example.org/zone=b."))
    }
}

/// The name of an image, with a tag or a digest or neither.
///
/// # Errors
/// As `object`.
pub fn image(name: &str) -> Result<(), String> {
    if name.trim().is_empty() {
        return Err("Name the image of the worker, such as example.org/team/worker:1.4.".to_owned());
    }
    let (rest, digest) = name.split_once('@').map_or((name, None), |(rest, digest)| (rest, Some(digest)));
    // A colon before the last slash is that of a port.
    let tag_at = rest.rfind(':').filter(|at| rest.rfind('/').is_none_or(|slash| slash < *at));
    let (path, tag) = tag_at.map_or((rest, None), |at| (&rest[..at], Some(&rest[at + 1..])));
    let path_fits = !path.is_empty() && path.split('/').enumerate().all(|(place, part)| part_of_path(part, place == 0));
    let tag_fits = tag
        .is_none_or(|tag| (1..=128).contains(&tag.len()) && tag.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')));
    let digest_fits = digest.is_none_or(|digest| {
        digest.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.chars().all(|c| c.is_ascii_hexdigit()))
    });
    if path_fits && tag_fits && digest_fits {
        Ok(())
    } else {
        Err(format!("{name:?} is not the name of an image; such as example.org/team/worker:1.4."))
    }
}

fn part_of_path(part: &str, first: bool) -> bool {
    // The first part may be a host with a port.
    let fits = |c: char| {
        c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.') || (first && (c == ':' || c.is_ascii_uppercase()))
    };
    !part.is_empty() && part.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_what_is_none() {
        for good in [
            "worker",
            "localhost/worker:1",
            "example.org:5000/a/b:1.4",
            "a@sha256:0123456789012345678901234567890123456789012345678901234567890123",
        ] {
            assert_eq!(image(good), Ok(()), "{good}");
        }
        for bad in ["", " ", "a b", "a:", "a/B", "a@sha256:12", "a//b", ":1"] {
            assert!(image(bad).is_err(), "{bad}");
        }
        assert!(object("team-a.b").is_ok() && object("-a").is_err() && object("A").is_err() && object("").is_err());
        assert!(label("example.org/zone", "b").is_ok() && label("zone", "").is_ok());
        assert!(label("a b", "c").is_err() && label("a", "b c").is_err() && label("", "c").is_err());
    }
}
