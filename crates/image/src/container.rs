//! Reads properties of a video file that OpenCV does not report, or reports wrongly in some
//! versions: the orientation of its frames, the shown part, and whether the file is truncated.
//! Reads the boxes of MP4 (and MOV, 3GP) and the head of Matroska (and WebM); other files have none
//! of these.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// The properties in a file's own structure.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Container {
    /// The matrix that turns decoded frames upright, if the file has one.
    pub matrix: Option<DisplayMatrix>,
    /// Whether the number of frames comes from an index rather than an estimate.
    pub has_index: bool,
    /// The times of the shown frames in their order, in nanoseconds from the first. Empty if the
    /// file has no index of them.
    pub times_ns: Vec<u64>,
    /// The stated number of bytes, if the file is shorter.
    pub stated_bytes: Option<u64>,
}

/// The part of a video's display matrix that turns, mirrors and scales: a point (x, y) of a frame
/// is shown at (a x + c y, b x + d y).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DisplayMatrix {
    pub a: f64,
    pub b: f64,
    pub c: f64,
    pub d: f64,
}

impl DisplayMatrix {
    const IDENTITY: Self = Self {
        a: 1.0,
        b: 0.0,
        c: 0.0,
        d: 1.0,
    };

    /// Returns the matrix that applies `self` first, then `next`.
    fn then(self, next: Self) -> Self {
        Self {
            a: self.a * next.a + self.b * next.c,
            b: self.a * next.b + self.b * next.d,
            c: self.c * next.a + self.d * next.c,
            d: self.c * next.b + self.d * next.d,
        }
    }
}

/// Reads the file at `path`. Ignores structures that it does not know.
pub fn read(path: &Path) -> io::Result<Container> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut head = [0; 64];
    let read = read_up_to(&mut file, &mut head)?;
    Ok(match &head[..read] {
        // its index counts frames that were left out, too, where the rate varies
        [b'R', b'I', b'F', b'F', a, b, c, d, b'A', b'V', b'I', ..] => Container {
            stated_bytes: Some(8 + u64::from(u32::from_le_bytes([*a, *b, *c, *d])))
                .filter(|&stated| stated > length),
            ..Container::default()
        },
        [0x1a, 0x45, 0xdf, 0xa3, ..] => matroska(&head[..read], length),
        [_, _, _, _, kind @ ..] if TOP.iter().any(|top| kind.starts_with(*top)) => {
            movie(&mut file, length)?
        }
        _ => Container::default(),
    })
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

/// The boxes at the start of files of the MP4 family.
const TOP: [&[u8; 4]; 7] = [
    b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot",
];
/// Larger than the index of a day of video.
const MAX_MOOV: u64 = 256 << 20;

/// Walks the boxes of the file, and reads `moov`.
fn movie(file: &mut File, length: u64) -> io::Result<Container> {
    let mut found = Container {
        has_index: true,
        ..Container::default()
    };
    let mut at = 0_u64;
    while at + 8 <= length {
        let mut head = [0; 16];
        file.seek(SeekFrom::Start(at))?;
        let read = read_up_to(file, &mut head)?;
        let Some((kind, size, header)) = box_head(&head[..read], length - at) else {
            break;
        };
        let end = at.saturating_add(size);
        if end > length {
            found.stated_bytes = Some(end);
        }
        if kind == *b"moov" && size <= MAX_MOOV {
            let mut content = vec![0; (size.min(length - at) - header) as usize];
            file.seek(SeekFrom::Start(at + header))?;
            let read = read_up_to(file, &mut content)?;
            (found.matrix, found.times_ns) = moov(&content[..read]);
        }
        at = end;
    }
    Ok(found)
}

/// Returns a box's type, its size including the header, and the header's size. `rest` is the
/// remaining length of the file or box.
fn box_head(bytes: &[u8], rest: u64) -> Option<([u8; 4], u64, u64)> {
    let kind = *bytes.get(4..)?.first_chunk()?;
    let (size, header) = match u32_at(bytes, 0)? {
        0 => (rest, 8),
        1 => (u64_at(bytes, 8)?, 16),
        size => (size.into(), 8),
    };
    (size >= header).then_some((kind, size, header))
}

