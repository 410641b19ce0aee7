//! What strace wrote of a program, read for sockets and for changes of files.

use std::fs;
use std::path::{Path, PathBuf};

/// The calls to trace; a question mark: where the processor has it.
pub const CALLS: &str = "trace=network,?open,openat,?openat2,?creat,truncate,?mkdir,mkdirat,?mknod,mknodat,?link,linkat,\
    ?symlink,symlinkat,?rename,?renameat,renameat2,?unlink,unlinkat,?rmdir,chdir,write";

/// One call a line: the number of the process, the call's name, its arguments.
pub struct Trace {
    lines: Vec<String>,
}

impl Trace {
    pub fn read(file: &Path) -> Self {
        let text = String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned();
        let lines = text.lines().map(str::to_owned).collect();
        let trace = Self { lines };
        // relative paths would lead elsewhere
        assert_eq!(trace.named(&["chdir"]), [""; 0]);
        trace
    }

    /// The calls of these names, in order; `socket` is not `socketpair`.
    pub fn named(&self, names: &[&str]) -> Vec<&str> {
        self.numbered(names).map(|(_, line)| line).collect()
    }

    fn numbered(&self, names: &[&str]) -> impl Iterator<Item = (usize, &str)> {
        let calls = self.lines.iter().enumerate().filter_map(|(number, line)| {
            let (process, call) = line.split_once(' ')?;
            process.parse::<u32>().ok()?;
            Some((number, call.trim_start()))
        });
        calls.filter(move |(_, call)| {
            call.split_once('(')
                .is_some_and(|(name, _)| names.contains(&name))
        })
    }

    /// The line on which `text` is first written.
    pub fn written(&self, text: &str) -> Option<usize> {
        let mut writes = self.numbered(&["write"]);
        writes
            .find(|(_, call)| call.contains(text))
            .map(|(number, _)| number)
    }

    /// The line of the first call of that name.
    pub fn first(&self, name: &str) -> Option<usize> {
        self.numbered(&[name]).next().map(|(number, _)| number)
    }

    /// Whether a name was looked up: who does reads where to ask.
    pub fn looks_names_up(&self) -> bool {
        let opened = self.named(&["open", "openat"]);
        opened
            .iter()
            .any(|call| call.contains("\"/etc/resolv.conf\"") || call.contains("\"/etc/hosts\""))
    }

    /// Everything that was created, written to, renamed or removed, or was to be.
    pub fn changed(&self, work: &Path) -> Vec<PathBuf> {
        const OPEN: [&str; 3] = ["open", "openat", "openat2"];
        const WRITING: [&str; 5] = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_TMPFILE"];
        const CHANGING: [&str; 17] = [
            "creat",
            "truncate",
            "mkdir",
            "mkdirat",
            "mknod",
            "mknodat",
            "link",
            "linkat",
            "symlink",
            "symlinkat",
            "rename",
            "renameat",
            "renameat2",
            "unlink",
            "unlinkat",
            "rmdir",
            "openat2",
        ];
        let opened = self
            .named(&OPEN)
            .into_iter()
            .filter(|call| WRITING.iter().any(|flag| call.contains(flag)));
        let calls = opened.chain(self.named(&CHANGING));
        let mut paths: Vec<_> = calls.flat_map(|call| paths(call, work)).collect();
        paths.sort();
        paths.dedup();
        paths
    }
}

/// Whether a path or a call is of LTTng, the tracer that the libraries of ROS 2 are built with: it looks for its daemon
/// on this machine.
pub fn is_of_lttng(text: &str) -> bool {
    text.contains("/lttng-ust-")
}

/// The quoted paths of a call, each from the folder that is named before it (`5</folder>, "name"`), or from `work`.
fn paths(call: &str, work: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let mut rest = call;
    while let Some((before, after)) = rest.split_once('"') {
        let Some((name, after)) = after.split_once('"') else {
            break;
        };
        let folder = before
            .strip_suffix(">, ")
            .and_then(|before| before.rsplit_once('<'));
        paths.push(
            folder
                .map_or(work, |(_, folder)| Path::new(folder))
                .join(name),
        );
        rest = after;
    }
    paths
}

#[test]
fn a_trace_is_read_for_sockets_and_changes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace");
    let text = r#"7 openat(AT_FDCWD</srv>, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3</etc/ld.so.cache>
71 mkdir("made", 0700) = 0
7  openat(6</home/.cache>, "id", O_WRONLY|O_CREAT <unfinished ...>
71 linkat(6</home/.cache>, "id.tmp", 6</home/.cache>, "id", 0) = 0
7 <... openat resumed>) = 7</home/.cache/id>
7 socketpair(AF_UNIX, SOCK_STREAM, 0, [11<socket:[71854]>, 12<socket:[71855]>]) = 0
7 write(2</dev/null>, "hello\n", 6) = 6
7 socket(AF_INET6, SOCK_DGRAM, IPPROTO_IP <unfinished ...>
7 +++ exited with 0 +++
"#;
    fs::write(&file, text).unwrap();
    let trace = Trace::read(&file);
    let changed = trace.changed(Path::new("/srv"));
    let expected = ["/home/.cache/id", "/home/.cache/id.tmp", "/srv/made"];
    assert_eq!(changed, expected.map(PathBuf::from));
    assert_eq!(
        trace.named(&["socket"]),
        ["socket(AF_INET6, SOCK_DGRAM, IPPROTO_IP <unfinished ...>"]
    );
    assert!(trace.written("hello") < trace.first("socket"));
    assert!(!trace.looks_names_up());
}
