//! System limits that matter for large images over DDS: socket buffers, IP fragments, shared
//! memory.

use std::fs;
use std::path::Path;

use super::check::{Check, Report};
use shuffledet_core::bounded_file::TEXT_LIMIT;
use shuffledet_core::text;

/// Size of a raw BGR image of 1280x720 pixels, the reference for the limits.
const IMAGE_BYTES: u64 = 3 * 1280 * 720;

/// A kernel limit: its file under `proc/sys`, the minimum value and the recommended value.
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
        because: "the receive buffer is too small for a fragmented image from the network",
    },
    Limit {
        file: "net/core/wmem_max",
        least: 2 * IMAGE_BYTES,
        wanted: 16 << 20,
        because: "the send buffer is too small for a fragmented image to the network",
    },
    Limit {
        file: "net/ipv4/ipfrag_high_thresh",
        least: 8 * IMAGE_BYTES,
        wanted: 128 << 20,
        because: "after packet loss the kernel drops fragments of later images, too",
    },
    Limit {
        file: "net/ipv4/ipfrag_time",
        least: 0,
        wanted: 3,
        because: "fragments of incomplete images occupy memory for this many seconds",
    },
];

/// Checks the limits in the file system below `root` and the environment variables.
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
        let fix = format!(
            "sudo sysctl -w {name}={wanted}; add the line {name}={wanted} to a file in /etc/sysctl.d to make it permanent"
        );
        let Ok(value) = text.trim().parse::<u64>() else {
            let found = "unknown: /proc/sys has no value";
            let fix = format!("check the value on the host of this container: sysctl {name}");
            return Check::warn(name, found, fix);
        };
        // the limit on a time is a maximum, the others are minimums
        let enough = if self.least == 0 {
            value <= 2 * wanted
        } else {
            value >= self.least
        };
        if enough {
            Check::ok(name, value.to_string())
        } else {
            Check::warn(name, format!("{value}; {because}"), fix)
        }
    }
}

/// Returns the size of `/dev/shm` in bytes: the mount's size option, or half of the memory. `None`
/// if it is not mounted.
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

/// Parses a size such as `65536k`, `2g` or `1024`.
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
    let fix = "in Docker: docker run --shm-size=1g or --ipc=host; otherwise: sudo mount -o remount,size=1G /dev/shm";
    match size {
        None => Check::warn(NAME, "not mounted: DDS sends images over UDP", fix),
        Some(size) => {
            let found = format!("{} MB", size >> 20);
            // several segments of several images each, for the node and its peers
            if size >= 64 * IMAGE_BYTES {
                Check::ok(NAME, found)
            } else {
                let found = format!("{found}: room for few images; DDS sends the others over UDP");
                Check::warn(NAME, found, fix)
            }
        }
    }
}

/// Checks whether the Fast DDS profiles enlarge the shared-memory segment.
fn profiles(environment: &dyn Fn(&str) -> Option<String>) -> Check {
    let rmw = environment("RMW_IMPLEMENTATION").unwrap_or_default();
    if !rmw.is_empty() && !rmw.contains("fastrtps") && !rmw.contains("fastdds") {
        return Check::ok("Fast DDS profiles", format!("not used by {rmw}"));
    }
    let variables = [
        "FASTDDS_DEFAULT_PROFILES_FILE",
        "FASTRTPS_DEFAULT_PROFILES_FILE",
    ];
    let fix = "see tests/ros/fastdds.xml for an example";
    let set = variables
        .iter()
        .find_map(|name| Some((*name, environment(name)?)));
    let Some((name, path)) = set else {
        let found = "FASTRTPS_DEFAULT_PROFILES_FILE is not set; a raw image of one megapixel \
             does not fit the default shared-memory segment";
        return Check::warn(
            "Fast DDS profiles",
            found,
            format!("{fix}; set the variable for the camera processes"),
        );
    };
    let text = match text::read(path.as_ref(), TEXT_LIMIT) {
        Ok(text) => text,
        Err(error) => {
            let fix = format!("correct the file or unset {name}");
            return Check::fail(name, format!("{path}: {error}"), fix);
        }
    };
    match segment_bytes(&text) {
        Some(size) if size >= 4 * IMAGE_BYTES => Check::ok(name, path),
        Some(size) => {
            let found = format!("{path}: segment_size {size} has room for few images");
            Check::warn(
                name,
                found,
                format!("set segment_size to {} or more; {fix}", 4 * IMAGE_BYTES),
            )
        }
        None => Check::warn(name, format!("{path} sets no segment_size"), fix),
    }
}

/// Returns the number in `<segment_size>`.
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