/// Returns the boxes in a box, each with its type.
fn boxes(mut bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let (kind, size, header) = box_head(bytes, bytes.len() as u64)?;
        let size = usize::try_from(size).unwrap_or(usize::MAX).min(bytes.len());
        let content = bytes.get(header as usize..size)?;
        bytes = &bytes[size..];
        Some((kind, content))
    })
}

/// Returns the content of the first box of that type.
fn first<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    boxes(bytes)
        .find(|(own, _)| own == kind)
        .map(|(_, content)| content)
}

/// Returns the matrix of the video, and the times of its frames.
fn moov(moov: &[u8]) -> (Option<DisplayMatrix>, Vec<u64>) {
    let is_video = |track: &&[u8]| {
        let handler = first(track, b"mdia").and_then(|mdia| first(mdia, b"hdlr"));
        handler.and_then(|hdlr| hdlr.get(8..12)) == Some(b"vide")
    };
    let tracks = boxes(moov).filter(|(kind, _)| kind == b"trak");
    let Some(track) = tracks.map(|(_, track)| track).find(is_video) else {
        return (None, Vec::new());
    };
    let of_track = first(track, b"tkhd").and_then(|tkhd| matrix_at(tkhd, 40, 52));
    let of_movie = first(moov, b"mvhd").and_then(|mvhd| matrix_at(mvhd, 36, 48));
    let matrix = of_track.map(|matrix| matrix.then(of_movie.unwrap_or(DisplayMatrix::IDENTITY)));
    (matrix, times_ns(moov, track).unwrap_or_default())
}

/// Returns the matrix of a header; its position differs between versions 0 and 1. Of its nine
/// numbers, the third, sixth and ninth are for perspective, and the last row translates: none of
/// them turns.
fn matrix_at(header: &[u8], version_0: usize, version_1: usize) -> Option<DisplayMatrix> {
    let at = if *header.first()? == 0 {
        version_0
    } else {
        version_1
    };
    let number = |index: usize| Some(f64::from(u32_at(header, at + 4 * index)? as i32) / 65536.0);
    Some(DisplayMatrix {
        a: number(0)?,
        b: number(1)?,
        c: number(3)?,
        d: number(4)?,
    })
}

/// More frames than a video of a week has; an index with more is damaged.
const MAX_FRAMES: usize = 20_000_000;

/// Returns when the frames of a track are shown, from the first on.
fn times_ns(moov: &[u8], track: &[u8]) -> Option<Vec<u64>> {
    let media = first(track, b"mdia")?;
    let (scale, _) = scale_and_length(first(media, b"mdhd")?)?;
    let index = first(first(media, b"minf")?, b"stbl")?;
    let durations = runs(first(index, b"stts")?)?;
    let mut decoded = 0_i64;
    let mut times = Vec::new();
    for (count, duration) in durations {
        if times.len() + count > MAX_FRAMES {
            return None;
        }
        times.extend((0..count as i64).map(|frame| decoded + frame * i64::from(duration)));
        decoded = decoded.checked_add(count as i64 * i64::from(duration))?;
    }
    if let Some(offsets) = first(index, b"ctts") {
        // signed in version 1, and also in version 0 as most tools write it
        let offsets = runs(offsets)?.flat_map(|(count, offset)| std::iter::repeat_n(offset, count));
        for (time, offset) in times.iter_mut().zip(offsets) {
            *time += i64::from(offset as i32);
        }
    }
    times.sort_unstable();
    if let Some((start, length)) = edit(moov, track, scale) {
        times.retain(|&time| time >= start && time < start.saturating_add(length));
    }
    let zero = *times.first()?;
    let ns = |time: i64| ((time - zero) as f64 * 1e9 / scale).round() as u64;
    Some(times.into_iter().map(ns).collect())
}

/// Returns runs of equal numbers: the count and the number.
fn runs(table: &[u8]) -> Option<impl Iterator<Item = (usize, u32)>> {
    let count = u32_at(table, 4)? as usize;
    let entries = table.get(8..)?.chunks_exact(8).take(count);
    Some(entries.filter_map(|run| Some((u32_at(run, 0)? as usize, u32_at(run, 4)?))))
}

