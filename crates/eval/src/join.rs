//! The shards of one evaluation, joined into what one run gives.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::subject::differences;
use super::{Evaluation, Shard};
use crate::camera::CameraError;

/// Why evaluations are not the shards of one.
#[derive(Debug, Error)]
pub enum JoinError {
    #[error("no shard files given; expected the files that `shuffledet eval --shard` wrote")]
    Nothing,
    #[error("{}: expected a shard (of `shuffledet eval --shard`), found a whole evaluation", path.display())]
    Whole { path: PathBuf },
    #[error("{}: belongs to a different run than {}; it differs in:\n  {}", path.display(), first.display(), differences.join("\n  "))]
    Foreign {
        path: PathBuf,
        first: PathBuf,
        differences: Vec<String>,
    },
    #[error("{} and {}: are both shard {shard}; leave one out", first.display(), second.display())]
    Doubled {
        first: PathBuf,
        second: PathBuf,
        shard: Shard,
    },
    #[error("{missing} of the shards are missing, {first} first; expected all {} of them", first.count)]
    Missing { missing: u64, first: Shard },
    #[error("{}: does not have the images of shard {shard}; evaluate that shard again", path.display())]
    Incomplete { path: PathBuf, shard: Shard },
    #[error("{}: {source}", path.display())]
    Camera { path: PathBuf, source: CameraError },
}

/// Joins evaluations, each with the path that it was read from. The result has every figure of a run over all images;
/// what was measured is that of the shards.
pub fn join(evaluations: Vec<(PathBuf, Evaluation)>) -> Result<Evaluation, JoinError> {
    let mut by_shard: BTreeMap<u64, (PathBuf, Evaluation)> = BTreeMap::new();
    for (path, evaluation) in evaluations {
        let Some(shard) = evaluation.subject.shard else {
            return Err(JoinError::Whole { path });
        };
        if let Some((first, known)) = by_shard.values().next() {
            same_run(first, known, &path, &evaluation)?;
        }
        if let Some((first, _)) = by_shard.get(&shard.index) {
            return Err(JoinError::Doubled {
                first: first.clone(),
                second: path,
                shard,
            });
        }
        whole(&path, shard, &evaluation)?;
        by_shard.insert(shard.index, (path, evaluation));
    }
    let mut shards = by_shard.into_values();
    let (path, first) = shards.next().ok_or(JoinError::Nothing)?;
    let rest: Vec<Evaluation> = shards.map(|(_, evaluation)| evaluation).collect();
    let all = || std::iter::once(&first).chain(&rest);

    // each was found to be a shard of as many above
    if let Some(Shard { count, .. }) = first.subject.shard
        && count > 1 + rest.len() as u64
    {
        let given = |index| all().any(|e| e.subject.shard == Some(Shard { index, count }));
        let index = (1..=count).find(|&index| !given(index)).unwrap_or(count);
        return Err(JoinError::Missing {
            missing: count - 1 - rest.len() as u64,
            first: Shard { index, count },
        });
    }
    let wall_s = all().map(|evaluation| evaluation.throughput.wall_s).sum();
    let workers = all().map(|evaluation| evaluation.throughput.workers).max();
    let workers = workers.unwrap_or_default();
    let mut subject = first.subject.clone();
    subject.shard = None;
    subject.machines = all().flat_map(|e| e.subject.machines.clone()).collect();
    subject.machines.sort();
    subject.machines.dedup();
    let problems = first.problems.of_annotations();
    let mut images = first.images;
    images.extend(rest.into_iter().flat_map(|evaluation| evaluation.images));
    Evaluation::new(subject, problems, images, wall_s, workers)
        .map_err(|source| JoinError::Camera { path, source })
}

fn same_run(
    first: &Path,
    known: &Evaluation,
    path: &Path,
    evaluation: &Evaluation,
) -> Result<(), JoinError> {
    let identity = |evaluation: &Evaluation| {
        let mut identity = evaluation.subject.identity();
        identity["shards"] = evaluation.subject.shard.map(|shard| shard.count).into();
        identity
    };
    let differences = differences(&identity(known), &identity(evaluation));
    if differences.is_empty() {
        return Ok(());
    }
    Err(JoinError::Foreign {
        path: path.to_owned(),
        first: first.to_owned(),
        differences,
    })
}

