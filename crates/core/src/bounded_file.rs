//! Reads whole files within a limit, so that no file can fill the memory or block the program.
//!
//! A path may lead to a device that never ends (`/dev/zero`), or to a FIFO that nobody writes.

use std::fs::{self, File, FileType};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// The limit for configuration, labels and other files that people write, in bytes.
pub const TEXT_LIMIT: u64 = 64 << 20;

/// The limit for a picture file, in bytes.
pub const PICTURE_LIMIT: u64 = 1 << 30;

/// The limit for annotations and detections of a whole data set, in bytes.
pub const DATA_LIMIT: u64 = 4 << 30;

/// The limit for a model, in bytes: a protobuf message has at most 2 GiB.
pub const MODEL_LIMIT: u64 = 2 << 30;

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// Errors of the system; `InvalidInput` if the path leads to anything else than a regular file;
/// `FileTooLarge` if the file is longer.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let kind = fs::metadata(path)?.file_type();
    if !kind.is_file() {
        return Err(wrong_kind("a regular file", kind));
    }
    read_bounded(path, limit)
}

/// Reads like [`read`], and also reads a pipe to its end, as `<(command)` of a shell gives it. This
/// waits until somebody writes into the pipe.
///
/// # Errors
/// As [`read`], except for pipes.
pub fn read_or_pipe(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let kind = fs::metadata(path)?.file_type();
    if !kind.is_file() && !kind.is_fifo() {
        return Err(wrong_kind("a regular file or a pipe", kind));
    }
    read_bounded(path, limit)
}

fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    if length > limit {
        return Err(too_large(limit));
    }
    let bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    // a pipe has no length, and a file may grow
    read_to_end(file, bytes, limit)
}

/// Reads to the end of a stream, such as standard input, of at most `limit` bytes.
///
/// # Errors
/// Errors of the system; `FileTooLarge` if there are more bytes.
pub fn read_stream(stream: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    read_to_end(stream, Vec::new(), limit)
}

fn read_to_end(stream: impl Read, mut bytes: Vec<u8>, limit: u64) -> io::Result<Vec<u8>> {
    let mut stream = stream.take(limit.saturating_add(1));
    stream.read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(too_large(limit));
    }
    Ok(bytes)
}

fn too_large(limit: u64) -> io::Error {
    let text = format!("expected at most {limit} bytes, found more; give a smaller file");
    io::Error::new(io::ErrorKind::FileTooLarge, text)
}

fn wrong_kind(expected: &str, kind: FileType) -> io::Error {
    let found = if kind.is_dir() {
        return io::ErrorKind::IsADirectory.into();
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    let text = format!("expected {expected}, found {found}; give the path of a file");
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn error(path: &Path) -> String {
        read(path, 4).unwrap_err().to_string()
    }

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, b"1234").unwrap();
        assert_eq!(read(&path, 4).unwrap(), b"1234");
        fs::write(&path, b"12345").unwrap();
        assert!(error(&path).contains("expected at most 4 bytes, found more"));
    }

    #[test]
    fn a_stream_without_end_is_read_up_to_its_limit() {
        assert_eq!(read_stream(&b"1234"[..], 4).unwrap(), b"1234");
        let kind = read_stream(io::repeat(7), 4).unwrap_err().kind();
        assert_eq!(kind, io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn a_device_that_never_ends_is_refused() {
        let text = error(Path::new("/dev/zero"));
        assert!(
            text.contains("expected a regular file, found a device"),
            "{text}"
        );
        assert!(read_or_pipe(Path::new("/dev/zero"), 4).is_err());
    }

    #[test]
    fn sockets_and_folders_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let _listener = UnixListener::bind(&path).unwrap();
        assert!(error(&path).contains("found a socket"));
        let kind = read(folder.path(), 4).unwrap_err().kind();
        assert_eq!(kind, io::ErrorKind::IsADirectory);
    }

    #[test]
    fn a_pipe_is_read_only_where_one_may_stand() {
        let (reader, mut writer) = io::pipe().unwrap();
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
        io::Write::write_all(&mut writer, b"1234").unwrap();
        drop(writer);
        assert!(error(Path::new(&path)).contains("found a pipe"));
        assert_eq!(read_or_pipe(Path::new(&path), 4).unwrap(), b"1234");
    }
}