/// Returns the start and the length of the part of the track that the edit list shows, in the
/// track's units; `None` if it shows the whole track or several parts.
fn edit(moov: &[u8], track: &[u8], scale: f64) -> Option<(i64, i64)> {
    let list = first(first(track, b"edts")?, b"elst")?;
    let long = *list.first()? == 1;
    let count = u32_at(list, 4)? as usize;
    let entries = list.get(8..)?.chunks_exact(if long { 20 } else { 12 });
    let edits = entries.take(count).filter_map(|entry| match long {
        true => Some((u64_at(entry, 8)? as i64, u64_at(entry, 0)?)),
        false => Some((u32_at(entry, 4)? as i32 as i64, u32_at(entry, 0)?.into())),
    });
    // an entry without media is a pause before it
    let mut shown = edits.filter(|&(start, _)| start >= 0);
    let ((start, length), None) = (shown.next()?, shown.next()) else {
        return None;
    };
    let (movie_scale, _) = scale_and_length(first(moov, b"mvhd")?)?;
    // rounded to the movie's units, which may be longer than a frame; a length of 0 means unknown
    let length = (length as f64 + 0.5) * scale / movie_scale;
    let known = length >= 1.0 && length.is_finite();
    Some((start, if known { length as i64 } else { i64::MAX }))
}

/// Returns the units per second, and the length in them, of `mvhd` or `mdhd`.
fn scale_and_length(header: &[u8]) -> Option<(f64, f64)> {
    let (scale, length) = match *header.first()? {
        0 => (u32_at(header, 12)?, u32_at(header, 16)?.into()),
        _ => (u32_at(header, 20)?, u64_at(header, 24)?),
    };
    Some((scale.into(), length as f64))
}

/// Whether the file is shorter than its segment, by the head of a Matroska file.
fn matroska(head: &[u8], length: u64) -> Container {
    const SEGMENT: [u8; 4] = [0x18, 0x53, 0x80, 0x67];
    let segment = || {
        let (header, at) = ebml_size(head, 4)?;
        let segment = at.checked_add(usize::try_from(header?).ok()?)?;
        (head.get(segment..segment.checked_add(4)?)? == SEGMENT).then_some(())?;
        let (size, at) = ebml_size(head, segment + 4)?;
        (at as u64).checked_add(size?)
    };
    Container {
        stated_bytes: segment().filter(|&end| end > length),
        ..Container::default()
    }
}

