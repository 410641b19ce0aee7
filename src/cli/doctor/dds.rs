//! What bounds large images on their way through DDS: socket buffers, fragments, shared memory.

use std::fs;
use std::path::Path;

use super::check::{Check, Report};
use shuffledet_core::text;

/// A raw image of 1280x720 in BGR, which is what the limits are held against.
const IMAGE_BYTES: u64 = 3 * 1280 * 720;

/// A limit of the kernel, its file under `proc/sys`, the least that suffices, and what to set it to.
struct Limit {
    file: &'static str,
    least: u64,
    wanted: u64,
    because: &'static str,
}

const LIMITS: [Limit; 4] = [
    Limit {
        file: "net/core/rmem_max",
        least: 2 * IMAGE_BYTES,
        wanted: 16 << 20,
        because: "received over a network, an image in fragments does not fit the socket's buffer",
    },
    Limit {
        file: "net/core/wmem_max",
        least: 2 * IMAGE_BYTES,
        wanted: 16 << 20,
        because: "sent over a network, an image in fragments does not fit the socket's buffer",
    },
    Limit {
        file: "net/ipv4/ipfrag_high_thresh",
        least: 8 * IMAGE_BYTES,
        wanted: 128 << 20,
        because: "the kernel drops fragments of images when some get lost",
    },
    Limit {
        file: "net/ipv4/ipfrag_time",
        least: 0,
        wanted: 3,
        because: "fragments of lost images take up memory for that many seconds",
    },
];

/// Looks at `root`, the root of the file system, and at environment variables.
pub(super) fn check(
    environment: &dyn Fn(&str) -> Option<String>,
    root: &Path,
    report: &mut Report,
) {
    for limit in &LIMITS {
        let path = root.join("proc/sys").join(limit.file);
        report.add(limit.check(&fs::read_to_string(path).unwrap_or_default()));
    }
    let mounts = fs::read_to_string(root.join("proc/mounts")).unwrap_or_default();
    let memory = fs::read_to_string(root.join("proc/meminfo")).unwrap_or_default();
    report.add(shared_memory(shared_memory_bytes(&mounts, &memory)));
    report.add(profiles(environment));
}

impl Limit {
    fn check(&self, text: &str) -> Check {
        let name = self.file.replace('/', ".");
        let (wanted, because) = (self.wanted, self.because);
        let mend = format!("sudo sysctl -w {name}={wanted}, and the same in /etc/sysctl.d");
        let Ok(value) = text.trim().parse::<u64>() else {
            let found = "not known: /proc/sys does not say";
            let mend = format!("look on the host of this container: sysctl {name}");
            return Check::warn(name, found, mend);
        };
        // a time is to be short, all else large
        let enough = if self.least == 0 {
            value <= 2 * wanted
        } else {
            value >= self.least
        };
        if enough {
            Check::ok(name, value.to_string())
        } else {
            Check::warn(name, format!("{value}; {because}"), mend)
        }
    }
}

/// The size of `/dev/shm`: that of its mount, or half of the memory where the mount names none. `None` where there is no
/// such mount.
fn shared_memory_bytes(mounts: &str, memory: &str) -> Option<u64> {
    let fields = mounts
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let options = fields
        .filter(|fields| fields.get(1) == Some(&"/dev/shm"))
        .find_map(|fields| fields.get(3).map(|options| (*options).to_owned()))?;
    let size = options
        .split(',')
        .find_map(|option| option.strip_prefix("size="));
    match size {
        Some(size) => bytes(size),
        None => {
            let line = memory
                .lines()
                .find_map(|line| line.strip_prefix("MemTotal:"))?;
            Some(bytes(&line.trim().replace(" kB", "k"))? / 2)
        }
    }
}

