//! Selects the parameter names that `rcl_interfaces/srv/ListParameters` requests.

/// The depth that means no limit.
const DEPTH_RECURSIVE: u64 = 0;

/// The selected names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ListedNames {
    pub names: Vec<String>,
    /// The part before the last dot of each name, without duplicates.
    pub prefixes: Vec<String>,
}

/// Selects the `names` that equal one of `prefixes` or are at most `depth` keys below one; without
/// prefixes, those with at most `depth` keys. A depth of 0 means no limit.
pub(super) fn choose<'a>(
    names: impl Iterator<Item = &'a str>,
    prefixes: &[String],
    depth: u64,
) -> ListedNames {
    let near = |name: &str| depth == DEPTH_RECURSIVE || (name.matches('.').count() as u64) < depth;
    let under = |name: &str, prefix: &str| match name.strip_prefix(prefix) {
        Some("") => true,
        Some(rest) => rest.strip_prefix('.').is_some_and(near),
        None => false,
    };
    let mut listed = ListedNames::default();
    for name in names {
        let wanted = if prefixes.is_empty() {
            near(name)
        } else {
            prefixes.iter().any(|prefix| under(name, prefix))
        };
        if !wanted {
            continue;
        }
        listed.names.push(name.to_owned());
        if let Some((prefix, _)) = name.rsplit_once('.')
            && !listed.prefixes.iter().any(|listed| listed == prefix)
        {
            listed.prefixes.push(prefix.to_owned());
        }
    }
    listed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(prefixes: &[&str], depth: u64) -> (Vec<String>, Vec<String>) {
        let names = ["a", "b.c", "b.d.e", "b.d.f", "bc.g"];
        let prefixes: Vec<_> = prefixes.iter().map(|&prefix| prefix.to_owned()).collect();
        let listed = choose(names.into_iter(), &prefixes, depth);
        (listed.names, listed.prefixes)
    }

    #[test]
    fn depth_counts_keys() {
        assert_eq!(list(&[], 0).0.len(), 5);
        assert_eq!(list(&[], 0).1, ["b", "b.d", "bc"]);
        assert_eq!(list(&[], 1).0, ["a"]);
        assert_eq!(list(&[], 2).0, ["a", "b.c", "bc.g"]);
    }

    #[test]
    fn depth_counts_from_a_prefix_which_ends_at_a_dot() {
        assert_eq!(list(&["b"], 1).0, ["b.c"]);
        assert_eq!(list(&["b"], 0).0, ["b.c", "b.d.e", "b.d.f"]);
        assert_eq!(list(&["b.d", "a"], 1).0, ["a", "b.d.e", "b.d.f"]);
        assert_eq!(list(&["b.", ""], 0).0, [""; 0]);
    }
}
