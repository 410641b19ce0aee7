//! The ROS arguments that the node itself needs: parameter files, to report their errors before rcl
//! does; remappings, to resolve a camera's topic as image_transport does; the enclave, for a second
//! context.

use std::path::PathBuf;

use shuffledet_detector::config::{ConfigError, check_ros_file};

/// The `--ros-args` of a command line that the node needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RosArguments {
    pub parameter_files: Vec<PathBuf>,
    /// The enclave in which security policies look up the node.
    pub enclave: Option<String>,
    remaps: Vec<Remap>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Remap {
    /// The node that the rule applies to; `None` for every node.
    node: Option<String>,
    from: String,
    to: String,
}

impl RosArguments {
    /// Reads the arguments. Skips those that rcl will reject.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Self {
        let mut found = Self::default();
        let mut in_ros_args = false;
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--ros-args" => in_ros_args = true,
                "--" => in_ros_args = false,
                "--params-file" if in_ros_args => {
                    found.parameter_files.extend(args.next().map(PathBuf::from));
                }
                "-e" | "--enclave" if in_ros_args => {
                    found.enclave = args.next().or(found.enclave);
                }
                "-r" | "--remap" if in_ros_args => {
                    found
                        .remaps
                        .extend(args.next().and_then(|rule| Remap::parse(&rule)));
                }
                _ => {}
            }
        }
        found
    }

    /// Returns the node's name: from the rule for `__node`, else `default`.
    pub fn node_name<'a>(&'a self, default: &'a str) -> &'a str {
        let rule = self
            .remaps
            .iter()
            .find(|rule| matches!(&*rule.from, "__node" | "__name"));
        rule.map_or(default, |rule| &rule.to)
    }

    /// Returns the full, remapped name of `topic` for the node `node` in `namespace`.
    pub fn resolve(&self, topic: &str, namespace: &str, node: &str) -> String {
        let full = expand(topic, namespace, node);
        let matching = |rule: &&Remap| {
            rule.node.as_deref().is_none_or(|of| of == node)
                && !rule.from.starts_with("__")
                && expand(&rule.from, namespace, node) == full
        };
        match self.remaps.iter().find(matching) {
            Some(rule) => expand(&rule.to, namespace, node),
            None => full,
        }
    }
}

/// The names of one node, which resolve its topics.
#[derive(Debug, Clone)]
pub struct Names {
    pub arguments: RosArguments,
    /// The namespace, such as `/` or `/car`.
    pub namespace: String,
    /// The node's name without its namespace.
    pub node: String,
}

impl Names {
    /// Returns the full, remapped name of `topic`.
    pub fn resolve(&self, topic: &str) -> String {
        self.arguments.resolve(topic, &self.namespace, &self.node)
    }
}

impl Remap {
    /// Parses `from:=to` or `node:from:=to`.
    fn parse(rule: &str) -> Option<Self> {
        let (from, to) = rule.split_once(":=")?;
        let (node, from) = match from.split_once(':') {
            // rosservice:// and rostopic:// are not nodes
            Some((node, from)) if !from.starts_with("//") => (Some(node.to_owned()), from),
            _ => (None, from),
        };
        Some(Self {
            node,
            from: from.to_owned(),
            to: to.to_owned(),
        })
    }
}

/// Expands a name as rcl does: absolute, private (`~`) or relative to the namespace.
fn expand(name: &str, namespace: &str, node: &str) -> String {
    let namespace = namespace.trim_end_matches('/');
    match name.strip_prefix('~') {
        _ if name.starts_with('/') => name.to_owned(),
        Some(private) => format!(
            "{namespace}/{node}{}{private}",
            if private.is_empty() || private.starts_with('/') {
                ""
            } else {
                "/"
            }
        ),
        None => format!("{namespace}/{name}"),
    }
}

/// Fails at the first parameter file that cannot be read or has an error in the part for `node`.
pub fn check_files(arguments: &RosArguments, node: &str) -> Result<(), ConfigError> {
    arguments
        .parameter_files
        .iter()
        .try_for_each(|path| check_ros_file(path, node))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> RosArguments {
        RosArguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn only_ros_arguments_count() {
        let args = parse(
            "node --params-file no.yaml --ros-args --params-file a.yaml -r image_raw:=/front/image -- -r x:=y",
        );
        assert_eq!(args.parameter_files, [PathBuf::from("a.yaml")]);
        assert_eq!(args.resolve("image_raw", "/", "shuffledet"), "/front/image");
        assert_eq!(args.resolve("x", "/", "shuffledet"), "/x");
    }

    #[test]
    fn the_last_enclave_counts() {
        assert_eq!(parse("n --enclave /a").enclave, None);
        let args = parse("n --ros-args --enclave /a -e /b/c --enclave");
        assert_eq!(args.enclave.as_deref(), Some("/b/c"));
    }

    #[test]
    fn names_are_resolved_as_rcl_does() {
        let args =
            parse("n --ros-args -r __node:=eye -r ~/detections:=out -r other:a:=b -r eye:a:=c");
        let node = args.node_name("shuffledet");
        assert_eq!(node, "eye");
        assert_eq!(args.resolve("image_raw", "/car", node), "/car/image_raw");
        assert_eq!(args.resolve("/image_raw", "/car", node), "/image_raw");
        assert_eq!(args.resolve("~/latency", "/car", node), "/car/eye/latency");
        assert_eq!(args.resolve("~/detections", "/car", node), "/car/out");
        assert_eq!(args.resolve("a", "/", node), "/c");
    }
}