/// Returns the EBML size at `at`, and where its element begins. The size is `None` if the file
/// gives it as unknown.
fn ebml_size(bytes: &[u8], at: usize) -> Option<(Option<u64>, usize)> {
    let first = *bytes.get(at)?;
    let more = first.leading_zeros() as usize;
    let rest = bytes.get(at + 1..at + 1 + more).filter(|_| more < 8)?;
    let mask = (1_u64 << (7 * (more + 1))) - 1;
    let size = rest
        .iter()
        .fold(u64::from(first), |size, &byte| size << 8 | u64::from(byte))
        & mask;
    Some(((size != mask).then_some(size), at + 1 + more))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let size = (8 + content.len()) as u32;
        [&size.to_be_bytes(), kind.as_slice(), content].concat()
    }

    /// Returns a header of version 0, with numbers from byte 12 on as given, and a matrix.
    fn header(numbers: &[u32], matrix_at: usize, matrix: [i32; 4]) -> Vec<u8> {
        let mut bytes = vec![0; matrix_at + 36];
        for (at, number) in numbers.iter().enumerate() {
            bytes[12 + 4 * at..16 + 4 * at].copy_from_slice(&number.to_be_bytes());
        }
        for (index, number) in [0, 1, 3, 4].into_iter().zip(matrix) {
            let at = matrix_at + 4 * index;
            bytes[at..at + 4].copy_from_slice(&(number << 16).to_be_bytes());
        }
        bytes
    }

    /// Returns a file of 2 s, of which 1.5 s are shown, with these matrices of the track and the
    /// movie.
    fn file(track: [i32; 4], movie: [i32; 4]) -> Vec<u8> {
        let trak = |handler: &[u8; 4], matrix| {
            let hdlr = boxed(b"hdlr", &[&[0; 8], handler.as_slice(), &[0; 12]].concat());
            let mdhd = boxed(b"mdhd", &header(&[90_000, 180_000], 20, [0; 4]));
            let edit = [0, 1_u32, 1500, 45_000, 0x10000]
                .map(u32::to_be_bytes)
                .concat();
            let edts = boxed(b"edts", &boxed(b"elst", &edit));
            // the second frame is shown last, the fourth before what is shown
            let stts = boxed(
                b"stts",
                &[0, 2_u32, 1, 9_000, 3, 45_000]
                    .map(u32::to_be_bytes)
                    .concat(),
            );
            let ctts = boxed(
                b"ctts",
                &[
                    0,
                    4_u32,
                    1,
                    45_000,
                    1,
                    120_000,
                    1,
                    9_000,
                    1,
                    60_000_u32.wrapping_neg(),
                ]
                .map(u32::to_be_bytes)
                .concat(),
            );
            let minf = boxed(b"minf", &boxed(b"stbl", &[stts, ctts].concat()));
            let mdia = boxed(b"mdia", &[mdhd, hdlr, minf].concat());
            let tkhd = boxed(b"tkhd", &header(&[], 40, matrix));
            boxed(b"trak", &[tkhd, edts, mdia].concat())
        };
        let mvhd = boxed(b"mvhd", &header(&[1000, 2000], 36, movie));
        let moov = [mvhd, trak(b"soun", [1, 0, 0, 1]), trak(b"vide", track)].concat();
        let boxes = [
            boxed(b"ftyp", b"isom"),
            boxed(b"moov", &moov),
            boxed(b"mdat", &[0; 100]),
        ];
        boxes.concat()
    }

    fn read_bytes(bytes: &[u8]) -> Container {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        read(file.path()).unwrap()
    }

    #[test]
    fn the_matrices_of_track_and_movie_follow_one_another() {
        let found = read_bytes(&file([0, 1, -1, 0], [1, 0, 0, 1]));
        let quarter = DisplayMatrix {
            a: 0.0,
            b: 1.0,
            c: -1.0,
            d: 0.0,
        };
        assert_eq!(found.matrix, Some(quarter));
        assert_eq!((found.has_index, found.stated_bytes), (true, None));
        assert_eq!(found.times_ns, [0, 200_000_000, 933_333_333]);
        // twice a quarter turn
        let found = read_bytes(&file([0, 1, -1, 0], [0, 1, -1, 0]))
            .matrix
            .unwrap();
        assert_eq!((found.a, found.b, found.c, found.d), (-1.0, 0.0, 0.0, -1.0));
    }

    #[test]
    fn a_file_that_was_cut_is_shorter_than_its_boxes() {
        let whole = file([1, 0, 0, 1], [1, 0, 0, 1]);
        let cut = read_bytes(&whole[..whole.len() - 30]);
        assert_eq!(cut.stated_bytes, Some(whole.len() as u64));
        // EBML header of 3 bytes, a segment of 100 in which 40 are
        let mut mkv = b"\x1a\x45\xdf\xa3\x83abc\x18\x53\x80\x67\x40\x64".to_vec();
        mkv.extend([0; 40]);
        assert_eq!(read_bytes(&mkv).stated_bytes, Some(114));
        mkv.extend([0; 60]);
        assert_eq!(read_bytes(&mkv), Container::default());
        // a segment of unknown size, as in a live recording
        let live = b"\x1a\x45\xdf\xa3\x83abc\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff";
        assert_eq!(read_bytes(live), Container::default());
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0..400_usize) {
            let mut file = file([1, 0, 0, 1], [1, 0, 0, 1]);
            let at = at.min(file.len());
            let end = (at + bytes.len()).min(file.len());
            file[at..end].copy_from_slice(&bytes[..end - at]);
            let _ = read_bytes(&file);
            let _ = read_bytes(&bytes);
            let _ = matroska(&bytes, 9);
        }
    }
}