/// `65536k`, `2g`, `1024`.
fn bytes(size: &str) -> Option<u64> {
    let digits = size.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match size[digits.len()..].to_ascii_lowercase().as_str() {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

fn shared_memory(size: Option<u64>) -> Check {
    const NAME: &str = "/dev/shm";
    let mend =
        "docker run --shm-size=1g, or --ipc=host; else: sudo mount -o remount,size=1G /dev/shm";
    match size {
        None => Check::warn(NAME, "not mounted: images go over UDP", mend),
        Some(size) => {
            let found = format!("{} MB", size >> 20);
            // several segments of several images each, for the node and its peers
            if size >= 64 * IMAGE_BYTES {
                Check::ok(NAME, found)
            } else {
                let found = format!("{found}; few images fit, what does not goes over UDP");
                Check::warn(NAME, found, mend)
            }
        }
    }
}

/// The profiles that Fast DDS reads, and whether they enlarge its shared-memory segment.
fn profiles(environment: &dyn Fn(&str) -> Option<String>) -> Check {
    let rmw = environment("RMW_IMPLEMENTATION").unwrap_or_default();
    if !rmw.is_empty() && !rmw.contains("fastrtps") && !rmw.contains("fastdds") {
        return Check::ok("Fast DDS profiles", format!("not used by {rmw}"));
    }
    let variables = [
        "FASTDDS_DEFAULT_PROFILES_FILE",
        "FASTRTPS_DEFAULT_PROFILES_FILE",
    ];
    let mend = "take tests/ros/fastdds.xml as an example";
    let set = variables
        .iter()
        .find_map(|name| Some((*name, environment(name)?)));
    let Some((name, path)) = set else {
        let found = "FASTRTPS_DEFAULT_PROFILES_FILE is not set; by default a raw image of a megapixel \
             does not fit the shared-memory segment";
        return Check::warn(
            "Fast DDS profiles",
            found,
            format!("{mend}, for the cameras' processes"),
        );
    };
    let text = match text::read(path.as_ref()) {
        Ok(text) => text,
        Err(error) => {
            let mend = format!("correct or unset {name}");
            return Check::fail(name, format!("{path}: {error}"), mend);
        }
    };
    match segment_bytes(&text) {
        Some(size) if size >= 4 * IMAGE_BYTES => Check::ok(name, path),
        Some(size) => {
            let found = format!("{path}: segment_size {size}: few images fit");
            Check::warn(name, found, format!("{} or more; {mend}", 4 * IMAGE_BYTES))
        }
        None => Check::warn(name, format!("{path} sets no segment_size"), mend),
    }
}

/// The number in `<segment_size>`.
fn segment_bytes(xml: &str) -> Option<u64> {
    let (_, after) = xml.split_once("<segment_size>")?;
    after.split_once('<')?.0.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::check::Level;
    use super::*;

    #[test]
    fn limits_are_read_where_the_kernel_has_them() {
        let root = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let path = root.path().join("proc/sys").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let levels = || {
            let mut report = Report::default();
            check(
                &|_| Some("rmw_cyclonedds_cpp".to_owned()),
                root.path(),
                &mut report,
            );
            report
                .checks
                .iter()
                .map(|check| check.level)
                .collect::<Vec<_>>()
        };
        // nothing there: nothing is known, and nothing is fine
        assert_eq!(levels()[..5], [Level::Warn; 5]);
        write("net/core/rmem_max", "212992\n");
        write("net/core/wmem_max", "16777216\n");
        write("net/ipv4/ipfrag_high_thresh", "134217728\n");
        write("net/ipv4/ipfrag_time", "3\n");
        fs::write(
            root.path().join("proc/mounts"),
            "tmpfs /dev/shm tmpfs rw,size=2g 0 0\n",
        )
        .unwrap();
        assert_eq!(
            levels(),
            [
                Level::Warn,
                Level::Ok,
                Level::Ok,
                Level::Ok,
                Level::Ok,
                Level::Ok
            ]
        );
        write("net/core/rmem_max", "16777216\n");
        write("net/ipv4/ipfrag_time", "30\n");
        assert_eq!(
            levels()[..4],
            [Level::Ok, Level::Ok, Level::Ok, Level::Warn]
        );
    }

    #[test]
    fn shared_memory_is_as_large_as_its_mount_says() {
        let memory = "MemTotal:        8000000 kB\nMemFree: 1 kB\n";
        let size = |mounts: &str| shared_memory_bytes(mounts, memory);
        let mount =
            |options: &str| format!("proc /proc proc rw 0 0\nshm /dev/shm tmpfs {options} 0 0\n");
        assert_eq!(
            size(&mount("rw,nosuid,size=65536k,inode64")),
            Some(64 << 20)
        );
        assert_eq!(size(&mount("rw,size=2g")), Some(2 << 30));
        assert_eq!(size(&mount("rw,nosuid")), Some(4_000_000 << 10));
        assert_eq!(size("proc /proc proc rw 0 0\n"), None);
        assert_eq!(size(&mount("rw,size=50%")), None);
        assert_eq!(shared_memory(Some(64 << 20)).level, Level::Warn);
        assert_eq!(shared_memory(Some(1 << 30)).level, Level::Ok);
        assert_eq!(shared_memory(None).level, Level::Warn);
    }

    #[test]
    fn profiles_must_be_there_and_large_enough() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        let level = |xml: &str| {
            fs::write(file.path(), xml).unwrap();
            let set = |name: &str| (name == "FASTRTPS_DEFAULT_PROFILES_FILE").then(|| path.clone());
            profiles(&set).level
        };
        assert_eq!(
            level("<a><segment_size> 67108864 </segment_size></a>"),
            Level::Ok
        );
        assert_eq!(
            level("<a><segment_size>1024</segment_size></a>"),
            Level::Warn
        );
        assert_eq!(level("<a/>"), Level::Warn);
        assert_eq!(profiles(&|_| None).level, Level::Warn);
        let nowhere = |name: &str| {
            name.starts_with("FASTRTPS")
                .then(|| "/nowhere.xml".to_owned())
        };
        assert_eq!(profiles(&nowhere).level, Level::Fail);
    }
}