/// Fails unless the images are those of the share, each once.
fn whole(path: &Path, shard: Shard, evaluation: &Evaluation) -> Result<(), JoinError> {
    let image_count = evaluation.subject.dataset.image_count;
    let step = usize::try_from(shard.count.max(1)).unwrap_or(usize::MAX);
    let expected = (shard.index.saturating_sub(1)..image_count).step_by(step);
    let found = evaluation.images.iter().map(|image| image.index);
    if (1..=shard.count).contains(&shard.index) && found.eq(expected) {
        return Ok(());
    }
    let path = path.to_owned();
    Err(JoinError::Incomplete { path, shard })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Subject;
    use crate::fixtures::{evaluation, images, subject};
    use crate::{Problem, Problems};

    fn problems() -> Problems {
        let mut problems = Problems::default();
        problems.add(Problem::BoxEmpty, "annotation 1");
        problems
    }

    /// Returns shard `index` of `count`, after `change`.
    fn shard(index: u64, count: u64, change: impl Fn(&mut Subject)) -> (PathBuf, Evaluation) {
        let shard = Shard { index, count };
        let mut subject = Subject {
            shard: Some(shard),
            ..subject()
        };
        change(&mut subject);
        let images = images().into_iter().filter(|image| shard.has(image.index));
        let evaluation = Evaluation::new(subject, problems(), images.collect(), 2.0, 3);
        (format!("{index}.json").into(), evaluation.unwrap())
    }

    fn same(_: &mut Subject) {}

    fn refusal(shards: Vec<(PathBuf, Evaluation)>) -> String {
        join(shards).unwrap_err().to_string()
    }

    #[test]
    fn shards_in_any_order_are_the_whole() {
        let elsewhere = |subject: &mut Subject| {
            subject.machines[0].hostname = "elsewhere".to_owned();
            subject.parameters["runtime"]["workers"] = 7.into();
            subject.dataset.images_in = "/mnt/images".to_owned();
        };
        let joined = join(vec![
            shard(3, 3, elsewhere),
            shard(1, 3, same),
            shard(2, 3, same),
        ]);
        let joined = joined.unwrap();
        let mut whole = Evaluation::new(subject(), problems(), images(), 6.0, 3).unwrap();
        assert_eq!(joined.subject.machines.len(), 2);
        whole.subject.machines = joined.subject.machines.clone();
        assert_eq!(joined, whole);
        assert!(joined.problems.count(Problem::ImageMissing) == 1);
    }

    #[test]
    fn what_is_not_a_shard_of_the_run_is_refused_by_name() {
        let one = || shard(1, 2, same);
        assert!(refusal(vec![]).contains("no shard files given"));
        let error = refusal(vec![("w.json".into(), evaluation())]);
        assert!(error.starts_with("w.json: expected a shard"), "{error}");
        let error = refusal(vec![one(), ("copy.json".into(), one().1)]);
        assert!(
            error.starts_with("1.json and copy.json: are both shard 1/2"),
            "{error}"
        );
        let error = refusal(vec![one()]);
        assert!(
            error.contains("1 of the shards are missing, 2/2 first"),
            "{error}"
        );
        let error = refusal(vec![one(), shard(2, 3, same)]);
        assert!(
            error.contains("2.json: belongs to a different run than 1.json")
                && error.contains("shards: 2 there, 3 here"),
            "{error}"
        );
        let other = shard(2, 2, |subject| subject.model.sha256 = "ff00".to_owned());
        let error = refusal(vec![one(), other]);
        assert!(
            error.contains("model.sha256: \"00ff\" there, \"ff00\" here"),
            "{error}"
        );
        let (path, mut torn) = shard(2, 2, same);
        torn.images.pop();
        let error = refusal(vec![one(), (path, torn)]);
        assert!(
            error.contains("2.json: does not have the images of shard 2/2"),
            "{error}"
        );
        let (path, mut hostile) = shard(2, 2, same);
        hostile.subject.shard = Some(Shard { index: 0, count: 0 });
        hostile.subject.dataset.image_count = u64::MAX;
        assert!(refusal(vec![(path, hostile)]).contains("does not have the images"));
    }
}
