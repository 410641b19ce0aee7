//! Pictures of the detections that appeared, vanished or moved from one evaluation to another.

use std::collections::HashMap;

use super::comparison_table::change_text;
use super::mistakes::{MOST, MistakePicture, PictureFiles, PictureRequest};
use shuffledet_eval::compare::{Change, ChangeKind};
use shuffledet_eval::{Comparison, Evaluation, ImageRecord, ImageSource};

/// Of one image and kind.
const MOST_OF_AN_IMAGE: usize = 2;

/// The best-scored few of each kind: A's boxes blue, B's orange.
#[derive(Debug, Default)]
pub struct ChangePictures {
    pub appeared: Vec<MistakePicture>,
    pub vanished: Vec<MistakePicture>,
    pub moved: Vec<MistakePicture>,
}

/// Pictures of what changed, which `draw` makes; `b` is the second evaluation.
///
/// # Errors
/// Those of `draw`.
pub fn pictures<E>(
    comparison: &Comparison,
    b: &Evaluation,
    draw: impl Fn(&[&PictureRequest<'_>]) -> Result<PictureFiles, E>,
) -> Result<ChangePictures, E> {
    let records = b.images.iter().map(|record| (&record.source, record));
    let records: HashMap<&ImageSource, &ImageRecord> = records.collect();
    let of_kind = |kind: ChangeKind| -> Result<Vec<MistakePicture>, E> {
        let wanted = wanted(comparison, &records, kind);
        let wanted: Vec<&PictureRequest<'_>> = wanted.iter().collect();
        let mut drawn = draw(&wanted)?;
        let picture = |(at, wanted): (usize, &&PictureRequest<'_>)| MistakePicture {
            caption: wanted.caption.clone(),
            image: wanted.record.source.title(),
            jpeg: drawn.remove(&at),
        };
        Ok(wanted.iter().enumerate().map(picture).collect())
    };
    Ok(ChangePictures {
        appeared: of_kind(ChangeKind::Appeared)?,
        vanished: of_kind(ChangeKind::Vanished)?,
        moved: of_kind(ChangeKind::Moved)?,
    })
}

fn wanted<'a>(
    comparison: &Comparison,
    records: &HashMap<&ImageSource, &'a ImageRecord>,
    kind: ChangeKind,
) -> Vec<PictureRequest<'a>> {
    let mut of_kind: Vec<(f64, PictureRequest<'a>)> = Vec::new();
    for image in &comparison.changes.images {
        let Some(&record) = records.get(&image.source) else {
            continue;
        };
        let mut changes: Vec<&Change> = image.changes.iter().filter(|c| c.kind == kind).collect();
        changes.sort_by(|p, q| score(q).total_cmp(&score(p)));
        of_kind.extend(changes.into_iter().take(MOST_OF_AN_IMAGE).map(|change| {
            let wanted = PictureRequest {
                record,
                object: change.a.map(|side| side.bbox),
                detection: change.b.map(|side| side.bbox),
                caption: caption(change),
            };
            (score(change), wanted)
        }));
    }
    of_kind.sort_by(|p, q| q.0.total_cmp(&p.0));
    of_kind.truncate(MOST);
    of_kind.into_iter().map(|(_, wanted)| wanted).collect()
}

fn score(change: &Change) -> f64 {
    let sides = [change.a, change.b].into_iter().flatten();
    sides.map(|side| side.score).fold(0.0, f64::max)
}

/// Whether it is, or was, right.
fn caption(change: &Change) -> String {
    let right = |right: bool| if right { "right" } else { "wrong" };
    let text = change_text(change);
    match (change.a, change.b) {
        (Some(a), Some(b)) if a.right == b.right => format!("{text}: {}", right(b.right)),
        (Some(a), Some(b)) => format!("{text}: was {}, is {}", right(a.right), right(b.right)),
        (Some(a), None) => format!("{text}: was {}", right(a.right)),
        (None, b) => format!("{text}: {}", right(b.is_some_and(|side| side.right))),
    }
}
